using Astra.Kernel.Actors;

namespace Astra.Kernel.Metrics;

/// <summary>The node at one moment: what a scrape and a live screen show. No names of goals, agents or tasks.</summary>
public sealed record NodeSample
{
    /// <summary>On the node's monotonic clock.</summary>
    public required TimeSpan At { get; init; }

    public required NodeSummary Summary { get; init; }
    public required KernelCounters Counters { get; init; }

    /// <summary>The tenants with the most to do, and the others together under a null id.</summary>
    public required IReadOnlyList<TenantLoad> Tenants { get; init; }

    /// <summary>By groups of <see cref="ShardGroup.Size"/> shards.</summary>
    public required IReadOnlyList<ShardGroup> ShardGroups { get; init; }

    /// <summary>Ready tasks that no connected worker would take.</summary>
    public required int TasksWithoutWorker { get; init; }

    /// <summary>Ready tasks whose time has not come.</summary>
    public required int TasksNotDue { get; init; }

    /// <summary>How far the tables are behind the log.</summary>
    public required TimeSpan ProjectionLag { get; init; }

    /// <summary>Tasks that became dead letters within the last hour, to the minute.</summary>
    public required long DiedLastHour { get; init; }

    public required ActorCensus Actors { get; init; }

    /// <summary>Messages that no actor took.</summary>
    public required long ActorDeadLetters { get; init; }
}

public readonly record struct TenantLoad(TenantId? Tenant, int Ready, int Running);

public readonly record struct ShardGroup(ShardId First, int Ready, int Running)
{
    public const int Size = 256;

    public static int Of(ShardId shard) => shard.Value / Size;
}
