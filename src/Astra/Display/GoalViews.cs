using Astra.Sdk;

namespace Astra.Display;

/// <summary>Goals, tasks, dead letters and events as a person reads them.</summary>
public static class GoalViews
{
    // A goal of ten thousand steps is not read step by step; `--json` has them all.
    private const int StepsShown = 40;

    public static void WriteGoals(Terminal terminal, Page<GoalView> page)
    {
        Tables.Write(
            terminal,
            ["ID", "State", "Goal", "Agent", "Tasks", "Began"],
            page.Items.Select(goal => (IReadOnlyList<string>)
                [goal.Id.ToString(), Words.Of(goal.State), goal.Title, goal.Agent ?? "", Words.Of(goal.Tasks), Words.At(goal.CreatedAt)]),
            "No goals.");
        WriteMore(terminal, page.Next);
    }

    public static void WriteGoal(Terminal terminal, GoalView goal)
    {
        Tables.WriteFacts(
            terminal.Out,
            ("Goal", goal.Id.ToString()),
            ("Title", goal.Title),
            ("State", Words.Of(goal.State)),
            ("Reason", goal.Reason),
            ("Agent", goal.Agent),
            ("After", goal.After is { } after ? string.Join(", ", after.Select(AfterOf)) : null),
            ("Parent", goal.Parent?.ToString()),
            ("Priority", goal.Priority == 0 ? null : goal.Priority.ToString()),
            ("Tasks", Words.Of(goal.Tasks)),
            ("Plan", $"revision {goal.Revision}"),
            ("Began", Words.At(goal.CreatedAt)),
            ("Ended", Words.At(goal.EndedAt)));
        if (goal.Result is { ValueKind: not System.Text.Json.JsonValueKind.Null } result)
            terminal.Out.WriteLine($"Result  {Shortened(result.GetRawText())}");
    }

    public static void WriteChildren(Terminal terminal, Page<GoalView> children)
    {
        if (children.Items.Count == 0)
            return;
        terminal.Out.WriteLine();
        Tables.Write(
            terminal,
            ["Child", "State", "Goal", "Agent"],
            children.Items.Select(child => (IReadOnlyList<string>)[child.Id.ToString(), Words.Of(child.State), child.Title, child.Agent ?? ""]),
            "No children.");
    }

    private static string AfterOf(GoalAfterView other) =>
        $"{other.Goal} ({(other.Ended is { } ended ? Words.Of(ended) : other.When is GoalCondition.Ended ? "until it ends" : "until it completes")})";

    public static void WritePlan(Terminal terminal, PlanView plan)
    {
        // What needs a person first, then what moves, then what waits; what is done says the least.
        var shown = plan.Tasks.OrderBy(task => Attention(task.State)).Take(StepsShown).ToList();
        Tables.Write(
            terminal,
            ["ID", "State", "Step", "After", "Attempt", "Failure"],
            shown.Select(task => (IReadOnlyList<string>)
            [
                task.Id.ToString(), Words.Of(task.State), task.Name, Shortened(string.Join(", ", task.After.Select(after => after.Step))),
                $"{task.Attempt}/{task.AttemptCountMax}", Shortened(task.Failure?.Reason ?? ""),
            ]),
            "The plan has no steps yet.");
        if (plan.Tasks.Count > shown.Count)
            terminal.Out.WriteLine($"... and {plan.Tasks.Count - shown.Count} more; --json prints all of them.");
    }

    public static void WriteTask(Terminal terminal, TaskView task)
    {
        Tables.WriteFacts(
            terminal.Out,
            ("Task", task.Id.ToString()),
            ("Goal", task.GoalId.ToString()),
            ("Step", task.Name),
            ("State", Words.Of(task.State)),
            ("Executor", task.Executor),
            ("Kind", task.Kind),
            ("After", string.Join(", ", task.After.Select(after => after.Step))),
            ("Attempt", $"{task.Attempt} of {task.AttemptCountMax}"),
            ("Worker", task.Worker),
            ("Due", Words.At(task.DueAt)),
            ("Created", Words.At(task.CreatedAt)),
            ("Started", Words.At(task.StartedAt)),
            ("Ended", Words.At(task.EndedAt)),
            ("Reason", task.Reason),
            ("Failure", task.Failure is { } failure ? $"{failure.Kind.ToString().ToLowerInvariant()}: {failure.Reason}" : null),
            ("Input", task.Input is { } input ? Shortened(input.GetRawText()) : null),
            ("Output", task.Output is { } output ? Shortened(output.GetRawText()) : null));
    }

    public static void WriteDeadLetters(Terminal terminal, Page<DeadLetterView> page)
    {
        Tables.Write(
            terminal,
            ["ID", "Step", "Goal", "Attempts", "Cause", "Died"],
            page.Items.Select(dead => (IReadOnlyList<string>)
            [
                dead.Task.Id.ToString(), dead.Task.Name, dead.GoalTitle, dead.Task.Attempt.ToString(),
                Shortened(dead.Task.Failure?.Reason ?? dead.Fingerprint), Words.At(dead.Task.EndedAt),
            ]),
            "No dead letters.");
        WriteMore(terminal, page.Next);
    }

    public static void WriteEvent(TextWriter output, EventView happened)
    {
        var line = $"{happened.Seq,8}  {happened.At.ToLocalTime():HH:mm:ss.fff}  {happened.Kind}";
        if (happened.Task is { } task)
            line += $"  {task}";
        if (happened.To is { } to)
            line += happened.From is { } from ? $"  {Words.Of(from)} -> {Words.Of(to)}" : $"  {Words.Of(to)}";
        if (happened.Attempt is > 1)
            line += $"  attempt {happened.Attempt}";
        if (happened.Text is { } text)
            line += $"  {text}";
        output.WriteLine(Tables.Printable(line));
    }

    public static void WriteWhy(TextWriter output, WhyView why)
    {
        output.WriteLine(Tables.Printable(why.Sentence));
        foreach (var (name, value) in why.Evidence)
            output.WriteLine($"  {Tables.Printable(name)}: {Tables.Printable(value)}");
    }

    private static void WriteMore(Terminal terminal, string? next)
    {
        if (next is not null)
            terminal.Out.WriteLine($"There are more: --cursor {next}");
    }

    private static int Attention(TaskState state) => state switch
    {
        TaskState.Dead => 0,
        TaskState.Running => 1,
        TaskState.Ready => 2,
        TaskState.Pending => 3,
        TaskState.Completed => 4,
        _ => 5,
    };

    private static string Shortened(string text) => text.Length <= 200 ? text : text[..197] + "...";
}
