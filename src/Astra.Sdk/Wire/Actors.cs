namespace Astra.Sdk;

/// <summary>A part of one node's tree of actors.</summary>
public sealed record ActorTreeView(string NodeId, ActorView Actor);

/// <summary>One actor: figures and its last failure, never what a message holds.</summary>
public sealed record ActorView
{
    public required string Path { get; init; }

    /// <summary>halted, starting, running, suspended, halting, stopping or stopped.</summary>
    public required string State { get; init; }

    public required int MailboxDepth { get; init; }
    public required int MailboxCapacity { get; init; }
    public required long Processed { get; init; }
    public required int Restarts { get; init; }
    public string? LastFailure { get; init; }

    /// <summary>How long the current message has been handled. Absent between messages, and for a handler that neither
    /// awaits nor has a deadline: those are not timed.</summary>
    public double? MessageAgeSeconds { get; init; }

    public required int ChildCount { get; init; }
    public required IReadOnlyList<ActorView> Children { get; init; }

    /// <summary>Everything below this actor that is not listed; absent when all of it is.</summary>
    public ActorTotalsView? Unlisted { get; init; }
}

public sealed record ActorTotalsView(long Actors, long NotRunning, long MailboxDepth, long Processed, long Restarts);

/// <summary>The body of a restart or a stop.</summary>
public sealed record ActorCommand(string Path);

/// <summary>A node at one moment, for whoever watches it.</summary>
public sealed record VitalsView
{
    public required string NodeId { get; init; }
    public required string Version { get; init; }
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>The node's monotonic clock; a rate is the difference of two counters over the difference of two of these.</summary>
    public required double ClockSeconds { get; init; }

    public required VitalCounters Counters { get; init; }
    public required int GoalsActive { get; init; }
    public required int TasksReady { get; init; }
    public required int TasksRunning { get; init; }

    /// <summary>Of those ready: their time has not come.</summary>
    public required int TasksNotDue { get; init; }

    /// <summary>Of those ready: no connected worker would take them.</summary>
    public required int TasksWithoutWorker { get; init; }

    public required int ShardsOwned { get; init; }

    /// <summary>Of the fleet.</summary>
    public required int NodesAlive { get; init; }

    public required long ProjectionBacklog { get; init; }
    public required double ProjectionLagSeconds { get; init; }
    public required long DeadLettersLastHour { get; init; }

    /// <summary>Messages of the whole fleet that wait for their hooks; absent when the database did not say.</summary>
    public long? HookMessagesWaiting { get; init; }

    public double? HookOldestWaitingSeconds { get; init; }
    public required long ResidentBytes { get; init; }

    /// <summary>The tenants with the most to do; all others are the one without an id.</summary>
    public required IReadOnlyList<TenantVitals> Tenants { get; init; }

    public required int WorkersConnected { get; init; }
    public required int Slots { get; init; }
    public required int SlotsTaken { get; init; }

    /// <summary>The busiest of them.</summary>
    public required IReadOnlyList<WorkerVitals> Workers { get; init; }

    public required ActorTotalsView Actors { get; init; }
    public required int MailboxDepthMax { get; init; }
    public required long ActorDeadLetters { get; init; }

    /// <summary>The deepest mailboxes, and the actors that have handled the most messages.</summary>
    public required IReadOnlyList<ActorView> BusiestActors { get; init; }
}

/// <summary>Since the node started.</summary>
public sealed record VitalCounters(
    long Submitted, long Started, long Completed, long Failed, long Expired, long Died, long Refused, long Commits, long Entries, double CommitSeconds);

public sealed record TenantVitals(Guid? TenantId, int Ready, int Running);

public sealed record WorkerVitals(string Name, int Slots, int Taken);
