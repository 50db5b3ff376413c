namespace Astra.Kernel.Actors;

/// <summary>One actor as an operator sees it, with its children. Each figure is a moment's truth of its own.</summary>
public sealed record ActorSnapshot(
    string Path,
    ActorState State,
    int MailboxDepth,
    long ProcessedCount,
    int RestartCount,
    Exception? LastFailure,
    IReadOnlyList<ActorSnapshot> Children)
{
    /// <summary>How many messages fit without the mailbox having to grow; zero after a long silence.</summary>
    public int MailboxSlots { get; init; }
}
