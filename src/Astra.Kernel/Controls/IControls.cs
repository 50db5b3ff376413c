namespace Astra.Kernel.Controls;

/// <summary>
/// What people have told the scheduler, kept for good: limits, weights and paused agents of every tenant. Every change
/// raises the version, by which a node sees that it has to read them again.
/// </summary>
public interface IControls
{
    ValueTask<long> ReadVersionAsync(CancellationToken cancellationToken);

    /// <summary>Those of every tenant that has any, as of one version.</summary>
    ValueTask<ControlSet> LoadAsync(CancellationToken cancellationToken);

    /// <summary>Those of one tenant, sorted by what they are about.</summary>
    ValueTask<TenantControls> ReadAsync(TenantId tenant, CancellationToken cancellationToken);

    /// <summary>False when there was nothing to change: what should go is not there.</summary>
    ValueTask<bool> ApplyAsync(TenantId tenant, ControlChange change, CancellationToken cancellationToken);
}

/// <summary>What a limit is about. On disk; see FrozenNumbersTests.</summary>
public enum LimitScope : byte
{
    Tenant = 1,
    Agent = 2,
    Tool = 3,
    Queue = 4,
}

/// <param name="Name">Of the agent, tool or queue; empty for the tenant.</param>
/// <param name="Concurrency">How many tasks run at once; 0 lets none run.</param>
/// <param name="PerSecond">How many tasks start in a second.</param>
public sealed record Limit(LimitScope Scope, string Name, int? Concurrency, int? PerSecond, int? PerMinute);

/// <param name="Agent">Empty for the tenant itself.</param>
/// <param name="Value">Twice the weight is twice the slot time, where there is not enough for all; 100 is what everyone has.</param>
public sealed record Weight(string Agent, int Value)
{
    public const int Default = 100;
    public const int Min = 1;
    public const int Max = 10_000;
}

public sealed record PausedAgent(string Agent, string By, string? Reason, DateTimeOffset At);

public sealed record TenantControls(
    TenantId Tenant, IReadOnlyList<Limit> Limits, IReadOnlyList<Weight> Weights, IReadOnlyList<PausedAgent> PausedAgents)
{
    public static TenantControls None(TenantId tenant) => new(tenant, [], [], []);
}

public sealed record ControlSet(long Version, IReadOnlyList<TenantControls> Tenants)
{
    public static ControlSet Empty { get; } = new(0, []);
}

/// <summary>One change of a tenant's controls.</summary>
public abstract record ControlChange
{
    public sealed record SetLimit(Limit Limit) : ControlChange;

    public sealed record RemoveLimit(LimitScope Scope, string Name) : ControlChange;

    /// <summary>The default weight takes the row away.</summary>
    public sealed record SetWeight(Weight Weight) : ControlChange;

    public sealed record PauseAgent(PausedAgent Pause) : ControlChange;

    public sealed record ResumeAgent(string Agent) : ControlChange;

    /// <summary>Why it cannot be made, or null.</summary>
    internal Refusal? Check() => this switch
    {
        SetLimit { Limit: var limit } => Check(limit),
        SetWeight { Weight.Value: < Weight.Min or > Weight.Max } => Invalid($"A weight is a number from {Weight.Min} to {Weight.Max}; {Weight.Default} is what everyone has."),
        PauseAgent { Pause.Agent: "" } or ResumeAgent { Agent: "" } => Invalid("Say which agent."),
        _ => null,
    };

    private static Refusal? Check(Limit limit)
    {
        if (!Enum.IsDefined(limit.Scope))
            return Invalid("A limit is about a tenant, an agent, a tool or a queue.");
        if (limit.Scope == LimitScope.Tenant != (limit.Name.Length == 0))
            return Invalid(limit.Scope == LimitScope.Tenant ? "The limit of a tenant has no name beside it." : $"Say which {limit.Scope.ToString().ToLowerInvariant()} the limit is for.");
        if (limit.Name.Length > Tasks.SpecCheck.QueueLengthMax || !PlainText.IsText(limit.Name))
            return Invalid($"A name has 1 to {Tasks.SpecCheck.QueueLengthMax} plain characters.");
        if (limit is { Concurrency: null, PerSecond: null, PerMinute: null })
            return Invalid("A limit says how many tasks run at once, start in a second, or start in a minute.");
        if (limit.Concurrency is < 0 || limit.PerSecond is < 1 || limit.PerMinute is < 1)
            return Invalid("A limit at once is 0 or more, and one per second or minute 1 or more.");
        return null;
    }

    private static Refusal Invalid(string reason) => new(RefusalKind.Invalid, reason);
}
