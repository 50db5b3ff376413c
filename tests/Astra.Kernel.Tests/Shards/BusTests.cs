using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Shards;

/// <summary>What a worker reports reaches the shard's owner, whichever node the worker is connected to.</summary>
public sealed class BusTests
{
    // Nodes of two versions refuse each other's questions; it is on no disk.
    private const byte Version = 2;

    private readonly World _world = World.With();
    private readonly TestWorker _worker;
    private readonly List<GoalId> _goals = [];
    private readonly TestNode _other;

    /// <summary>A worker with twenty tasks, of which about half have moved to another node since they were given.</summary>
    public BusTests()
    {
        _worker = _world.Worker(slots: 20);
        for (var i = 0; i < 20; i++)
            _goals.Add(_world.Submit($"t{i}"));
        _other = new TestNode(_world, "node-2");
        _other.Start();
        _world.Advance(seconds: 10);
        Assert.Equal((2, 2), (_world.Node.ShardsOwned, _other.ShardsOwned));
        Assert.NotEmpty(Moved);
    }

    /// <summary>Goals that the other node owns now, by the name of their only task.</summary>
    private Dictionary<string, GoalId> Moved => _goals.Index()
        .Where(goal => _other.Ask(node => node.GetGoalAsync(_world.Tenant, goal.Item)).IsOk).ToDictionary(goal => $"t{goal.Index}", goal => goal.Item);

    [Fact]
    public void A_worker_keeps_what_it_holds_of_a_shard_that_moves_and_completes_it_there()
    {
        Assert.Empty(_worker.Revoked);
        foreach (var (name, goal) in Moved)
        {
            Assert.Equal(TaskState.Completed, _worker.Complete(name).Value);
            Assert.Equal((GoalState.Completed, 1), (GoalThere(goal).State, CountThere(goal, EventKind.TaskClaimed)));
        }
        Assert.Equal(_worker.Holds.Count, Running);
    }

    [Fact]
    public void Edits_and_failures_travel_too()
    {
        var (first, second) = (Moved.First(), Moved.Last());
        Assert.NotEqual(first.Key, second.Key);
        Assert.True(_worker.Complete(first.Key, Steps.Add("more")).IsOk);
        Assert.Contains(_other.Ask(node => node.GetPlanAsync(_world.Tenant, first.Value)).Value.Tasks, task => task.Spec.Name == "more");
        Assert.True(_worker.Fail(second.Key, reason: "out of paper").IsOk);
        Assert.Equal("out of paper", TaskThere(second.Value).Failure!.Reason);
        Assert.Equal(_worker.Holds.Count, Running);
    }

    [Fact]
    public void A_bad_edit_is_refused_from_there_and_the_worker_keeps_the_task()
    {
        var name = Moved.First().Key;
        Assert.True(_worker.Complete(name, Steps.Add(name)).Refusal is { Kind: RefusalKind.Invalid or RefusalKind.Conflict });
        Assert.Equal(20, Running);
        Assert.True(_worker.Complete(name).IsOk);
    }

    [Fact]
    public void A_heartbeat_renews_a_lease_on_another_node_for_as_long_as_it_comes()
    {
        for (var i = 0; i < 10; i++)
        {
            _world.Advance(seconds: 15);
            Assert.Empty(_worker.Heartbeat());
        }
        Assert.Empty(_worker.Revoked);
        Assert.All(Moved.Values, goal => Assert.Equal((TaskState.Running, 1), (TaskThere(goal).State, TaskThere(goal).Attempt)));
    }

    [Fact]
    public void What_was_cancelled_there_is_lost_here_at_the_next_heartbeat_and_its_slot_is_free()
    {
        var (name, goal) = Moved.First();
        _other.Ask(node => node.CancelGoalAsync(_world.Caller, goal, "enough"));
        Assert.Equal([name], _worker.Heartbeat());
        Assert.Equal(19, Running);
    }

    [Fact]
    public void A_silent_worker_loses_its_slots_though_the_leases_ended_on_another_node()
    {
        _world.Advance(seconds: 60);
        Assert.Subset(_worker.Revoked.ToHashSet(), Moved.Keys.ToHashSet());
        // The others were given to it anew by their shards, which are here.
        Assert.Equal(20 - Moved.Count, Running);
    }

    [Fact]
    public void A_worker_that_hangs_is_given_nothing_anew_whoever_owns_the_shards()
    {
        _worker.IsHung = true;
        _world.Advance(seconds: 120);
        Assert.Equal(20, _worker.Given.Count);
    }

    [Fact]
    public void A_disconnect_here_gives_the_work_to_others_there_at_once()
    {
        var there = _other.Worker(slots: 20);
        var moved = Moved.Keys.Order().ToList();
        _worker.Disconnect();
        Assert.Equal(moved, there.Given.Order());
    }

