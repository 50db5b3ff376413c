namespace Astra.Kernel.Actors;

/// <summary>
/// What a handler may do. It belongs to one incarnation: after a restart the turns of the old one are revoked, and
/// everything a handler that is still running does through them, or by sending directly, is dropped. It is also the
/// synchronization context in which a handler goes on after an await: one object, because there is one for each actor.
/// </summary>
public abstract class ActorTurn : SynchronizationContext
{
    private protected ActorTurn()
    {
    }

    public ActorRef Self => Life.Cell;

    /// <summary>
    /// Who sent the current message, if it said so. Stable until the handler has completed; to answer later, keep what
    /// this returned and not the turn.
    /// </summary>
    public ActorRef? Sender
    {
        get
        {
            // From here on somebody may hold on to it for ever.
            (CurrentSender as ReplyAddress)?.Keep();
            return CurrentSender;
        }
    }

    internal ActorRef? CurrentSender { get; set; }

    public IClock Clock => Life.Cell.System.Clock;

    public IRandomness Randomness => Life.Cell.System.Randomness;

    /// <summary>
    /// Cancelled when the actor is asked to stop or its incarnation is revoked; pass it to what is awaited.
    /// </summary>
    public CancellationToken Ending => Life.Ending;

    public bool IsRevoked => Life.IsRevoked;

    /// <summary>Counts the lives of this actor, from 1.</summary>
    public int Incarnation => Life.Number;

    public SendResult Reply(object message)
    {
        if (CurrentSender is { } sender && !IsRevoked)
            return sender.TrySend(message, Self);
        var reason = IsRevoked ? DeadLetterReason.SenderRevoked : DeadLetterReason.NoSender;
        Life.Cell.System.DeadLetters.Receive(message, Self, CurrentSender, reason);
        return SendResult.Stopped;
    }

    /// <summary>Starts a child under this actor's supervision.</summary>
    /// <exception cref="ActorStoppedException">This incarnation is over; it must not have children.</exception>
    /// <exception cref="ActorNameTakenException">A living sibling has that name.</exception>
    public ActorRef Spawn(ActorOptions options) => Life.Cell.SpawnChild(options, Life);

    /// <summary>Asks an actor to stop. Its current message is finished; those waiting become dead letters.</summary>
    public void Stop(ActorRef actor)
    {
        if (!IsRevoked)
            (actor as ActorCell)?.RequestStop();
    }

    public void StopSelf()
    {
        if (!IsRevoked)
            Life.Cell.RequestOwnStop();
    }

    /// <summary>
    /// Asks for a <see cref="Terminated"/> message when the actor is gone, at once if it is gone already.
    /// </summary>
    public void Watch(ActorRef actor) => (actor as ActorCell)?.Watchers.Add(Life);

    public void Unwatch(ActorRef actor) => (actor as ActorCell)?.Watchers.Remove(Life);

    /// <summary>Sends <paramref name="message"/> to oneself after the delay. It dies with this incarnation.</summary>
    public IDisposable Schedule(TimeSpan delay, object message) =>
        Life.Cell.System.Dispatcher.Schedule(
            delay, () => Life.Cell.SendToIncarnation(message, Life));

    private Incarnation Life => (Incarnation)this;
}
