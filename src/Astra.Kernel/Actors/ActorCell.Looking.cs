namespace Astra.Kernel.Actors;

/// <summary>What an operator may see of an actor from any thread, each figure a moment's truth of its own.</summary>
internal sealed partial class ActorCell
{
    internal long ProcessedCount => Volatile.Read(ref _processedCount);

    internal int RestartCount => Math.Max(Volatile.Read(ref _incarnationCount) - 1, 0);

    internal Exception? LastFailure => _lastFailure;

    /// <summary>Since when the current message has been handled. A handler that neither awaits nor has a deadline is not
    /// timed: reading the clock for every message would cost more than the mailbox does.</summary>
    internal TimeSpan? MessageSince => Volatile.Read(ref _pending)?.Since ?? _incarnation?.BusySince;

    /// <summary>Null for an actor that never had a child.</summary>
    internal Supervisor? KnownSupervisor => Volatile.Read(ref _supervisor);
}
