namespace Astra.Chaos.Episodes;

/// <summary>`kill -9` of servers under load, one to three times in quick succession; each is started again at once and takes
/// its shards back. Now and then one is killed while it starts.</summary>
internal sealed class ServerKill() : Episode("server-kill")
{
    public override async Task RunAsync(EpisodeScene scene, CancellationToken cancellationToken)
    {
        var count = 1 + scene.Dice.Next(3);
        for (var i = 0; i < count; i++)
        {
            if (scene.AnyServer().Kill())
                scene.ServerKills++;
            if (i + 1 < count)
                await Hold(0.2 + scene.Dice.NextDouble() * 2, cancellationToken);
        }
    }
}

/// <summary>A server is killed and stays away for longer than its lease: the others take its shards over, and when it is back
/// it is given a share of them again.</summary>
internal sealed class ServerAway() : Episode("server-away")
{
    public override string? ProblemIn(World world) => world.Servers.Count > 1 ? null : "there is only one server";

    public override async Task RunAsync(EpisodeScene scene, CancellationToken cancellationToken)
    {
        var server = scene.AnyServer();
        if (server.Kill(holdDown: true))
            scene.ServerKills++;
        await Hold(ShardLease.TotalSeconds + 1 + scene.Dice.NextDouble() * 2, cancellationToken);
        server.Release();
    }
}
