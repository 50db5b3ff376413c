using Astra.Chaos.Processes;

namespace Astra.Chaos.Episodes;

/// <summary>A running server may open not one more file or socket, for some seconds: no connection in, none to the database.
/// What it has is cut meanwhile, so that it needs new ones.</summary>
internal sealed class FilesExhausted() : Episode("files-exhausted")
{
    public override string? ProblemIn(World world) => OperatingSystem.IsLinux() ? null : "limits of a running process can be set on Linux only";

    public override async Task RunAsync(EpisodeScene scene, CancellationToken cancellationToken)
    {
        var server = scene.AnyServer();
        if (server.ProcessId is not { } id)
            return;
        var before = Signals.LimitOpenFiles(id, (ulong)Proc.OpenFiles(id));
        try
        {
            await Hold(1, cancellationToken);
            scene.World.DatabaseLinks[server.Number - 1].Reset();
            scene.World.ServerLinks[server.Number - 1].Reset();
            await Hold(5, cancellationToken);
        }
        finally
        {
            if (server.ProcessId == id)
                Signals.LimitOpenFiles(id, before);
        }
    }
}
