using Astra.Kernel.Actors;
using Astra.Testing.Time;
using Xunit;

namespace Astra.Kernel.Tests.Actors;

/// <summary>Handlers that were given up on are counted, and more of them than a process can carry end the node.</summary>
public class LostHandlerTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    [Fact]
    public void More_lost_handlers_than_the_limit_make_the_node_unfit_and_that_is_told_once()
    {
        var (node, system, events) = World(new ActorSystemOptions { LostHandlersMax = 3 });
        for (int i = 0; i < 3; i++)
            Hang(system, $"a{i}");
        node.Advance(2 * Deadline);
        Assert.Equal(3, system.LostHandlerCount);
        Assert.Empty(events.OfType<NodeFailed>());

        for (int i = 3; i < 6; i++)
            Hang(system, $"a{i}");
        node.Advance(2 * Deadline);
        Assert.Equal(6, system.LostHandlerCount);
        var failed = Assert.Single(events.OfType<NodeFailed>());
        Assert.IsType<LostHandlersException>(failed.Why);
        Assert.Contains("4 handlers", failed.Why.Message);
        Assert.Contains("the limit is 3", failed.Why.Message);
    }

    [Fact]
    public void Handlers_that_come_back_are_forgiven()
    {
        var (node, system, events) = World(new ActorSystemOptions { LostHandlersMax = 1 });
        for (int i = 0; i < 5; i++)
        {
            var gate = Hang(system, $"a{i}");
            node.Advance(2 * Deadline);
            Assert.Equal(1, system.LostHandlerCount);
            gate.SetResult();
            node.RunUntilQuiet();
            Assert.Equal(0, system.LostHandlerCount);
        }

        Assert.Empty(events.OfType<NodeFailed>());
    }

    [Fact]
    public void A_shutdown_that_abandons_whoever_is_left_is_not_a_failure_of_the_node()
    {
        var (node, system, events) = World(new ActorSystemOptions { LostHandlersMax = 0, LostThreadsMax = 0 });
        Hang(system, "a");
        node.RunUntilQuiet();
        var stop = system.StopAsync(TimeSpan.FromSeconds(1)).AsTask();
        node.Advance(Deadline);
        Assert.Equal(["/a"], stop.Result.Abandoned);
        Assert.Empty(events.OfType<NodeFailed>());
    }

    [Fact]
    public async Task Threads_that_never_come_back_have_a_limit_of_their_own()
    {
        var patience = TimeSpan.FromMinutes(2);
        using var dispatcher = new ThreadPoolDispatcher();
        using var release = new ManualResetEventSlim();
        var unfit = new TaskCompletionSource<NodeFailed>();
        var system = new ActorSystem(dispatcher, new SystemClock(), new SystemRandomness(), new ActorSystemOptions
        {
            LostThreadsMax = 1,
            Observe = happened =>
            {
                if (happened is NodeFailed failed)
                    unfit.TrySetResult(failed);
            },
        });
        try
        {
            for (int i = 0; i < 2; i++)
            {
                system.Spawn(ActorWorld.Script($"a{i}", (_, _) =>
                {
                    release.Wait();
                    return default;
                }, deadline: TimeSpan.FromMilliseconds(10))).TrySend("stick");
            }

            var failed = await unfit.Task.WaitAsync(patience);
            Assert.Contains("each with a thread inside", failed.Why.Message);
            Assert.Equal((2, 2), (system.LostHandlerCount, system.LostThreadCount));
        }
        finally
        {
            release.Set();
        }

        using var deadline = new CancellationTokenSource(patience);
        while (system.LostHandlerCount > 0 || system.LostThreadCount > 0)
        {
            deadline.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }

        await system.StopAsync(TimeSpan.FromSeconds(5));
    }

    private static (VirtualDispatcher, ActorSystem, List<LifecycleEvent>) World(ActorSystemOptions options)
    {
        var events = new List<LifecycleEvent>();
        var node = new VirtualDispatcher();
        var system = new ActorSystem(
            node, node.Clock, new SeededRandomness(1), options with { Observe = events.Add });
        return (node, system, events);
    }

    private static TaskCompletionSource Hang(ActorSystem system, string name)
    {
        var gate = new TaskCompletionSource();
        var actor = system.Spawn(ActorWorld.Script(
            name, async (_, _) => await gate.Task, deadline: Deadline));
        actor.TrySend("hang");
        return gate;
    }
}
