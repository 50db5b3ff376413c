namespace Astra.Kernel.Actors;

/// <summary>How an incarnation ends, and then the actor: the farewell, what is left in the mailbox, who is told.</summary>
internal sealed partial class ActorCell
{
    private void TakeLeave()
    {
        if (_state == ActorState.Stopping && !_hasSaidFarewell && _incarnation is { IsRevoked: false })
        {
            _hasSaidFarewell = true;
            _dueHook = ActivityKind.Stopping;
            return;
        }

        if (_incarnation is { IsRevoked: false } incarnation)
            RevokeIdle(incarnation);
        bool isHalting = _state == ActorState.Halting;
        TryMove(LifeCommand.Emptied);
        if (isHalting)
            Parent?.Tell(new ChildHalted(this));
        else
            Bury();
    }

    private void RevokePending(DeadLetterReason reason, Exception? cause)
    {
        var pending = Pending!;
        Pending = null;
        // Counted before it is revoked: whoever sees it revoked may take it off the count again.
        System.Lost.Lose(this);
        pending.Incarnation.Revoke();
        if (pending.Message is not null)
            LetGo(pending.Message, pending.Sender, reason, cause);
        EndRevoked(pending.Incarnation);
    }

    private void RevokeIdle(Incarnation incarnation)
    {
        incarnation.Revoke(isLeft: true);
        EndRevoked(incarnation);
    }

    private void EndRevoked(Incarnation incarnation)
    {
        System.Watchdog.Remove(incarnation);
        incarnation.End();
    }

    private void DrainToDeadLetters()
    {
        while (_mailbox.TryTake(out object message, out var sender))
        {
            Extras.DrainedCount++;
            System.DeadLetters.Receive(message, sender, this, DeadLetterReason.ActorStopped);
        }
    }

    private void Bury()
    {
        // The mailbox is closed, so nobody claims another slot; whoever has claimed one is about to publish it.
        var spinner = new SpinWait();
        for (DrainToDeadLetters(); !_mailbox.IsDrained; DrainToDeadLetters())
            spinner.SpinOnce();
        Waiting?.Serve(_mailbox.TakenCount);

        // The parent hears of it first: by the time a watcher does, the name is free again.
        Parent?.Tell(new ChildStopped(this));
        if (System.IsObserved)
            System.Publish(new ActorStopped(this, LastFailure));
        // Whoever begins to watch first writes himself down and then looks here.
        _isBuried = true;
        Interlocked.MemoryBarrier();
        Volatile.Read(ref _extras)?.Watchers?.TellAll();
        if (Parent is null)
            System.RootIsGone();
    }
}
