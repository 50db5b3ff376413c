using Astra.Sdk;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Astra.Display;

/// <summary>Shows a goal while it is followed.</summary>
public interface IGoalDisplay
{
    /// <summary>Runs <paramref name="follow"/>, which calls back after every change and a few times a second besides.</summary>
    Task ShowAsync(GoalProgress progress, Func<Action, Task> follow);

    static IGoalDisplay For(Terminal terminal, TimeProvider clock, bool outIsForTheResult) =>
        terminal.IsLive && !outIsForTheResult
            ? new LiveGoalDisplay(terminal, clock)
            : new PlainGoalDisplay(outIsForTheResult ? terminal.Error : terminal.Out, clock);
}

/// <summary>Lines for a log file or a pipe: each step of a small goal, counts and dead steps of a large one.</summary>
public sealed class PlainGoalDisplay(TextWriter output, TimeProvider clock) : IGoalDisplay
{
    // Up to here every step gets a line when it ends; a goal of ten thousand would bury what matters.
    public const int StepLinesMax = 40;

    // Often enough to see that it moves, seldom enough to read the log afterwards.
    private static readonly TimeSpan CountsPeriod = TimeSpan.FromSeconds(5);

    private readonly HashSet<Guid> _told = [];
    private DateTimeOffset _countsAt;
    private TaskCounts? _countsTold;

    public async Task ShowAsync(GoalProgress progress, Func<Action, Task> follow)
    {
        // What had ended before we looked is history; `Resuming` has said so in one number.
        foreach (var step in progress.Steps.Where(step => step.IsFinal))
            _told.Add(step.Id);
        _countsAt = progress.FollowedSince;
        await follow(() => Print(progress));
        Print(progress);
        PrintCounts(progress, clock.GetUtcNow());
    }

    private void Print(GoalProgress progress)
    {
        foreach (var step in progress.Steps)
        {
            if (!step.IsFinal)
                _told.Remove(step.Id);
            else if (_told.Add(step.Id) && (step.State is TaskState.Dead || progress.Steps.Count <= StepLinesMax))
                output.WriteLine($"  {Words.Of(step.State),-9} {Tables.Printable(step.Name)}{(step.Reason is null ? "" : ": " + Tables.Printable(step.Reason))}");
        }

        var now = clock.GetUtcNow();
        if (now - _countsAt >= CountsPeriod)
            PrintCounts(progress, now);
    }

    private void PrintCounts(GoalProgress progress, DateTimeOffset now)
    {
        _countsAt = now;
        if (progress.Counts == _countsTold)
            return;
        _countsTold = progress.Counts;
        output.WriteLine($"  {Words.Elapsed(now - progress.FollowedSince)}: {Words.Of(progress.Counts)}");
    }
}

/// <summary>A tree that redraws itself: one branch per kind of step, under it what runs now and what died.</summary>
public sealed class LiveGoalDisplay(Terminal terminal, TimeProvider clock) : IGoalDisplay
{
    // As many as a person takes in at a glance; the tree must also fit a small window or it cannot redraw itself.
    private const int GroupsShown = 8;
    private const int RunningShown = 4;
    private const int DeadShown = 3;

    public async Task ShowAsync(GoalProgress progress, Func<Action, Task> follow) =>
        await Tables.ConsoleFor(terminal).Live(Render(progress)).StartAsync(async live =>
        {
            await follow(() => live.UpdateTarget(Render(progress)));
            live.UpdateTarget(Render(progress));
        });

    private Tree Render(GoalProgress progress)
    {
        var now = clock.GetUtcNow();
        var tree = new Tree(new Markup(
            $"[bold]{Escaped(progress.Goal.Title)}[/]  {Words.Of(progress.Counts)}  [grey]{Words.Elapsed(now - progress.FollowedSince)}[/]"));
        var groups = progress.Groups().ToList();
        // The newest branches are where things happen.
        foreach (var hidden in groups.Count > GroupsShown ? [groups.Count - GroupsShown] : Array.Empty<int>())
            tree.AddNode(new Markup($"[grey]{hidden} earlier branches[/]"));
        foreach (var group in groups.TakeLast(GroupsShown))
            AddBranch(tree, group, now);
        return tree;
    }

    private static void AddBranch(Tree tree, IGrouping<string, StepProgress> group, DateTimeOffset now)
    {
        var steps = group.ToList();
        if (steps is [var only])
        {
            tree.AddNode(Line(only, now));
            return;
        }

        var done = steps.Count(step => step.IsFinal);
        var branch = tree.AddNode(new Markup($"{Mark(StateOf(steps))} {Escaped(group.Key)}  [grey]{done}/{steps.Count}[/]"));
        foreach (var step in steps.Where(step => step.State is TaskState.Running).Take(RunningShown))
            branch.AddNode(Line(step, now));
        foreach (var step in steps.Where(step => step.State is TaskState.Dead).TakeLast(DeadShown))
            branch.AddNode(Line(step, now));
    }

    private static IRenderable Line(StepProgress step, DateTimeOffset now)
    {
        var line = $"{Mark(step.State)} {Escaped(step.Name)}";
        if (step.State is TaskState.Running && step.StartedAt is { } started)
            line += $"  [grey]{Words.Elapsed(now - started)}[/]";
        if (step.Reason is { } reason)
            line += $"  [grey]{Escaped(reason)}[/]";
        return new Markup(line) { Overflow = Overflow.Ellipsis };
    }

    private static TaskState StateOf(List<StepProgress> steps) =>
        steps.Exists(step => step.State is TaskState.Running) ? TaskState.Running
        : steps.Exists(step => !step.IsFinal) ? TaskState.Pending
        : steps.Exists(step => step.State is TaskState.Dead) ? TaskState.Dead
        : steps.TrueForAll(step => step.State is TaskState.Cancelled) ? TaskState.Cancelled
        : TaskState.Completed;

    private static string Mark(TaskState state) => state switch
    {
        TaskState.Completed => "[green]✓[/]",
        TaskState.Running => "[blue]▶[/]",
        TaskState.Dead => "[red]✗[/]",
        TaskState.Cancelled => "[grey]–[/]",
        _ => "[grey]·[/]",
    };

    private static string Escaped(string text) => Markup.Escape(Tables.Printable(text));
}
