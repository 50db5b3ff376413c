using Astra.Sdk;

namespace Astra.Display;

/// <summary>Dead letters, their groups and stories, and unknown effects as a person reads them.</summary>
public static class FailureViews
{
    public static void WriteGroups(Terminal terminal, IReadOnlyList<DeadGroupView> groups) => Tables.Write(
        terminal,
        ["Group", "Count", "Executor", "Cause", "First", "Last"],
        groups.Select(group => (IReadOnlyList<string>)
            [group.Id, group.Count.ToString(), string.Join(", ", group.Executors), Shortened(group.SampleReason), Words.At(group.FirstAt), Words.At(group.LastAt)]),
        "No dead letters.");

    public static void WriteRates(Terminal terminal, IReadOnlyList<DeathRateView> rates) => Tables.Write(
        terminal,
        ["Hour", "Kind", "Executor", "Given up"],
        rates.Select(rate => (IReadOnlyList<string>)[Words.At(rate.Hour), rate.Kind, rate.Executor, rate.Count.ToString()]),
        "No task was given up in these hours.");

    public static void WriteEvents(Terminal terminal, Page<FailureEventView> page)
    {
        Tables.Write(
            terminal,
            ["Seq", "At", "What", "Data"],
            page.Items.Select(happened => (IReadOnlyList<string>)[happened.Seq?.ToString() ?? "", Words.At(happened.Timestamp), happened.Type, Shortened(happened.Data.GetRawText())]),
            "Nothing was noticed.");
        if (page.Next is { } next)
            terminal.Out.WriteLine($"There are more: --after {next}");
    }

    public static void WriteStory(Terminal terminal, TaskStoryView story)
    {
        GoalViews.WriteTask(terminal, story.Task);
        terminal.Out.WriteLine();
        var happened = story.Attempts.Select(attempt => (At: attempt.StartedAt, Cells: (IReadOnlyList<string>)
            [
                $"attempt {attempt.Attempt}", Words.At(attempt.StartedAt), attempt.EndedAt is { } ended ? Words.Elapsed(ended - attempt.StartedAt) : "", attempt.Worker,
                Ending(attempt), Shortened(attempt.Failure?.Reason ?? attempt.Reason ?? ""),
            ])).Concat(story.Interventions.Select(intervention => (intervention.At, Cells: (IReadOnlyList<string>)
            ["a person", Words.At(intervention.At), "", intervention.By, intervention.Kind.Replace('_', ' '), ""])));
        Tables.Write(terminal, ["What", "Began", "Took", "Who", "Ended", "Why"], happened.OrderBy(entry => entry.At).Select(entry => entry.Cells), "The log no longer has its attempts.");
    }

    public static void WriteUnknownEffects(Terminal terminal, Page<UnknownEffectView> page)
    {
        Tables.Write(
            terminal,
            ["ID", "Step", "Goal", "Attempt", "What it did", "Since"],
            page.Items.Select(unknown => (IReadOnlyList<string>)
            [
                unknown.Task.Id.ToString(), unknown.Task.Name, unknown.GoalTitle, unknown.Task.Effect?.Attempt.ToString() ?? "",
                Shortened(unknown.Task.Effect?.What ?? ""), Words.At(unknown.Task.Effect?.At),
            ]),
            "Every effect is known.");
        if (page.Next is { } next)
            terminal.Out.WriteLine($"There are more: --cursor {next}");
    }

    private static string Ending(AttemptView attempt)
    {
        var how = attempt.Ending?.Replace('_', ' ') ?? "still runs";
        return attempt.Effect is { } effect ? $"{how}, effect {(effect == EffectState.NotSent ? "not sent" : effect.ToString().ToLowerInvariant())}" : how;
    }

    private static string Shortened(string text) => text.Length <= 200 ? text : text[..197] + "...";
}
