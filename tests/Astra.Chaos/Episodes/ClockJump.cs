namespace Astra.Chaos.Episodes;

/// <summary>The calendar of a server jumps: an hour ahead, an hour back, a day; later it is set right again.</summary>
internal sealed class ClockJump() : Episode("clock-jump")
{
    private static readonly TimeSpan[] Jumps = [TimeSpan.FromHours(1), TimeSpan.FromHours(-1), TimeSpan.FromDays(1), TimeSpan.FromSeconds(-20)];

    public override string? ProblemIn(World world) => world.ClockProblem;

    public override async Task RunAsync(EpisodeScene scene, CancellationToken cancellationToken)
    {
        var server = scene.AnyServer();
        var jump = Jumps[scene.Dice.Next(Jumps.Length)];
        scene.World.Clock!.Set(server, jump);
        scene.Notes.Add($"{server.Name} {(jump > TimeSpan.Zero ? "ahead" : "back")} by {jump.Duration()}");
        try
        {
            await Hold(4, cancellationToken);
        }
        finally
        {
            scene.World.Clock!.Set(server, TimeSpan.Zero);
        }
    }
}
