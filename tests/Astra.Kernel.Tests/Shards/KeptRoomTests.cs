using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Shards;

/// <summary>Memory follows what there is, and not what there once was.</summary>
public sealed class KeptRoomTests
{
    // In elements of arrays. A task that is kept takes a dozen, one that has left may take none.
    private const int SlackMax = 2_000;

    private readonly World _world = World.With();

    [Fact]
    public void Goals_that_have_ended_leave_no_room_behind()
    {
        _world.Worker(slots: 8).CompleteAll();
        var before = RoomWhenQuiet();
        var steps = Enumerable.Range(0, 400).Select(number => $"s{number}").ToArray();
        var goals = Enumerable.Range(0, 20).Select(_ => _world.Submit(steps)).ToList();
        Assert.All(goals, goal => Assert.Equal(GoalState.Completed, _world.Goal(goal).State));
        AssertNoMoreThan(before);
    }

    [Fact]
    public void Deadlines_of_what_has_ended_leave_no_room_behind()
    {
        _world.Worker(slots: 8).CompleteAll();
        var before = RoomWhenQuiet();
        for (var i = 0; i < 2_000; i++)
            _world.Submit("a", spec => spec with { Extras = spec.Extras with { Deadline = _world.Now.AddYears(1) } });
        AssertNoMoreThan(before);
    }

    [Fact]
    public void What_was_cancelled_leaves_no_room_behind_a_task_that_nobody_can_run()
    {
        _world.Worker(slots: 8).CompleteAll();
        var before = RoomWhenQuiet();
        var first = _world.Submit("first", NobodyRuns);
        for (var i = 0; i < 2_000; i++)
            _world.Cancel(_world.Submit("behind", NobodyRuns));
        AssertNoMoreThan(before);
        Assert.Equal(TaskState.Ready, _world.State(first, "first"));

        static TaskSpec NobodyRuns(TaskSpec spec) => spec with { Executor = "agent:nobody" };
    }

    [Fact]
    public void What_was_cancelled_before_it_was_due_leaves_no_room_behind()
    {
        _world.Worker(slots: 8).CompleteAll();
        var before = RoomWhenQuiet();
        for (var i = 0; i < 2_000; i++)
            _world.Cancel(_world.Submit("later", spec => spec with { Extras = spec.Extras with { NotBefore = _world.Now.AddYears(1) } }));
        AssertNoMoreThan(before);
    }

    [Fact]
    public void Executors_that_nobody_uses_any_more_are_forgotten()
    {
        var before = RoomWhenQuiet();
        for (var i = 0; i < 8_000; i++)
        {
            var executor = $"agent:once-{i}";
            var worker = _world.Worker(slots: 1, executors: executor).CompleteAll();
            _world.Submit("a", spec => spec with { Executor = executor });
            worker.Disconnect();
        }
        // A thousand names may stay, in a table that has room for twice as many.
        AssertNoMoreThan(before + 2_000);
    }

    private void AssertNoMoreThan(long before) => Assert.InRange(RoomWhenQuiet() - before, long.MinValue, SlackMax);

    private long RoomWhenQuiet()
    {
        // What has left is remembered for a minute, and forgotten within the next.
        _world.Advance(seconds: 130);
        return HeldRoom.Of(_world.Node.Kernel);
    }
}
