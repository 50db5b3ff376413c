using System.Text.Json;

namespace Astra.Sdk;

/// <summary>Steps and what they wait for. Names are unique within a goal: adding the same step twice is adding it once.</summary>
public sealed class Plan
{
    /// <summary>Stands for the agent whose plan this is, which is known when the plan is handed in.</summary>
    internal const string AgentExecutor = "agent:";

    private readonly List<PlannedStep> _steps = [];

    public IReadOnlyList<PlannedStep> Steps => _steps;

    public static Plan Empty => new();

    /// <summary>A step that the goal's agent executes.</summary>
    /// <param name="name">Unique within the goal, at most 200 characters.</param>
    /// <param name="kind">What <see cref="Agent.ExecuteAsync"/> sees in <see cref="StepTurn.Kind"/>.</param>
    /// <param name="input">Anything that serialises to JSON; at most 256 KiB.</param>
    /// <param name="after">Steps that must end first.</param>
    /// <param name="options">Retries, lease, priority.</param>
    public PlannedStep Step(string name, string kind, object? input = null, IEnumerable<StepDependency>? after = null, StepOptions? options = null) =>
        Add(new PlannedStep(name, Kind: kind, Tool: null, AstraJson.ToElement(input), [.. after ?? []], options ?? new()));

    /// <summary>A step that is one call of a tool, run by the server in a sandbox.</summary>
    public PlannedStep Tool(string name, string tool, object? input = null, IEnumerable<StepDependency>? after = null, StepOptions? options = null) =>
        Add(new PlannedStep(name, Kind: null, Tool: tool, AstraJson.ToElement(input), [.. after ?? []], options ?? new()));

    /// <summary>When <paramref name="over"/> completes, each item of the list in its output becomes a step like
    /// <paramref name="step"/>, in the same commit; see <see cref="Sdk.FanOut"/>.</summary>
    /// <param name="path">Where in the output the list is; null for the output itself.</param>
    /// <param name="join">A step of this plan that waits for all of the parts.</param>
    public void FanOut(PlannedStep over, PlannedStep step, string? path = null, PlannedStep? join = null)
    {
        var index = _steps.FindIndex(known => ReferenceEquals(known, over) || known.Name == over.Name);
        if (index < 0)
            throw new ArgumentException($"Step '{over.Name}' is not in this plan.", nameof(over));
        _steps.RemoveAll(known => ReferenceEquals(known, step));
        index = _steps.FindIndex(known => known.Name == over.Name);
        _steps[index] = _steps[index] with { FanOuts = [.. _steps[index].FanOuts, new FanOut { Path = path, Step = new AddStep
        {
            Name = step.Name, Executor = step.Tool is { } tool ? $"tool:{tool}" : AgentExecutor, Kind = step.Kind ?? "",
            Input = step.Input.ValueKind == JsonValueKind.Null ? null : step.Input, After = step.After,
            Priority = step.Options.Priority, AttemptCountMax = step.Options.AttemptCountMax, LeaseSeconds = step.Options.Lease.TotalSeconds,
            Retry = step.Options.Retry, WorkersLostMax = step.Options.WorkersLostMax, EffectKeys = step.Options.EffectKeys,
            NotBefore = step.Options.NotBefore, Deadline = step.Options.Deadline, Queue = step.Options.Queue, Requires = step.Options.Requires,
            Approvals = step.Options.Approvals,
        }, Join = join?.Name }] };
    }

    private PlannedStep Add(PlannedStep step)
    {
        _steps.Add(step);
        return step;
    }
}

public sealed record PlannedStep(
    string Name, string? Kind, string? Tool, JsonElement Input, IReadOnlyList<StepDependency> After, StepOptions Options)
{
    /// <summary>Waits until this step has completed; never runs if it dies.</summary>
    public StepDependency Completed => new(Name, OnlyCompleted: true);

    /// <summary>Waits until this step has ended, whichever way.</summary>
    public StepDependency Ended => new(Name, OnlyCompleted: false);

    /// <summary>Waits until this step has completed or was skipped: where ways that were not taken meet the one that was.</summary>
    public StepDependency Passed => new(Name, OnlyCompleted: false, StepDependency.PassedWord);

    /// <summary>What its output becomes when it completes; see <see cref="Plan.FanOut"/>.</summary>
    public IReadOnlyList<FanOut> FanOuts { get; init; } = [];

    /// <summary>Waits until this step has completed with this outcome; skipped, which is no failure, if it says another.</summary>
    public StepDependency When(string outcome) => StepDependency.IsOutcome(outcome)
        ? new(Name, OnlyCompleted: true, outcome)
        : throw new ArgumentException($"'{outcome}' cannot be an outcome: it means something of its own.", nameof(outcome));
}

