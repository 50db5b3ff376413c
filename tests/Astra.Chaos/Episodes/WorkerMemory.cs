using Astra.Chaos.Load;

namespace Astra.Chaos.Episodes;

/// <summary>Tasks that take memory until their worker has none, with everything else it has in hand.</summary>
internal sealed class WorkerMemory() : Episode("worker-memory")
{
    public override async Task RunAsync(EpisodeScene scene, CancellationToken cancellationToken)
    {
        for (var i = 0; i < 3; i++)
        {
            await scene.World.Load.SubmitAsync(Shape.Hog, cancellationToken);
            await Hold(0.3, cancellationToken);
        }
    }
}
