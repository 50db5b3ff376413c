namespace Astra.Chaos.Episodes;

/// <summary>Connections are reset again and again for some seconds: those to the database, or those to the servers.</summary>
internal sealed class ConnectionsReset() : Episode("connections-reset")
{
    public override async Task RunAsync(EpisodeScene scene, CancellationToken cancellationToken)
    {
        var links = scene.Dice.Next(2) == 0 ? scene.World.DatabaseLinks : scene.World.ServerLinks;
        var cut = 0;
        for (var i = 0; i < 8; i++)
        {
            cut += links[scene.Dice.Next(links.Count)].Reset();
            await Hold(scene.Dice.NextDouble(), cancellationToken);
        }
        scene.Notes.Add($"{cut} connections to {(links == scene.World.DatabaseLinks ? "the database" : "the servers")} reset");
    }
}

/// <summary>Everything that is said is late for some seconds, on all connections to the database or to one server.</summary>
internal sealed class ConnectionsDelayed() : Episode("connections-delayed")
{
    public override async Task RunAsync(EpisodeScene scene, CancellationToken cancellationToken)
    {
        var links = scene.Dice.Next(2) == 0 ? scene.World.DatabaseLinks : scene.World.ServerLinks;
        var delay = TimeSpan.FromMilliseconds(50 + scene.Dice.Next(450));
        foreach (var link in links)
            link.Delay = delay;
        try
        {
            await Hold(6, cancellationToken);
        }
        finally
        {
            foreach (var link in links)
                link.Delay = TimeSpan.Zero;
        }
    }
}