/// <param name="OnlyCompleted">Until it has completed; otherwise until it has ended, whichever way.</param>
/// <param name="When">Says it in a word instead: `completed`, `ended`, `passed` (completed or skipped), or the outcome it has
/// to complete with.</param>
public readonly record struct StepDependency(string Step, bool OnlyCompleted, string? When = null)
{
    public const string CompletedWord = "completed";
    public const string EndedWord = "ended";
    public const string PassedWord = "passed";

    /// <summary>Whether a step may say this of itself: the words for ways to end are taken.</summary>
    public static bool IsOutcome(string word) => word.Length > 0 && word is not (CompletedWord or EndedWord or PassedWord);
}

public sealed record StepOptions
{
    /// <summary>Higher runs earlier among the same agent's ready steps; -100 to 100.</summary>
    public int Priority { get; init; }

    /// <summary>How often a transient failure is tried in all; 1 to 100.</summary>
    public int AttemptCountMax { get; init; } = 3;

    /// <summary>How long a silent worker keeps the step; renewed by heartbeats.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long to wait between attempts; the server's own policy by default.</summary>
    public RetryDelays? Retry { get; init; }

    /// <summary>How many workers it may take down before it is given up as poison.</summary>
    public int? WorkersLostMax { get; init; }

    /// <summary>Whether all attempts name their effect on the outside world by the same key, the default, or each by its own.</summary>
    public EffectKeys? EffectKeys { get; init; }

    /// <summary>It is not handed out before this.</summary>
    public DateTimeOffset? NotBefore { get; init; }

    /// <summary>What has not ended by then becomes a dead letter.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>The tenant's queue it stands in, for the limits set on that.</summary>
    public string? Queue { get; init; }

    /// <summary>Capabilities a worker must have, such as `gpu` or `os:linux`.</summary>
    public IReadOnlyList<string>? Requires { get; init; }

    /// <summary>How many people have to agree before it is handed out, 1 to 10; nobody by default.</summary>
    public int? Approvals { get; init; }
}

/// <summary>How a step ended well. To end badly, throw: <see cref="PermanentFailureException"/> is not tried again,
/// anything else is a transient failure and is.</summary>
public sealed record StepResult(JsonElement Output, Plan? More)
{
    /// <summary>A word about itself, for steps that ask for it with <see cref="PlannedStep.When"/>.</summary>
    public string? Outcome { get; init; }

    /// <summary>What has to be done first; null for a step that is done.</summary>
    public IReadOnlyList<StepDependency>? WaitFor { get; init; }

    /// <param name="output">Anything that serialises to JSON; at most 256 KiB. Larger things are artifacts.</param>
    /// <param name="more">Steps to add to the goal, in the same commit as this completion.</param>
    /// <param name="outcome">A word about itself: which way the plan goes on from here.</param>
    public static StepResult Done(object? output = null, Plan? more = null, string? outcome = null) => outcome is null || StepDependency.IsOutcome(outcome)
        ? new(AstraJson.ToElement(output), more) { Outcome = outcome }
        : throw new ArgumentException($"'{outcome}' cannot be an outcome: it means something of its own.", nameof(outcome));

    /// <summary>Something has to be done first: this step waits for these, which <paramref name="more"/> may add, and is then
    /// executed anew, as another attempt that finds their outputs among its dependencies.</summary>
    public static StepResult Suspend(IReadOnlyList<StepDependency> waitFor, Plan? more = null) => waitFor.Count > 0
        ? new(AstraJson.ToElement(null), more) { WaitFor = waitFor }
        : throw new ArgumentException("A step is suspended behind at least one other.", nameof(waitFor));
}

/// <summary>Trying again would not help.</summary>
public sealed class PermanentFailureException(string reason, Exception? inner = null) : Exception(reason, inner);
