using Astra.Kernel.Actors;
using Astra.Kernel.Metrics;

namespace Astra.Kernel;

/// <summary>How the actors at the top of a node stand to each other.</summary>
internal static class NodeActors
{
    /// <summary>
    /// Spawned in this order: the journal writer, the projector, the scheduler, the shards. Each knows things that those
    /// after it have told it and will not tell again, so that when one is replaced, those after it begin anew too: the
    /// shards are read from the database under new epochs, offer what is ready, and announce what is not projected.
    /// </summary>
    public static ActorSystemOptions Options(KernelMetrics metrics, Action<NodeFailed> giveUp) => new()
    {
        TopLevel = new SupervisionPolicy(RestartStrategy.RestForOne),
        Observe = happened => Observe(happened, metrics, giveUp),
    };

    private static void Observe(LifecycleEvent happened, KernelMetrics metrics, Action<NodeFailed> giveUp)
    {
        switch (happened)
        {
            case ActorStarted { Incarnation: > 1 }:
                metrics.ActorRestarted();
                break;
            case ActorFailed:
                metrics.ActorFailed();
                break;
            case NodeFailed failed:
                giveUp(failed);
                break;
        }
    }
}
