using Astra.Kernel.Approvals;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Goals;

/// <summary>What people have to agree to before it is handed out: by how many, by whom not, to what exactly, and that nothing leads around it.</summary>
public sealed class ApprovalTests
{
    private const string Submitter = "ada";

    private readonly World _world = World.With(limits: new KernelLimits { RetryDelayMin = TimeSpan.FromSeconds(1) });

    [Fact]
    public void A_step_is_handed_out_when_as_many_people_as_it_asks_have_agreed_and_not_before()
    {
        var worker = _world.Worker();
        var goal = Ask(votes: 2);
        _world.Advance(seconds: 3600);
        Assert.Equal((TaskState.Pending, 0), (_world.State(goal, "a"), worker.Given.Count));
        Assert.Equal(["a"], Asked());

        Assert.Equal(TaskState.Pending, Approve(goal, "bob").Value.State);
        Assert.Empty(worker.Given);
        Assert.True(Approve(goal, "eve", "looks right").IsOk);
        Assert.Equal(["a"], worker.Given);
        Assert.Empty(Asked());
        Assert.Equal([("bob", null), ("eve", "looks right")], _world.Task(goal, "a").Spec.Extras.Approval!.Votes.Select(vote => (vote.By, vote.Reason)));
        Assert.Equal(2, _world.CountOf(goal, EventKind.ApprovalVoted));
    }

    [Fact]
    public void Other_steps_of_the_goal_do_not_wait_for_it_and_it_waits_for_those_before_it_all_the_same()
    {
        var worker = _world.Worker();
        var goal = _world.Node.Ask(node => node.SubmitAsync(_world.Caller, World.Request("b") with { Plan = [Steps.Add("b"), Steps.Add("a after b", Asking(1))] })).Value.Id;
        Assert.Equal(["b"], worker.Given);
        Approve(goal, "bob");
        Assert.Equal(["b"], worker.Given);
        worker.Complete("b");
        Assert.Equal(["b", "a"], worker.Given);
    }

    [Fact]
    public void One_person_is_one_vote_however_often_it_is_given()
    {
        var goal = Ask(votes: 2);
        Assert.True(Approve(goal, "bob").IsOk);
        Assert.True(Approve(goal, "bob").IsOk);
        Assert.Equal((TaskState.Pending, 1), (_world.State(goal, "a"), _world.CountOf(goal, EventKind.ApprovalVoted)));
    }

    [Fact]
    public void Whoever_has_asked_for_it_has_no_vote()
    {
        var goal = Ask();
        Assert.Equal(RefusalKind.Forbidden, Approve(goal, Submitter).Refusal!.Kind);
        Assert.Equal(RefusalKind.Forbidden, Deny(goal, Submitter).Refusal!.Kind);

        // Bob changes what is to be done: he asks for that now, and ada still does for the goal.
        Edit("bob", goal, new GraphEdit.Replace(Asking(1)(Spec("a")) with { Input = new byte[] { 2 } }));
        Assert.Equal(RefusalKind.Forbidden, Approve(goal, "bob").Refusal!.Kind);
        Assert.Equal(RefusalKind.Forbidden, Approve(goal, Submitter).Refusal!.Kind);
        Assert.Equal(TaskState.Ready, Approve(goal, "eve").Value.State);
    }

    [Fact]
    public void Whoever_submitted_a_goal_has_no_vote_on_what_its_agents_have_others_do()
    {
        var worker = _world.Worker();
        _world.Submit("parent");
        var child = worker.Submit("parent", "child", new GoalRequest { Title = "A child", Plan = [Steps.Add("a", Asking(1))] }).Value;
        Assert.Equal(RefusalKind.Forbidden, Approve(child, Submitter).Refusal!.Kind);
        Approve(child, "bob");
        Assert.Equal(["parent", "a"], worker.Given);
    }

