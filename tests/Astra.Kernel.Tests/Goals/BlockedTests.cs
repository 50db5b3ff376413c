using System.Text;
using Astra.Kernel.Approvals;
using Astra.Kernel.Controls;
using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Astra.Kernel.Timers;
using Xunit;

namespace Astra.Kernel.Tests.Goals;

/// <summary>
/// Every way in which something can be kept from running: the sentence says so, and doing what it asks makes it run, or
/// end where nothing else can be done.
/// </summary>
public sealed class BlockedTests
{
    private const string Subject = "a";

    private static readonly Dictionary<string, Action<Situation>> Situations = new(StringComparer.Ordinal)
    {
        ["no worker offers it"] = s => { s.Task(); s.Says("No connected worker offers agent:test; start one that does."); s.World.Worker(); s.Runs(); },
        ["a worker of another tenant"] = s => { s.World.Worker(tenant: Situation.Other); s.Task(); s.Says("No connected worker offers agent:test"); s.World.Worker(tenant: s.World.Tenant); s.Runs(); },
        ["a worker of another executor"] = s => { s.World.Worker(executors: "tool:x"); s.Task(); s.Says("No connected worker offers agent:test"); s.World.Worker(); s.Runs(); },
        ["all slots taken"] = s => { var w = s.Busy(); s.Task(); s.Says("All 1 slots of the workers that could take it are taken"); w.Complete("busy"); s.Runs(); },
        ["slots taken by another tenant"] = s => { var w = s.World.Worker(slots: 1); s.World.Submit("busy", spec => spec, tenant: Situation.Other); s.Task(); s.Says("All 1 slots"); w.Complete("busy"); s.Runs(); },
        ["one dependency"] = s => { var w = s.World.Worker(); s.Goal("b", "a after b"); s.Says("Task a waits for b, which is running."); w.Complete("b"); s.Runs(); },
        ["two dependencies"] = s => { var w = s.World.Worker(); s.Goal("b", "c", "a after b c"); s.Says("Task a waits for 2 others, the first of them b, which is running."); w.Complete("b"); w.Complete("c"); s.Runs(); },
        ["a dependency that only has to end"] = s => { var w = s.World.Worker(); s.Goal("b", "a ended b"); s.Says("Task a waits for b, which is running."); w.Fail("b"); s.Runs(); },
        ["a dependency that waits itself"] = s => { var w = s.World.Worker(); s.Goal("c", "b after c", "a after b"); s.Says("Task a waits for b, which is pending."); w.Complete("c"); w.Complete("b"); s.Runs(); },
        ["a dead dependency that waits for a replay"] = s => { var w = s.World.Worker(); s.Goal(DeadTaskPolicy.Wait, "b", "a after b"); w.Fail("b"); s.Says("Task a waits for b, which is a dead letter: replay or discard that."); s.World.Redrive(s.Id, "b"); w.Complete("b"); s.Runs(); },
        ["a dead dependency that is discarded"] = s => { var w = s.World.Worker(); s.Goal(DeadTaskPolicy.Wait, "b", "a after b"); w.Fail("b"); s.Says("which is a dead letter: replay or discard that."); s.World.Discard(s.Id, "b"); s.Is(TaskState.Cancelled); },
        ["a dead letter itself"] = s => { var w = s.World.Worker(); s.Task(); w.Fail(Subject, reason: "no disk"); s.Says("Task a is a dead letter after 1 failed attempts (permanent): no disk"); s.World.Redrive(s.Id, Subject); s.Runs(); },
        ["a goal that waits for a decision"] = s => { var w = s.World.Worker(); s.Goal(DeadTaskPolicy.Wait, "a"); w.Fail(Subject); s.GoalSays("It waits for a decision about dead task a: replay or discard it."); s.World.Redrive(s.Id, Subject); s.Runs(); },
        ["doomed by another"] = s => { var w = s.World.Worker(); s.Goal("b", "a after b"); w.Fail("b"); s.Says("Task a was cancelled: It waits for b, which will not complete."); s.World.Redrive(s.Id, "b"); w.Complete("b"); s.Runs(); },
        ["retry backoff"] = s => { var w = s.World.Worker(); s.Task(); w.Fail(Subject, FailureKind.Transient, "busy line"); s.Says("Attempt 1 failed (busy line); the next one is due at"); s.World.Advance(seconds: 1); s.Runs(); },
        ["not before"] = s => { s.World.Worker(); s.Task(new TaskExtras { NotBefore = s.World.Now.AddSeconds(60) }); s.Says("It may not start before 2030-01-01 00:01:"); s.World.Advance(seconds: 61); s.Runs(); },
        ["not before, and the clock is set back"] = s => { s.World.Worker(); s.Task(new TaskExtras { NotBefore = s.World.Now.AddSeconds(60) }); s.World.Virtual.Clock.ShiftCalendar(TimeSpan.FromSeconds(-60)); s.World.Advance(seconds: 60); s.Says("It may not start before"); s.World.Advance(seconds: 61); s.Runs(); },
        ["tenant limit of the node"] = s => { s.With(new KernelLimits { RunningTasksPerTenantMax = 1 }); var w = s.World.Worker(); s.World.Submit("busy"); s.Task(); s.Says("The tenant runs 1 tasks here, and 1 is its limit."); w.Complete("busy"); s.Runs(); },
        ["agent limit of the node"] = s => { s.With(new KernelLimits { RunningTasksPerAgentMax = 1 }); var w = s.World.Worker(); s.Writer("busy"); s.Writer(); s.Says("Agent writer runs 1 tasks here, and 1 is its limit."); w.Complete("busy"); s.Runs(); },
        ["tenant limit that was set"] = s => { s.World.Set(LimitScope.Tenant, "", concurrency: 1); var w = s.World.Worker(); s.World.Submit("busy"); s.Task(); s.Says("The tenant runs 1 tasks here, and 1 is its limit."); w.Complete("busy"); s.Runs(); },
        ["agent limit that was set"] = s => { s.World.Set(LimitScope.Agent, "writer", concurrency: 0); s.World.Worker(); s.Writer(); s.Says("Agent writer runs 0 tasks here, and 0 is its limit."); s.World.Change(new ControlChange.RemoveLimit(LimitScope.Agent, "writer")); s.Runs(); },
        ["queue limit"] = s => { s.World.Set(LimitScope.Queue, "emails", concurrency: 1); var w = s.World.Worker(); s.Queued("busy"); s.Queued(); s.Says("Queue emails runs 1 tasks here, and 1 is its limit."); w.Complete("busy"); s.Runs(); },
        ["tool limit"] = s => { s.World.Set(LimitScope.Tool, "shell", concurrency: 1); var w = s.World.Worker(executors: "tool:shell@1"); s.Tool("busy"); s.Tool(); s.Says("Tool shell runs 1 tasks here, and 1 is its limit."); w.Complete("busy"); s.Runs(); },
        ["this node's part of a limit"] = s => { s.With(new KernelLimits(), nodes: 2); s.World.Set(LimitScope.Tenant, "", concurrency: 2); var w = s.World.Worker(); s.World.Submit("busy"); s.Task(); s.Says("The tenant runs 1 tasks here, and 2 is its limit, and this node's part of it is 1."); w.Complete("busy"); s.Runs(); },
        ["tenant rate per second"] = s => { s.World.Set(LimitScope.Tenant, "", perSecond: 1); s.World.Worker(); s.World.Submit("first"); s.Task(); s.Says("The tenant has started the 1 per second that are its limit; the next may start in"); s.World.Advance(seconds: 1.001); s.Runs(); },
        ["agent rate per second"] = s => { s.World.Set(LimitScope.Agent, "writer", perSecond: 1); s.World.Worker(); s.Writer("first"); s.Writer(); s.Says("Agent writer has started the 1 per second"); s.World.Advance(seconds: 1.001); s.Runs(); },
        ["queue rate per minute"] = s => { s.World.Set(LimitScope.Queue, "emails", perMinute: 1); s.World.Worker(); s.Queued("first"); s.Queued(); s.Says("Queue emails has started the 1 per minute that are its limit; the next may start in 60.0 seconds."); s.World.Advance(seconds: 60.001); s.Runs(); },
        ["tool rate per second"] = s => { s.World.Set(LimitScope.Tool, "shell", perSecond: 2); s.World.Worker(executors: "tool:shell@1"); s.Tool("first"); s.Tool("second"); s.Tool(); s.Says("Tool shell has started the 2 per second that are its limit; the next may start in 0.5 seconds."); s.World.Advance(seconds: 0.501); s.Runs(); },
        ["tenant rate per minute"] = s => { s.World.Set(LimitScope.Tenant, "", perMinute: 2); s.World.Worker(); s.World.Submit("first", "second"); s.Task(); s.Says("The tenant has started the 2 per minute"); s.World.Advance(seconds: 30.001); s.Runs(); },
        ["a paused goal"] = s => { s.World.Worker(); s.Held(); s.Says("The goal is paused by ada (to think); `astra goal resume"); s.ResumeGoal(); s.World.Advance(seconds: 1); s.Runs(); },
        ["a paused goal, as its own answer"] = s => { s.World.Worker(); s.Held(); s.GoalSays("The goal is paused by ada (to think)"); s.ResumeGoal(); s.Runs(); },
        ["a paused goal of which something still runs"] = s => { var w = s.World.Worker(); s.Goal("b", "a after b"); s.PauseGoal(); s.GoalSays("Until then b still runs to its end."); w.Complete("b"); s.ResumeGoal(); s.Runs(); },
        ["a paused agent"] = s => { s.World.Worker(); s.PauseAgent(); s.Writer(); s.Says("Agent writer is paused by ada (lunch); `astra agent resume writer` goes on."); s.ResumeAgent(); s.Runs(); },
        ["a paused agent, as its own answer"] = s => { s.World.Worker(); s.PauseAgent(); s.Writer(); s.AgentSays("Agent writer is paused by ada (lunch)"); s.ResumeAgent(); s.Runs(); },
        ["an agent without a worker"] = s => { s.Writer(); s.AgentSays("No connected worker offers agent:test"); s.World.Worker(); s.Runs(); },
        ["a draining node"] = s => { s.World.Worker(); s.Drain(true); s.Task(); s.Says("This node drains and hands nothing out; end that with `astra drain --off`"); s.Drain(false); s.Runs(); },
        ["a draining worker"] = s => { var w = s.World.Worker(); w.Link.Drain(); s.World.RunUntilQuiet(); s.Task(); s.Says("Every worker that could take it drains and takes nothing more"); s.World.Worker(); s.Runs(); },
        ["a missing capability"] = s => { s.World.Worker(); s.Task(new TaskExtras { Requires = "gpu" }); s.Says("No worker that offers agent:test has gpu, which it requires; start one that has."); s.Able("gpu"); s.Runs(); },
        ["a missing sandbox"] = s => { s.Able("sandbox:process"); s.Task(new TaskExtras { Requires = "sandbox:microvm" }); s.Says("has sandbox:microvm, which it requires"); s.Able("sandbox:microvm"); s.Runs(); },
        ["capabilities on different workers"] = s => { s.Able("gpu"); s.Able("os:linux"); s.Task(new TaskExtras { Requires = "gpu os:linux" }); s.Says("No one worker that offers agent:test has all it requires (gpu os:linux)"); s.Able("gpu", "os:linux"); s.Runs(); },
        ["the able worker is full"] = s => { s.World.Worker(); s.Able("gpu"); s.World.Submit("busy", spec => spec with { Extras = new TaskExtras { Requires = "gpu" } }); s.Task(new TaskExtras { Requires = "gpu" }); s.Says("All 1 slots of the workers that could take it are taken"); s.Able("gpu"); s.Runs(); },
        ["a silent worker"] = s => { s.World.Worker(slots: 1); s.Task(); s.World.Advance(seconds: 20); s.Says("has been silent for the last 20.0; if it stays so, the task is given to another in 10.0."); s.World.Advance(seconds: 11); s.World.Worker(); s.Runs(attempt: 2); },
        ["a worker that has fallen silent"] = s => { var w = s.World.Worker(slots: 1); w.IsHung = true; s.Task(); s.World.Advance(seconds: 40); s.Says("Every worker that could take it has fallen silent (worker, for 10.0 seconds) and is given nothing until it is heard"); w.Heartbeat(); s.Runs(attempt: 2); },
        ["a silent worker, as its own answer"] = s => { var w = s.World.Worker(slots: 1); w.IsHung = true; s.Task(); s.World.Advance(seconds: 40); s.Says(w.Link.Id.Value, "Worker worker has been silent for 10.0 seconds and is given nothing until it is heard"); w.Heartbeat(); s.Runs(attempt: 2); },
        ["one worker that drains and one that has fallen silent"] = s => { var w = s.World.Worker(slots: 1); w.IsHung = true; s.Task(); s.World.Advance(seconds: 40); var d = s.World.Worker(); Assert.Equal([Subject], d.Given); d.Link.Drain(); s.World.RunUntilQuiet(); d.Disconnect(); var e = s.World.Worker(); e.Link.Drain(); s.World.RunUntilQuiet(); e.Complete(Subject); s.World.Submit("other"); s.Task(); s.Says("Every worker that could take it drains or has fallen silent (worker, for"); s.World.Worker(); s.Runs(); },
        ["a worker that left"] = s => { var w = s.World.Worker(); s.Task(); w.Disconnect(); s.Says("No connected worker offers agent:test"); s.World.Worker(); s.Runs(attempt: 2); },
        ["an approval that nobody has given"] = s => { s.World.Worker(); s.Asks(1); s.Says("Task a waits for approval 0 of 1: `astra approvals show "); s.Says("which any org admin may but ada, who has asked for it."); s.Approve("bob"); s.Runs(); },
        ["an approval that one of two has given"] = s => { s.World.Worker(); s.Asks(2); s.Approve("bob"); s.Says("Task a waits for approval 1 of 2 (bob agreed): "); s.Approve("eve"); s.Runs(); },
        ["an approval for what the step was before"] = s => { s.World.Worker(); s.Asks(2); s.Approve("bob"); s.Change(); s.Says("approval 0 of 2 (it has been changed since bob agreed, so that does not count)"); s.Approve("bob"); s.Approve("eve"); s.Runs(); },
        ["an approval, as the goal's answer"] = s => { s.World.Worker(); s.Asks(1); s.GoalSays("It waits for people. Task a waits for approval 0 of 1: "); s.Approve("bob"); s.Runs(); },
        ["an approval and another step"] = s => { var w = s.World.Worker(); s.Asks(1, "b", "a after b"); s.Says("Task a waits for b, which is running. Beside that: Task a waits for approval 0 of 1: "); s.Approve("bob"); s.Says("Task a waits for b, which is running."); w.Complete("b"); s.Runs(); },
        ["an approval that was denied"] = s => { s.World.Worker(); s.Asks(1); s.Deny("bob"); s.Says("Task a was cancelled: Denied by bob: not today"); s.Is(TaskState.Cancelled); },
        ["a deadline that passed"] = s => { s.Task(new TaskExtras { Deadline = s.World.Now.AddSeconds(10) }); s.World.Advance(seconds: 11); s.Says("Task a is a dead letter (permanent): Its deadline passed at"); s.World.Redrive(s.Id, Subject); s.World.Worker(); s.Runs(); },
        ["poison"] = s => { s.With(new KernelLimits { ExpiryCountMax = 1 }); var w = s.World.Worker(); s.Task(); w.Disconnect(); s.World.RunUntilQuiet(); s.Says("It lost 1 workers"); s.World.Redrive(s.Id, Subject); s.World.Worker(); s.Runs(attempt: 2); },
        ["cancelled"] = s => { s.Task(); s.World.Cancel(s.Id); s.Says("Task a was cancelled: changed my mind"); s.GoalSays("The goal was cancelled: changed my mind"); s.Is(TaskState.Cancelled); },
        ["completed"] = s => { var w = s.World.Worker(); s.Task(); w.Complete(Subject); s.Says("Task a is completed."); s.GoalSays("The goal is completed."); s.Is(TaskState.Completed); },
        ["running"] = s => { s.World.Worker(); s.Task(); s.World.Advance(seconds: 2.5); s.Says("Worker worker has been running attempt 1 for 2.5 seconds."); s.Runs(); },
        ["a shard that is being loaded"] = s => { s.World.Worker(); s.Task(); s.World.Node.Crash(); s.World.Node.StartWithSlowRows(); s.Says(s.Known, "is being loaded by node node-1; ask again in a moment."); s.World.Node.Rows.Release(); s.World.Advance(seconds: 31); s.World.Worker(); s.Runs(attempt: 2); },
        ["a busy worker, as its own answer"] = s => { var w = s.World.Worker(slots: 1); s.World.Submit("busy"); s.Task(); s.Says(w.Link.Id.Value, "Worker worker is busy: all 1 of its slots are taken."); w.Complete("busy"); s.Runs(); },
        ["an idle worker, as its own answer"] = s => { var w = s.World.Worker(); s.Says(w.Link.Id.Value, "Worker worker is idle: nothing that it may take is waiting for it."); s.Task(); s.Runs(); },
        ["a draining worker, as its own answer"] = s => { var w = s.World.Worker(); s.World.Submit("busy"); w.Link.Drain(); s.World.RunUntilQuiet(); s.Says(w.Link.Id.Value, "Worker worker drains: it takes nothing more and finishes the 1 it has."); w.Complete("busy"); s.Says(w.Link.Id.Value, "has nothing left to do; it can be stopped."); s.World.Worker(); s.Task(); s.Runs(); },
        ["a schedule that waits for its time"] = s => { s.World.Worker(); var id = s.Schedule("every 60s"); s.Says(id.Value, "fires next at 2030-01-01 00:01:"); s.World.Advance(seconds: 62); s.TakeFired(id); s.Runs(); },
        ["a paused schedule"] = s => { s.World.Worker(); var id = s.Schedule("every 60s"); s.World.Node.Ask(node => node.PauseScheduleAsync(s.World.Caller, id)); s.Says(id.Value, "is paused by ada; `astra schedule resume"); s.World.Node.Ask(node => node.ResumeScheduleAsync(s.World.Caller, id)); s.World.Advance(seconds: 62); s.TakeFired(id); s.Runs(); },
        ["a schedule without a next time"] = s => { s.World.Worker(); var id = s.Schedule("at 2030-01-01T00:00:30Z"); s.World.Advance(seconds: 32); s.Says(id.Value, "has no time left to fire at."); s.TakeFired(id); s.Runs(); },
    };

