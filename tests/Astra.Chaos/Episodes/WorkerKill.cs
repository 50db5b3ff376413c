namespace Astra.Chaos.Episodes;

/// <summary>`kill -9` of half of the workers, with everything they have in hand.</summary>
internal sealed class WorkerKill() : Episode("worker-kill")
{
    public override async Task RunAsync(EpisodeScene scene, CancellationToken cancellationToken)
    {
        foreach (var worker in scene.World.Workers.OrderBy(_ => scene.Dice.Next()).Take((scene.World.Workers.Count + 1) / 2).ToList())
        {
            if (worker.Kill())
                scene.WorkerKills++;
            await Hold(scene.Dice.NextDouble() * 0.5, cancellationToken);
        }
        if (scene.World.Pythons.OrderBy(_ => scene.Dice.Next()).FirstOrDefault()?.Kill() == true)
            scene.WorkerKills++;
    }
}
