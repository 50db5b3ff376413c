using System.Text.Json;

namespace Astra.Sdk;

/// <summary>Steps and what they wait for. Names are unique within a goal: adding the same step twice is adding it once.</summary>
public sealed class Plan
{
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
}

public readonly record struct StepDependency(string Step, bool OnlyCompleted);

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
}

/// <summary>How a step ended well. To end badly, throw: <see cref="PermanentFailureException"/> is not tried again,
/// anything else is a transient failure and is.</summary>
public sealed record StepResult(JsonElement Output, Plan? More)
{
    /// <param name="output">Anything that serialises to JSON; at most 256 KiB. Larger things are artifacts.</param>
    /// <param name="more">Steps to add to the goal, in the same commit as this completion.</param>
    public static StepResult Done(object? output = null, Plan? more = null) => new(AstraJson.ToElement(output), more);
}

/// <summary>Trying again would not help.</summary>
public sealed class PermanentFailureException(string reason, Exception? inner = null) : Exception(reason, inner);
