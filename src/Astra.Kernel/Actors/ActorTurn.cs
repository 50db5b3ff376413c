namespace Astra.Kernel.Actors;

/// <summary>
/// What a handler may do. It belongs to one incarnation: after a restart the turns of the old one are revoked, and
/// everything a handler that is still running does through them, or by sending directly, is dropped.
/// </summary>
public sealed class ActorTurn
{
    private readonly Incarnation _incarnation;

    internal ActorTurn(Incarnation incarnation) => _incarnation = incarnation;

    public ActorRef Self => _incarnation.Cell;

    /// <summary>Who sent the current message, if it said so. Stable until the handler has completed.</summary>
    public ActorRef? Sender { get; internal set; }

    public IClock Clock => _incarnation.Cell.System.Clock;

    public IRandomness Randomness => _incarnation.Cell.System.Randomness;

    /// <summary>
    /// Cancelled when the actor is asked to stop or its incarnation is revoked; pass it to what is awaited.
    /// </summary>
    public CancellationToken Ending => _incarnation.Ending;

    public bool IsRevoked => _incarnation.IsRevoked;

    /// <summary>Counts the lives of this actor, from 1.</summary>
    public int Incarnation => _incarnation.Number;

    public SendResult Reply(object message)
    {
        if (Sender is { } sender && !IsRevoked)
            return sender.TrySend(message, Self);
        var reason = IsRevoked ? DeadLetterReason.SenderRevoked : DeadLetterReason.NoSender;
        _incarnation.Cell.System.DeadLetters.Receive(message, Self, Sender, reason);
        return SendResult.Stopped;
    }

    /// <summary>Starts a child under this actor's supervision.</summary>
    /// <exception cref="ActorStoppedException">This incarnation is over; it must not have children.</exception>
    /// <exception cref="ActorNameTakenException">A living sibling has that name.</exception>
    public ActorRef Spawn(ActorOptions options) => _incarnation.Cell.SpawnChild(options, _incarnation);

    /// <summary>Asks an actor to stop. Its current message is finished; those waiting become dead letters.</summary>
    public void Stop(ActorRef actor)
    {
        if (!IsRevoked)
            (actor as ActorCell)?.RequestStop();
    }

    public void StopSelf() => Stop(Self);

    /// <summary>
    /// Asks for a <see cref="Terminated"/> message when the actor is gone, at once if it is gone already.
    /// </summary>
    public void Watch(ActorRef actor) => (actor as ActorCell)?.Watchers.Add(_incarnation);

    public void Unwatch(ActorRef actor) => (actor as ActorCell)?.Watchers.Remove(_incarnation);

    /// <summary>Sends <paramref name="message"/> to oneself after the delay. It dies with this incarnation.</summary>
    public IDisposable Schedule(TimeSpan delay, object message) =>
        _incarnation.Cell.System.Dispatcher.Schedule(
            delay, () => _incarnation.Cell.SendToIncarnation(message, _incarnation));
}