    public static TheoryData<string> Names => [.. Situations.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void The_sentence_is_true_and_doing_what_it_asks_makes_it_run(string name) => Situations[name](new Situation());

    [Fact]
    public void There_are_forty_of_them_at_least() => Assert.InRange(Situations.Count, 40, int.MaxValue);

    private sealed class Situation
    {
        public static TenantId Other { get; } = new(new Guid(8, 8, 8, new byte[8]));

        public World World { get; private set; } = World.With();
        public GoalId Id { get; private set; }

        /// <summary>The task's id as it was last seen, for when nobody can be asked.</summary>
        public Guid Known { get; private set; }

        public void With(KernelLimits limits, int nodes = 1) => World = World.With(nodes, limits);

        public TestWorker Busy()
        {
            var worker = World.Worker(slots: 1);
            World.Submit("busy");
            return worker;
        }

        public void Task(TaskExtras? extras = null) => Remember(World.Submit(Subject, spec => spec with { Extras = extras ?? TaskExtras.None }));

        public void Goal(params string[] steps) => Goal(DeadTaskPolicy.Doom, steps);

        public void Goal(DeadTaskPolicy policy, params string[] steps) => Remember(World.Submit(policy, steps));

        public void Writer(string name = Subject) => Remember(World.Submit(name, spec => spec, agent: "writer"), name);

        public void Queued(string name = Subject) => Remember(World.Submit(name, spec => spec with { Extras = new TaskExtras { Queue = "emails" } }), name);

        public void Tool(string name = Subject) => Remember(World.Submit(name, spec => spec with { Executor = "tool:shell@1" }), name);

        /// <summary>The steps of a goal, of which the last asks people.</summary>
        public void Asks(int votes, params string[] steps)
        {
            var edits = Steps.Of(steps.Length == 0 ? [Subject] : steps).Cast<GraphEdit.Add>().ToList();
            edits[^1] = edits[^1] with { Spec = edits[^1].Spec with { Extras = new TaskExtras { Approval = new Approval(votes) } } };
            Remember(World.Node.Ask(node => node.SubmitAsync(World.Caller, World.Request() with { Plan = edits })).Value.Id);
        }

        public void Approve(string by) => Vote(by, isFor: true);

        public void Deny(string by) => Vote(by, isFor: false);

        /// <summary>Has the step do something else.</summary>
        public void Change() => Assert.True(World.Edit(Id, new GraphEdit.Replace(World.Task(Id, Subject).Spec with { Input = new byte[] { 1 } })).IsOk);

        private void Vote(string by, bool isFor)
        {
            var task = World.Task(Id, Subject);
            Assert.True(World.Node.Ask(node => node.VoteAsync(new Caller(World.Tenant, by), task.Id, isFor, Approval.DigestOf(task.Id, task.Spec), "not today")).IsOk);
        }

        public void Able(params string[] capabilities) => World.Node.Worker(1, null, false, capabilities, []);

        /// <summary>Its goal is paused before it can be handed out.</summary>
        public void Held()
        {
            Task(new TaskExtras { NotBefore = World.Now.AddMilliseconds(1) });
            PauseGoal();
            World.Advance(seconds: 1);
        }

        public void PauseGoal() => World.Node.Ask(node => node.PauseGoalAsync(World.Caller, Id, "to think"));

        public void ResumeGoal() => World.Node.Ask(node => node.ResumeGoalAsync(World.Caller, Id));

        public void PauseAgent() => World.Node.Ask(node => node.PauseAgentAsync(World.Caller, "writer", "lunch"));

        public void ResumeAgent() => World.Node.Ask(node => node.ResumeAgentAsync(World.Caller, "writer"));

        public void Drain(bool isDraining) => World.Node.Do(async node =>
        {
            await node.DrainAsync(isDraining);
            return true;
        });

        public ScheduleId Schedule(string when) => World.Node.Ask(
            node => node.AddScheduleAsync(World.Caller, World.Key("nightly"), when, "UTC", MisfirePolicy.Once, Encoding.UTF8.GetBytes(Subject))).Value.Id;

        public void TakeFired(ScheduleId id) => Remember(World.Node.Ask(node => node.GetScheduleAsync(World.Tenant, id)).Value.LastGoal!.Value);

        public void Says(string sentence) => Contains(sentence, World.Why(Id, Subject));

        public void GoalSays(string sentence) => Contains(sentence, World.Why(Id));

        public void AgentSays(string sentence) => Contains(sentence, World.Node.Ask(node => node.WhyAgentAsync(World.Tenant, "writer", Steps.Executor)).Value.Sentence);

        public void Says(Guid id, string sentence) => Contains(sentence, World.Node.Ask(node => node.WhyAsync(World.Tenant, id)).Value.Sentence);

        public void Runs(int attempt = 1)
        {
            var task = World.Task(Id, Subject);
            Assert.Equal(TaskState.Running, task.State);
            Assert.InRange(task.Attempt, attempt, attempt + 1);
        }

        public void Is(TaskState state) => Assert.Equal(state, World.State(Id, Subject));

        private void Remember(GoalId goal, string name = Subject)
        {
            Id = goal;
            if (name == Subject)
                Known = World.Task(goal, name).Id.Value;
        }

        private static void Contains(string expected, string sentence) => Assert.Contains(expected, sentence, StringComparison.Ordinal);
    }
}
