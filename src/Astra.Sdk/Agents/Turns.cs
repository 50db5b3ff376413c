using System.Text.Json;

namespace Astra.Sdk;

/// <summary>What an agent may use while it plans, executes or reflects. Nothing else: no clock, dice or ids of its own.</summary>
public abstract class AgentTurn
{
    public required GoalInfo Goal { get; init; }

    /// <summary>1 for the first attempt at this task; a retry or a re-issued lease counts up and never repeats.</summary>
    public required int Attempt { get; init; }

    /// <summary>The time the server handed out with this attempt, moving on with the machine's monotonic clock.</summary>
    public required TimeProvider Clock { get; init; }

    /// <summary>Seeded from the task and the attempt, when it is first used.</summary>
    public Random Random
    {
        get => field ??= AttemptSources.Random(Task, Attempt);
        init;
    }

    /// <summary>The task that is executed.</summary>
    public Guid Task { get; internal init; }

    /// <summary>Ids derived from the task, the same ones in the same order on every attempt.</summary>
    public required Func<Guid> NewId { get; init; }

    public required IToolGate Tools { get; init; }

    public required IArtifactStore Artifacts { get; init; }

    /// <summary>One line for people who watch. Not durable.</summary>
    public required Action<string> Report { get; init; }

    /// <summary>Where goals for other agents are submitted; null in a turn that somebody made by hand without.</summary>
    public IChildGoals? ChildGoals { get; init; }

    /// <summary>The models of the server, paid by this goal and recorded for it, for as long as the attempt runs.</summary>
    public IModelClients Models
    {
        get => field ?? throw new InvalidOperationException("This turn has no models; give it some as Models.");
        init;
    }

    private int _submittedCount;

    /// <summary>Submits a goal for another agent, as a child of this one: it is cancelled with it unless it says otherwise.
    /// An attempt that comes later and does the same gets the same goal back. The goal runs by itself; nothing waits for it
    /// here.</summary>
    /// <param name="name">What tells this goal from the others that the step submits. Without one they are counted, so a step
    /// that may submit them in another order the next time names them.</param>
    /// <returns>The goal's id. Durable when it returns.</returns>
    /// <exception cref="GoalRefusedException">Too many at once, too many ancestors, or no such goal is possible.</exception>
    public ValueTask<Guid> SubmitGoalAsync(AgentGoal goal, string? name = null, CancellationToken cancellationToken = default) =>
        (ChildGoals ?? throw new InvalidOperationException("This turn has nowhere to submit goals to; give it ChildGoals."))
            .SubmitAsync(name ?? $"#{Interlocked.Increment(ref _submittedCount)}", goal, cancellationToken);
}

public sealed class PlanningTurn : AgentTurn;

public sealed class StepTurn : AgentTurn
{
    public required string Name { get; init; }

    /// <summary>What <see cref="ExecuteAsync"/> switches on; chosen by the plan.</summary>
    public required string Kind { get; init; }

    public required JsonElement Input { get; init; }

    /// <summary>The steps this one waited for, by name.</summary>
    public required IReadOnlyDictionary<string, StepOutput> Dependencies { get; init; }

    /// <summary>Where the step says what it does to the outside world; null in a turn that somebody made by hand without one.</summary>
    public StepEffect? Effect { get; init; }

    public T InputAs<T>() => AstraJson.Read<T>(Input);

    /// <summary>Acts on the outside world at most once as far as anybody knows: says so durably before and after, and gives
    /// back what an attempt before this one got when that one is known to have done it. A step has one effect; two effects
    /// are two steps.</summary>
    /// <param name="what">One line for the person who has to find out if the worker is lost in between.</param>
    /// <param name="act">Given the idempotency key to hand to the receiver. What it returns is kept as the effect's output.</param>
    public ValueTask<JsonElement> EffectAsync(string what, Func<string, CancellationToken, ValueTask<object?>> act, CancellationToken cancellationToken) =>
        Effect is { } effect
            ? effect.MakeAsync(what, act, cancellationToken)
            : throw new InvalidOperationException("This turn has no effect ledger; give it one as Effect.");
}

public sealed class ReflectionTurn : AgentTurn
{
    /// <summary>The last steps of the plan (those nothing else waited for), by name.</summary>
    public required IReadOnlyDictionary<string, StepOutput> Steps { get; init; }
}

public sealed record GoalInfo(Guid Id, string Agent, JsonElement Input)
{
    public T InputAs<T>() => AstraJson.Read<T>(Input);
}

public enum StepState { Completed, Dead, Cancelled }

public sealed record StepOutput(string Name, StepState State, JsonElement Output, string? Failure)
{
    public T As<T>() => AstraJson.Read<T>(Output);
}
