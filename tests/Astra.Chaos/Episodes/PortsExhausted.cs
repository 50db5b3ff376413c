using Astra.Chaos.Processes;

namespace Astra.Chaos.Episodes;

/// <summary>No connection can be begun by anybody for some seconds: there is no port left to begin it from. What there is is cut
/// meanwhile, between everybody, so that all need new ones at once.</summary>
internal sealed class PortsExhausted() : Episode("ports-exhausted")
{
    public override string? ProblemIn(World world) => Network.Problem;

    public override async Task RunAsync(EpisodeScene scene, CancellationToken cancellationToken)
    {
        using (Network.ExhaustPorts())
        {
            await Hold(1, cancellationToken);
            var cut = scene.World.DatabaseLinks.Concat(scene.World.ServerLinks).Sum(link => link.Reset());
            scene.Notes.Add($"{cut} connections reset while no port was left");
            await Hold(5, cancellationToken);
        }
    }
}
