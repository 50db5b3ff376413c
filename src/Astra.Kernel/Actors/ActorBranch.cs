namespace Astra.Kernel.Actors;

/// <summary>Which part of the tree to look at. The answer is bounded however large the tree is.</summary>
/// <param name="Under">The path to begin at; "/" is the whole tree.</param>
/// <param name="Depth">Levels below it that are listed; 0 is that actor alone.</param>
/// <param name="ChildrenMax">Of each actor's children at most so many are listed: those that need attention first.</param>
public sealed record ActorQuery(string Under = "/", int Depth = 2, int ChildrenMax = 20)
{
    public const int DepthMax = 64;
    public const int ChildrenLimit = 1_000;

    /// <summary>Actors in one answer: more is not read by anybody, and must not fill a server's memory.</summary>
    public const int ActorsMax = 5_000;
}

/// <summary>An actor and what is below it. No message and no state of an actor is in here, only figures.</summary>
public sealed record ActorBranch
{
    public required string Path { get; init; }
    public required ActorState State { get; init; }
    public required int MailboxDepth { get; init; }
    public required int MailboxCapacityMax { get; init; }
    public required long ProcessedCount { get; init; }
    public required int RestartCount { get; init; }
    public required Exception? LastFailure { get; init; }

    /// <summary>How long the current message has been handled; null between messages, and where nobody measures it.</summary>
    public required TimeSpan? MessageAge { get; init; }

    public required int ChildCount { get; init; }

    /// <summary>Oldest first.</summary>
    public required IReadOnlyList<ActorBranch> Children { get; init; }

    /// <summary>Everything below this actor that is not listed.</summary>
    public required ActorTotals Unlisted { get; init; }
}

/// <param name="NotRunningCount">Starting, failed, restarting or stopping.</param>
public readonly record struct ActorTotals(long ActorCount, long NotRunningCount, long MailboxDepth, long ProcessedCount, long RestartCount)
{
    internal ActorTotals With(ActorCell cell) => new(
        ActorCount + 1, NotRunningCount + (cell.State == ActorState.Running ? 0 : 1),
        MailboxDepth + cell.MailboxDepth, ProcessedCount + cell.ProcessedCount, RestartCount + cell.RestartCount);
}

/// <param name="Deepest">The actors with the most messages waiting.</param>
/// <param name="Busiest">The actors that have handled the most.</param>
public sealed record ActorCensus(ActorTotals Totals, int MailboxDepthMax, IReadOnlyList<ActorBranch> Deepest, IReadOnlyList<ActorBranch> Busiest);
