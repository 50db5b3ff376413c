namespace Astra.Chaos.Episodes;

/// <summary>`kill -9` of PostgreSQL's first process under load. Its children notice, and the database recovers from its log.</summary>
internal sealed class PostgresKill() : Episode("postgres-kill")
{
    public override Task RunAsync(EpisodeScene scene, CancellationToken cancellationToken)
    {
        if (scene.World.Postgres.Kill())
            scene.PostgresKills++;
        return Task.CompletedTask;
    }
}

/// <summary>PostgreSQL is stopped immediately, without a checkpoint, stays away for some seconds, and is started again.</summary>
internal sealed class PostgresStop() : Episode("postgres-stop")
{
    public override async Task RunAsync(EpisodeScene scene, CancellationToken cancellationToken)
    {
        if (scene.World.Postgres.StopImmediate(holdDown: true))
            scene.PostgresKills++;
        await Hold(1 + scene.Dice.NextDouble() * 4, cancellationToken);
        scene.World.Postgres.Release();
    }
}
