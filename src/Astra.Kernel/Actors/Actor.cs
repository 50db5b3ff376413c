namespace Astra.Kernel.Actors;

/// <summary>
/// One incarnation of an actor: private state and a handler that is never entered twice at once. After a failure a
/// new instance takes over the mailbox; nothing else survives.
/// </summary>
public abstract class Actor
{
    /// <summary>
    /// Handles one message. Completing synchronously is the fast path. A handler that awaits keeps its actor busy (no
    /// other message is looked at) but holds no thread; it continues where the dispatcher says.
    /// </summary>
    protected internal abstract ValueTask ReceiveAsync(object message, ActorTurn turn);

    /// <summary>Before the first message of this incarnation.</summary>
    protected internal virtual ValueTask StartedAsync(ActorTurn turn) => default;

    /// <summary>
    /// The last act of an incarnation that is about to be replaced. Not called on one whose handler has not come
    /// back: two threads would be inside the same actor.
    /// </summary>
    /// <param name="why">What made the supervisor restart it; possibly a sibling's failure.</param>
    /// <param name="message">The message it failed on, if that was its own failure.</param>
    /// <param name="turn">Still allowed to send.</param>
    protected internal virtual ValueTask RestartingAsync(Exception why, object? message, ActorTurn turn) => default;

    /// <summary>After the last message and after the last child is gone.</summary>
    protected internal virtual ValueTask StoppedAsync(ActorTurn turn) => default;
}

/// <summary>Delivered to whoever watched <paramref name="Actor"/>, after everything that it had sent before.</summary>
public sealed record Terminated(ActorRef Actor);

/// <summary>How an actor is made and what it is allowed.</summary>
public sealed record ActorOptions
{
    /// <summary>
    /// Unique among its living siblings. An actor without one is called by its place among all that its parent ever
    /// spawned, such as <c>$17</c>; options without a name may be shared by any number of actors.
    /// </summary>
    public string? Name { get; init; }

    /// <summary>Makes an incarnation: once at the start, once more after each restart.</summary>
    public required Func<Actor> Create { get; init; }

    /// <summary>
    /// The bound of the mailbox. Memory follows use: no ring before the first message, then it grows.
    /// </summary>
    public int MailboxCapacityMax { get; init; } = 1024;

    /// <summary>
    /// The longest that one message may take before the actor is taken away from it; no limit when null.
    /// </summary>
    public TimeSpan? MessageDeadline { get; init; }

    /// <summary>
    /// How long a stop or a restart waits for the handler or hook in progress. Who has not come back then is revoked:
    /// a child that hangs must not keep its parent from being rebuilt.
    /// </summary>
    public TimeSpan StopDeadline { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Why an operator must not stop this actor, as the end of a sentence; null lets it be stopped.</summary>
    public string? StopRefusal { get; init; }

    /// <summary>How this actor treats the failures of its children.</summary>
    public SupervisionPolicy Children { get; init; } = SupervisionPolicy.Default;

    // Longer than this is a mistake in the unit, and a sum of two of them would leave the clock's range.
    private static readonly TimeSpan DeadlineMax = TimeSpan.FromDays(365);

    internal void Check()
    {
        ArgumentNullException.ThrowIfNull(Create);
        ArgumentNullException.ThrowIfNull(Children);
        if (Name is not null && (Name.Length == 0 || Name.Contains('/') || Name[0] == '$'))
            throw new ArgumentException(
                $"'{Name}' is not an actor name: it must not be empty, contain '/' or begin with '$'.");
        if (MailboxCapacityMax is < 1 or > 1 << 30)
            throw new ArgumentException($"A mailbox of {MailboxCapacityMax} messages is not possible ({Name}).");
        if (StopDeadline < TimeSpan.Zero || StopDeadline > DeadlineMax)
            throw new ArgumentException(
                $"A stop deadline of {StopDeadline} is not between zero and {DeadlineMax.Days} days ({Name}).");
        if (MessageDeadline is { } deadline && deadline <= TimeSpan.Zero)
            throw new ArgumentException($"A message deadline of {deadline} leaves no time for a message ({Name}).");
        if (MessageDeadline > DeadlineMax)
            throw new ArgumentException(
                $"A message deadline of {MessageDeadline} is no deadline; leave it out to have none ({Name}).");
    }
}
