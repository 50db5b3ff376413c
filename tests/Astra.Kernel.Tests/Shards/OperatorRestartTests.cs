using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Shards;

/// <summary>Any part of the node can be restarted while it works, and the work goes on.</summary>
public sealed class OperatorRestartTests
{
    [Theory]
    [InlineData("/journal-writer")]
    [InlineData("/projector")]
    [InlineData("/scheduler")]
    [InlineData("/shards")]
    [InlineData("/")]
    public void A_part_of_the_node_is_restarted_and_the_work_goes_on(string path)
    {
        var world = World.With();
        var worker = world.Worker(slots: 1);
        var first = world.Submit("a", "b after a");
        Assert.True(world.Node.Kernel.Actors.Restart(path, "ada").IsOk);
        world.Advance(seconds: 10);
        Assert.Equal(TaskState.Running, world.State(first, "a"));

        // Its only slot is still taken: nothing else is handed to it before it has reported.
        var second = world.Submit("c");
        Assert.Equal(TaskState.Ready, world.State(second, "c"));
        while (worker.Holds is [var held, ..])
            Assert.True(worker.Complete(held).IsOk);
        Assert.Equal(GoalState.Completed, world.Goal(first).State);
        Assert.Equal(GoalState.Completed, world.Goal(second).State);
        world.Advance(seconds: 2);
        Assert.Equal(0, world.Node.Do(node => node.SummariseAsync()).Backlog);
        Assert.Contains(world.Node.Notices, notice => notice == new KernelNotice.ActorCommanded(path, "restart", "ada"));
    }

    [Fact]
    public void A_writer_that_is_restarted_during_a_commit_tells_its_shards_that_nobody_knows()
    {
        var world = World.With();
        world.Node.Journal.Hold();
        var submitted = world.Node.Begin(node => node.SubmitAsync(world.Caller, World.Request("a")));
        Assert.False(submitted.IsAnswered);
        Assert.True(world.Node.Kernel.Actors.Restart("/journal-writer", "ada").IsOk);
        world.RunUntilQuiet();
        world.Node.Journal.Release();
        world.Advance(seconds: 10);
        Assert.Equal(RefusalKind.Unavailable, submitted.Answer.Refusal!.Kind);
        var again = world.Node.Ask(node => node.SubmitAsync(world.Caller, World.Request("a")));
        var worker = world.Worker();
        worker.Complete("a");
        Assert.Equal(GoalState.Completed, world.Goal(again.Value.Id).State);
    }

    [Fact]
    public void A_single_shard_can_be_restarted()
    {
        var world = World.With();
        var goal = world.Submit("a");
        Assert.True(world.Node.Kernel.Actors.Restart($"/shards/shard-{goal.Shard.Value}", "ada").IsOk);
        world.Advance(seconds: 10);
        var worker = world.Worker();
        worker.Complete("a");
        Assert.Equal(GoalState.Completed, world.Goal(goal).State);
    }

    [Theory]
    [InlineData("/journal-writer")]
    [InlineData("/projector")]
    [InlineData("/scheduler")]
    [InlineData("/shards")]
    [InlineData("/")]
    public void No_part_of_the_node_can_be_stopped(string path)
    {
        var world = World.With();
        Assert.Equal(RefusalKind.Conflict, world.Node.Kernel.Actors.Stop(path, "ada").Refusal!.Kind);
        var goal = world.Submit("a");
        Assert.Equal(RefusalKind.Conflict, world.Node.Kernel.Actors.Stop($"/shards/shard-{goal.Shard.Value}", "ada").Refusal!.Kind);
    }
}