    [Fact]
    public void A_no_cancels_the_step_and_what_waits_for_it_and_says_who_said_it_and_why()
    {
        var goal = _world.Node.Ask(node => node.SubmitAsync(_world.Caller, World.Request("b") with { Plan = [Steps.Add("a", Asking(2)), Steps.Add("b after a")] })).Value.Id;
        Approve(goal, "bob");
        var denied = Deny(goal, "eve", "too dear").Value;
        Assert.Equal((TaskState.Cancelled, "Denied by eve: too dear"), (denied.State, denied.Reason));
        _world.AssertStates(goal, "a Cancelled, b Cancelled");
        Assert.Equal(GoalState.Failed, _world.Goal(goal).State);
        Assert.Contains("Denied by eve: too dear", _world.Why(goal, "a"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_vote_is_for_exactly_what_was_looked_at()
    {
        var worker = _world.Worker();
        var goal = Ask(votes: 2);
        var seen = Digest(goal);
        Approve(goal, "bob");
        Edit(Submitter, goal, new GraphEdit.Replace(Asking(2)(Spec("a")) with { Input = new byte[] { 9 } }));
        Assert.NotEqual(seen, Digest(goal));

        Assert.Contains("has been changed since you looked at it", Vote(goal, "eve", true, seen).Refusal!.Reason, StringComparison.Ordinal);
        Approve(goal, "eve");
        Assert.Empty(worker.Given);
        Assert.Equal(["eve"], _world.Task(goal, "a").Spec.Extras.Approval!.Votes.Select(vote => vote.By));
        Approve(goal, "bob");
        Assert.Equal([9], worker["a"].Spec.Input.ToArray());
    }

    [Fact]
    public void What_was_approved_and_is_changed_before_it_runs_waits_again()
    {
        var goal = Ask();
        Assert.Equal(TaskState.Ready, Approve(goal, "bob").Value.State);
        Edit(Submitter, goal, new GraphEdit.Replace(Asking(1)(Spec("a")) with { Input = new byte[] { 9 } }));
        Assert.Equal(TaskState.Pending, _world.State(goal, "a"));
        Assert.Equal(["a"], Asked());
        // Back to what was agreed to, and nobody has to agree to that again.
        Edit(Submitter, goal, new GraphEdit.Replace(Asking(1)(Spec("a"))));
        Assert.Equal(TaskState.Ready, _world.State(goal, "a"));
    }

    [Fact]
    public void No_edit_takes_the_question_away()
    {
        var goal = Ask(votes: 2);
        Assert.Contains("no edit takes away", _world.Edit(goal, new GraphEdit.Remove("a")).Refusal!.Reason, StringComparison.Ordinal);
        Assert.True(_world.Edit(goal, new GraphEdit.Replace(Spec("a"))).IsOk);
        Assert.Equal(2, _world.Task(goal, "a").Spec.Extras.Approval!.VotesNeeded);
        Assert.True(_world.Edit(goal, Steps.Rewire("a")).IsOk);
        Assert.Equal(TaskState.Pending, _world.State(goal, "a"));
        Assert.True(_world.Edit(goal, new GraphEdit.Replace(Asking(3)(Spec("a")))).IsOk);
        Assert.Equal(3, _world.Task(goal, "a").Spec.Extras.Approval!.VotesNeeded);
    }

    [Fact]
    public void A_step_that_is_planned_cannot_bring_its_votes_along()
    {
        var forged = Spec("a") with { Extras = new TaskExtras { Approval = new Approval(1) { Votes = [new Vote("bob", "any", _world.Now, null)] } } };
        var goal = _world.Node.Ask(node => node.SubmitAsync(_world.Caller, World.Request() with { Plan = [new GraphEdit.Add(forged, [])] })).Value.Id;
        Assert.Empty(_world.Task(goal, "a").Spec.Extras.Approval!.Votes);
    }

    [Fact]
    public void Another_attempt_at_what_was_approved_asks_nobody_again_and_a_fixed_dead_letter_does()
    {
        var worker = _world.Worker();
        var goal = Ask();
        Approve(goal, "bob");
        worker.Fail("a", FailureKind.Transient);
        _world.Advance(seconds: 2);
        worker.Fail("a");
        _world.Redrive(goal, "a");
        Assert.Equal(["a", "a", "a"], worker.Given);
        worker.Fail("a");

        var id = _world.Task(goal, "a").Id;
        Assert.True(_world.Node.Ask(node => node.FixAsync(new Caller(_world.Tenant, "bob"), id, null, new byte[] { 8 })).IsOk);
        _world.Redrive(goal, "a");
        Assert.Equal((TaskState.Pending, 3), (_world.State(goal, "a"), worker.Given.Count));
        Assert.Equal(RefusalKind.Forbidden, Approve(goal, "bob").Refusal!.Kind);
        Approve(goal, "eve");
        Assert.Equal([8], worker["a"].Spec.Input.ToArray());
    }

    [Fact]
    public void No_time_that_passes_agrees()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", spec => spec with { Extras = new TaskExtras { Approval = new Approval(1), Deadline = _world.Now.AddMinutes(1) } });
        _world.Advance(seconds: 61);
        Assert.Equal((TaskState.Dead, 0), (_world.State(goal, "a"), worker.Given.Count));
        _world.Redrive(goal, "a");
        Assert.Equal(TaskState.Pending, _world.State(goal, "a"));
        Approve(goal, "bob");
        Assert.Equal(["a"], worker.Given);
    }

    [Fact]
    public void Votes_and_what_is_missing_survive_a_restart()
    {
        var goal = Ask(votes: 2);
        Approve(goal, "bob");
        _world.Node.Restart();
        _world.Advance(seconds: 31);
        Assert.Equal((TaskState.Pending, 1), (_world.State(goal, "a"), _world.Task(goal, "a").Spec.Extras.Approval!.Votes.Count));
        Assert.True(Approve(goal, "bob").IsOk);
        Assert.Equal(TaskState.Pending, _world.State(goal, "a"));
        Assert.Equal(TaskState.Ready, Approve(goal, "eve").Value.State);
        _world.Node.Restart();
        _world.Advance(seconds: 31);
        Assert.Equal(TaskState.Ready, _world.State(goal, "a"));
    }

    [Fact]
    public void A_step_that_needs_people_asks_for_them_by_itself_whoever_plans_it()
    {
        var worker = _world.Worker(executors: [Steps.Executor, TestNode.NeedsPerson]);
        var goal = _world.Submit("planner");
        Assert.True(_world.Edit(goal, Steps.Add("edited", Risky)).IsOk);
        worker.Complete("planner", Steps.Add("reported", Risky));
        var other = _world.Submit("submitted", Risky);
        Assert.Equal(["planner"], worker.Given);
        Assert.Equal(["edited", "reported", "submitted"], Asked().Order());
        Approve(other, "bob", step: "submitted");
        Assert.Equal(["planner", "submitted"], worker.Given);
    }

    [Fact]
    public void A_dead_letter_is_not_made_one_that_needs_people_without_asking_them()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a");
        worker.Fail("a");
        var id = _world.Task(goal, "a").Id;
        Assert.Equal(RefusalKind.Conflict, _world.Node.Refused(node => node.FixAsync(_world.Caller, id, TestNode.NeedsPerson, null)).Kind);
    }

    [Fact]
    public void Nobody_votes_where_nobody_is_asked()
    {
        var worker = _world.Worker();
        var plain = _world.Submit("a");
        Assert.Contains("asks for nobody's approval", Vote(plain, "bob", true, "x").Refusal!.Reason, StringComparison.Ordinal);
        worker.Complete("a");
        var goal = Ask();
        Approve(goal, "bob");
        Assert.Contains("nobody is asked any more", Approve(goal, "eve").Refusal!.Reason, StringComparison.Ordinal);
        Assert.Contains("nobody is asked any more", Deny(goal, "eve").Refusal!.Reason, StringComparison.Ordinal);
        Assert.Equal(TaskState.Running, _world.State(goal, "a"));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(11)]
    public void A_step_asks_one_to_ten_people(int votes) => Assert.Contains(
        "1 to 10 people", _world.Node.Refused(node => node.SubmitAsync(_world.Caller, World.Request() with { Plan = [Steps.Add("a", Asking(votes))] })).Reason, StringComparison.Ordinal);

    private static TaskSpec Spec(string name) => Steps.Add(name).Spec;

    private static Func<TaskSpec, TaskSpec> Asking(int votes) => spec => spec with { Extras = spec.Extras with { Approval = new Approval(votes) } };

    private static TaskSpec Risky(TaskSpec spec) => spec with { Executor = TestNode.NeedsPerson };

    private GoalId Ask(int votes = 1) => _world.Submit("a", Asking(votes));

    private void Edit(string by, GoalId goal, GraphEdit edit) =>
        Assert.True(_world.Node.Ask(node => node.EditPlanAsync(new Caller(_world.Tenant, by), goal, null, [edit], null)).IsOk);

    private string Digest(GoalId goal, string step = "a") => _world.Task(goal, step) is var task ? Approval.DigestOf(task.Id, task.Spec) : "";

    private Answer<TaskRow> Approve(GoalId goal, string by, string? reason = null, string step = "a") => Vote(goal, by, true, Digest(goal, step), reason, step);

    private Answer<TaskRow> Deny(GoalId goal, string by, string? reason = null) => Vote(goal, by, false, Digest(goal), reason);

    private Answer<TaskRow> Vote(GoalId goal, string by, bool isFor, string digest, string? reason = null, string step = "a")
    {
        var id = _world.Task(goal, step).Id;
        return _world.Node.Ask(node => node.VoteAsync(new Caller(_world.Tenant, by), id, isFor, digest, reason));
    }

    private IEnumerable<string> Asked() => _world.Node.Ask(node => node.ListApprovalsAsync(_world.Tenant, null, 10)).Value.Select(listed => listed.Task.Spec.Name);
}
