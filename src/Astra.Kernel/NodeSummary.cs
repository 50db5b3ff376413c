namespace Astra.Kernel;

/// <param name="Backlog">Committed entries that the rows do not show yet.</param>
public sealed record NodeSummary(
    NodeRegistration Self, int ShardsOwned, int GoalsActive, int TasksReady, int TasksRunning, long Backlog,
    IReadOnlyList<WorkerSummary> Workers, IReadOnlyList<NodeStanding> Nodes)
{
    /// <summary>Tasks that edits have looked at to keep graphs free of cycles, since the node started.</summary>
    public long GraphVisits { get; init; }

    public int TenantsWaiting { get; init; }
    public TimeSpan LongestTask { get; init; }

    /// <summary>What a tenant with nothing running waits for its first slot at most; null without a slot.</summary>
    public TimeSpan? WaitAtMost { get; init; }

    public bool IsDraining { get; init; }
}

public sealed record WorkerSummary(WorkerId Id, string Name, TenantId? Tenant, IReadOnlyCollection<string> Executors, int Slots, int SlotsTaken)
{
    public IReadOnlyCollection<string> Capabilities { get; init; } = [];
    public bool IsDraining { get; init; }

    /// <summary>On the node's monotonic clock: a lease of it ended then, and it has not been heard since. Null while it is.</summary>
    public TimeSpan? SilentSince { get; init; }
}
