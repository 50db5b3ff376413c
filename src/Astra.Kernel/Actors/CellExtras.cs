namespace Astra.Kernel.Actors;

/// <summary>
/// What an actor has only once it has children, watchers, a failure, senders that wait or a handler that awaits. A
/// million actors that have none of it pay for one empty field. Each field keeps the rule it would have in the cell.
/// </summary>
internal sealed class CellExtras
{
    // Made by any thread, with a compare-and-swap.
    public WaitingSends? Waiting;
    public Supervisor? Supervisor;
    public Watchers? Watchers;

    // Written by the owner of the turn.
    public Activity? Pending;
    public Exception? RestartReason;
    public object? RestartMessage;
    public Exception? LastFailure;
    public long DrainedCount;
    public long TakenCountWhenAsked;
    public bool IsAskedToShrink;

    // Written on the parent's turn.
    public RestartGroup? RestartGroup;
    public RestartHistory? RestartHistory;
    public bool HasHalted;
}
