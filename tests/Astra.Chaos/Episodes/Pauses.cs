using Astra.Chaos.Load;
using Astra.Chaos.Processes;

namespace Astra.Chaos.Episodes;

/// <summary>SIGSTOP of a server for three leases of a shard, or of all servers at once, then SIGCONT: it wakes believing that
/// nothing has happened. Meanwhile the others have taken over, and one of them may be killed.</summary>
internal sealed class ServerPause() : Episode("server-pause")
{
    public override async Task RunAsync(EpisodeScene scene, CancellationToken cancellationToken)
    {
        var world = scene.World;
        var all = world.Servers.Count > 1 && scene.Dice.Next(3) == 0;
        var paused = all ? world.Servers : [scene.AnyServer()];
        var others = world.Servers.Except(paused).ToList();
        var fenced = await FencedAsync(scene, paused, cancellationToken);
        foreach (var server in paused)
            if (server.Signal(Signals.Stop))
                scene.Pauses++;
        try
        {
            await Hold(ShardLease.TotalSeconds * 1.5, cancellationToken);
            if (others.Count > 0 && scene.Dice.Next(2) == 0 && others[scene.Dice.Next(others.Count)].Kill())
                scene.ServerKills++;
            await Hold(ShardLease.TotalSeconds * 1.5, cancellationToken);
        }
        finally
        {
            foreach (var server in paused)
                server.Signal(Signals.Continue);
        }
        scene.Over();
        await Hold(2, cancellationToken);
        scene.FencedCommits += Math.Max(0, await FencedAsync(scene, paused, cancellationToken) - fenced);
    }

    private static async Task<double> FencedAsync(EpisodeScene scene, IEnumerable<ServerProcess> servers, CancellationToken cancellationToken)
    {
        var sum = 0d;
        foreach (var server in servers)
            sum += await scene.World.ReadMetricAsync(server, "astra_commits_total{outcome=\"fenced\"}", cancellationToken) ?? 0;
        return sum;
    }
}

/// <summary>SIGSTOP of some workers for three leases of their tasks, then SIGCONT: they report what others have done meanwhile.</summary>
internal sealed class WorkerPause() : Episode("worker-pause")
{
    public override async Task RunAsync(EpisodeScene scene, CancellationToken cancellationToken)
    {
        List<Kept> paused = [.. scene.World.Workers.OrderBy(_ => scene.Dice.Next()).Take(Math.Max(1, scene.World.Workers.Count / 2))];
        foreach (var worker in paused)
            if (worker.Signal(Signals.Stop))
                scene.Pauses++;
        try
        {
            await Hold(PlannedStep.LeaseSeconds * 3, cancellationToken);
        }
        finally
        {
            foreach (var worker in paused)
                worker.Signal(Signals.Continue);
        }
    }
}
