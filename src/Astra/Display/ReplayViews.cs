using Astra.Sdk;

namespace Astra.Display;

/// <summary>A replay as a person reads it.</summary>
internal static class ReplayViews
{
    public static void Write(Terminal terminal, ReplayView replay)
    {
        Tables.Write(
            terminal,
            ["Step", "How", "Then", "Now"],
            replay.Steps.Select(step => (IReadOnlyList<string>)
            [
                step.Name, step.IsRunAgain ? "run again" : "recorded", step.Original[..12], step.Problem is null && step.Replayed is { } now ? now[..12] : "not reproduced",
            ]),
            "The goal had no steps.");
        terminal.Out.WriteLine();
        Tables.WriteFacts(terminal.Out, ("original", replay.OriginalHash), ("replay", replay.ReplayHash), ("same", replay.IsSame ? "yes" : "no"));
        foreach (var problem in replay.Problems)
            terminal.Error.WriteLine(problem);
    }
}
