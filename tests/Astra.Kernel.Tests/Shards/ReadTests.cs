using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Shards;

public sealed class ReadTests
{
    private readonly World _world = World.With();

    [Fact]
    public void A_list_shows_what_was_committed_just_before()
    {
        var goal = _world.Submit("a");
        Assert.Equal([goal], List().Select(row => row.Id));
        _world.Cancel(goal);
        Assert.Equal([GoalState.Cancelled], List().Select(row => row.State));

        IReadOnlyList<GoalRow> List() => _world.Node.Ask(node => node.ListGoalsAsync(_world.Tenant, null, null, null, 10)).Value;
    }

    [Fact]
    public void A_finished_goal_is_read_from_the_rows_and_is_the_same()
    {
        _world.Worker().CompleteAll();
        var goal = _world.Submit("a", "b after a");
        var inMemory = _world.Plan(goal);
        _world.Advance(seconds: 2);
        _world.Node.Rows.IsDown = true;
        Assert.Equal(RefusalKind.Unavailable, _world.Node.Refused(node => node.GetGoalAsync(_world.Tenant, goal)).Kind);
        _world.Node.Rows.IsDown = false;
        var evicted = _world.Plan(goal);
        Assert.Equal((inMemory.Goal.LastSeq, inMemory.Goal.State, inMemory.Goal.Counts), (evicted.Goal.LastSeq, evicted.Goal.State, evicted.Goal.Counts));
        Assert.Equal(inMemory.Tasks.ToDictionary(task => task.Id, task => (task.State, task.Attempt)), evicted.Tasks.ToDictionary(task => task.Id, task => (task.State, task.Attempt)));
        Assert.Equal(TaskState.Completed, _world.Node.Ask(node => node.GetTaskAsync(_world.Tenant, evicted.Tasks[0].Id)).Value.State);
    }

    [Fact]
    public void A_dead_letter_is_redriven_after_its_goal_has_left_memory()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b after a");
        worker.Fail("a");
        _world.Advance(seconds: 2);
        Assert.True(_world.Redrive(goal, "a").IsOk);
        worker.CompleteAll();
        Assert.Equal(GoalState.Completed, _world.Goal(goal).State);
    }

    [Fact]
    public void A_goal_reopened_after_its_rows_were_written_survives_a_crash()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b after a");
        worker.Fail("a");
        _world.Advance(seconds: 2);
        _world.Node.Rows.IsDown = false;
        _world.Redrive(goal, "a");
        _world.Node.Restart();
        Assert.Equal(GoalState.Active, _world.Goal(goal).State);
        _world.Advance(seconds: 31);
        _world.Worker().CompleteAll();
        Assert.Equal(GoalState.Completed, _world.Goal(goal).State);
    }

    [Fact]
    public void The_history_of_a_goal_ascends_without_a_gap_and_is_resumed_by_number()
    {
        var goal = _world.Submit("a", "b after a");
        _world.Worker().CompleteAll();
        var all = _world.Events(goal);
        Assert.Equal(
            [EventKind.GoalSubmitted, EventKind.PlanEdited, EventKind.TaskAdded, EventKind.TaskAdded, EventKind.TaskClaimed, EventKind.TaskCompleted,
             EventKind.TaskUnblocked, EventKind.TaskClaimed, EventKind.TaskCompleted, EventKind.GoalCompleted],
            all.Select(entry => entry.Kind));
        Assert.Equal(Enumerable.Range(0, all.Count).Select(i => all[0].Seq + i), all.Select(entry => entry.Seq));

        var resumed = new List<JournalEntry>();
        for (var after = 0L; _world.Node.Ask(node => node.ReadEventsAsync(_world.Tenant, goal, after, 3)).Value is { Count: > 0 } page; after = page[^1].Seq)
            resumed.AddRange(page);
        Assert.Equal(all.Select(entry => entry.Seq), resumed.Select(entry => entry.Seq));
    }

    [Fact]
    public void A_subscriber_that_reads_the_history_after_subscribing_misses_nothing()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b after a");
        worker.Complete("a");
        using var subscription = _world.Node.Do(node => ValueTask.FromResult(node.Subscribe(_world.Tenant, goal)));
        var seen = _world.Events(goal).Select(entry => entry.Seq).ToList();
        worker.Complete("b");
        while (subscription.Entries.TryRead(out var entry))
            seen.Add(entry.Seq);
        Assert.Equal(_world.Events(goal).Select(entry => entry.Seq), seen.Distinct());
    }

    [Fact]
    public void Lists_are_paged_newest_first_and_filtered()
    {
        var goals = Enumerable.Range(0, 5).Select(_ =>
        {
            _world.Advance(seconds: 1);
            return _world.Submit("a");
        }).Reverse().ToList();
        _world.Cancel(goals[1]);
        Assert.Equal(goals.Take(2), List(null, null, 2));
        Assert.Equal(goals.Skip(2), List(null, goals[1], 10));
        Assert.Equal([goals[1]], List(GoalState.Cancelled, null, 10));

        IEnumerable<GoalId> List(GoalState? state, GoalId? after, int count) =>
            _world.Node.Ask(node => node.ListGoalsAsync(_world.Tenant, state, null, after, count)).Value.Select(row => row.Id);
    }
}
