namespace Astra.Chaos.Episodes;

/// <summary>Not a page is left on the database's file system for some seconds; then there is space again.</summary>
internal sealed class DiskFull() : Episode("disk-full")
{
    public override string? ProblemIn(World world) => world.Disk.Problem;

    public override async Task RunAsync(EpisodeScene scene, CancellationToken cancellationToken)
    {
        var disk = scene.World.Disk;
        try
        {
            for (var i = 0; i < 12; i++)
            {
                // What the database gives back meanwhile is taken too.
                disk.Fill();
                await Hold(0.5, cancellationToken);
            }
        }
        finally
        {
            disk.Free();
        }
    }
}