    [Fact]
    public void A_report_waits_for_an_owner_that_comes_back()
    {
        var (name, goal) = Moved.First();
        _other.Crash();
        var pending = _world.Node.Begin(_ => _worker.Link.CompleteAsync(TestWorker.Attempt(_worker[name]), TestWorker.Output(_worker[name]), []));
        _world.Advance(seconds: 2);
        Assert.False(pending.IsAnswered);
        _other.Start();
        _world.Advance(seconds: 15);
        Assert.Equal(TaskState.Completed, pending.Answer.Value);
        Assert.Equal(1, CountThere(goal, EventKind.TaskClaimed));
    }

    [Fact]
    public void Every_kind_of_edit_arrives_as_it_was_sent()
    {
        var (name, goal) = Moved.First();
        var spec = new TaskSpec
        {
            Name = "added", Executor = "tool:x@1", Kind = "kind", Input = new byte[] { 1, 2 }, Priority = -5, AttemptCountMax = 7, LeaseDuration = TimeSpan.FromSeconds(9),
        };
        _other.Ask(node => node.EditPlanAsync(_world.Caller, goal, null, Steps.Of("waits", "urgent", "dropped"), null));
        Assert.Contains("nothing", _worker.Complete(name, new GraphEdit.Remove("nothing")).Refusal!.Reason, StringComparison.Ordinal);
        Assert.Null(_worker.Complete(name,
            new GraphEdit.Add(spec, [new NamedDependency(name, DependencyKind.Ended)]),
            new GraphEdit.Rewire("waits", [new NamedDependency("added", DependencyKind.Ended)]), new GraphEdit.Prioritise("urgent", 42),
            new GraphEdit.Cancel("dropped", "not wanted")).Refusal);

        var tasks = _other.Ask(node => node.GetPlanAsync(_world.Tenant, goal)).Value.Tasks.ToDictionary(task => task.Spec.Name);
        Assert.Equivalent(spec, tasks["added"].Spec, strict: true);
        Assert.Equal([new Dependency(tasks[name].Id, DependencyKind.Ended)], tasks["added"].After);
        Assert.Equal(42, tasks["urgent"].Spec.Priority);
        Assert.Equal([new Dependency(tasks["added"].Id, DependencyKind.Ended)], tasks["waits"].After);
        Assert.Equal((TaskState.Cancelled, "not wanted"), (tasks["dropped"].State, tasks["dropped"].Reason));
        Assert.Equal(System.Text.Encoding.UTF8.GetBytes($"{name} done"), tasks[name].Output.ToArray());
    }

    [Fact]
    public void A_question_that_another_node_asks_is_never_asked_on()
    {
        _worker.Complete(Moved.First().Key);
        var question = Assert.Single(_world.Bus.Questions);
        // Asked the wrong way round: the first node would ask the second for anything of its own.
        AssertRefused(question, _world.Node);
        Assert.Equal(2, _world.Bus.Questions.Count);
    }

    [Fact]
    public void A_damaged_question_or_one_of_another_version_is_refused_and_changes_nothing()
    {
        var (name, goal) = Moved.First();
        _other.Crash();
        var lost = _world.Node.Begin(_ => _worker.Link.CompleteAsync(TestWorker.Attempt(_worker[name]), "done"u8.ToArray(), [Steps.Add("b"), Steps.Rewire("b after c")]));
        var question = _world.Bus.Questions[0];
        _world.Node.Crash();
        Assert.False(lost.IsAnswered);
        _other.Start();

        for (var length = 0; length < question.Length; length++)
            AssertRefused(question[..length], _other);
        AssertRefused([Version + 1, .. question[1..]], _other);
        AssertRefused([Version, 99, .. question[2..]], _other);
        // Four thousand million attempts, in a question of a few bytes.
        AssertRefused([Version, 4, .. new byte[16], 0xFF, 0xFF, 0xFF, 0xFF, 0x0F], _other);
        Assert.Equal(TaskState.Running, TaskThere(goal).State);
    }

    private void AssertRefused(byte[] question, TestNode by)
    {
        var answer = by.Do(node => _world.Bus.AskAsync(node.Self, question, CancellationToken.None)).ToArray();
        Assert.Equal([Version, 3, (byte)RefusalKind.Unavailable], answer[..3]);
    }

    private int Running => _world.Node.Do(node => node.SummariseAsync()).TasksRunning;

    private GoalRow GoalThere(GoalId goal) => _other.Ask(node => node.GetGoalAsync(_world.Tenant, goal)).Value;

    private TaskRow TaskThere(GoalId goal) => _other.Ask(node => node.GetPlanAsync(_world.Tenant, goal)).Value.Tasks.Single(task => task.Spec.Name[0] == 't');

    private int CountThere(GoalId goal, EventKind kind) =>
        _other.Ask(node => node.ReadEventsAsync(_world.Tenant, goal, 0, int.MaxValue)).Value.Count(entry => entry.Kind == kind);
}
