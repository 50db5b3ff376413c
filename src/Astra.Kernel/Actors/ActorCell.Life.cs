namespace Astra.Kernel.Actors;

/// <summary>The life of an actor: what each system message does, given the answer of <see cref="LifeCycle"/>. The hooks
/// are in ActorCell.Hooks.cs, the end in ActorCell.End.cs.</summary>
internal sealed partial class ActorCell
{
    // Born in the middle of its first start, so that a spawn needs no command of its own.
    private volatile ActorState _state = ActorState.Starting;
    private volatile Incarnation? _incarnation;
    private int _incarnationCount;
    private ActivityKind _dueHook = ActivityKind.Starting;
    private bool _hasSaidFarewell;
    private volatile bool _isBuried;

    private Activity? Pending
    {
        get => _extras?.Pending;
        set
        {
            if (value is not null || _extras is not null)
                Extras.Pending = value;
        }
    }

    /// <summary>The restart that this actor is part of. Written on its parent's turn only, like the next two.</summary>
    internal RestartGroup? RestartGroup
    {
        get => Volatile.Read(ref _extras)?.RestartGroup;
        set => Extras.RestartGroup = value;
    }

    internal bool HasHalted
    {
        get => Volatile.Read(ref _extras) is { HasHalted: true };
        set => Extras.HasHalted = value;
    }

    internal RestartHistory? RestartHistory
    {
        get => Volatile.Read(ref _extras)?.RestartHistory;
        set => Extras.RestartHistory = value;
    }

    internal ActorState State => _state;

    internal bool HasLivingIncarnation => _incarnation is { IsRevoked: false };

    private Supervisor? SupervisorIfAny
    {
        get
        {
            var extras = Volatile.Read(ref _extras);
            return extras is null ? null : Volatile.Read(ref extras.Supervisor);
        }
    }

    internal Supervisor Supervisor =>
        SupervisorIfAny
        ?? Interlocked.CompareExchange(ref Extras.Supervisor, new Supervisor(this), null)
        ?? SupervisorIfAny!;

    internal Watchers Watchers =>
        Volatile.Read(ref Extras.Watchers)
        ?? Interlocked.CompareExchange(ref Extras.Watchers, new Watchers(this), null)
        ?? Extras.Watchers!;

    /// <summary>From here on whoever begins to watch is answered at once.</summary>
    internal bool IsBuried => _isBuried;

    /// <summary>Nothing is left of this incarnation but its farewell.</summary>
    private bool IsEmptied =>
        _state is ActorState.Halting or ActorState.Stopping && (SupervisorIfAny is not { } supervisor || supervisor.IsEmpty);

    internal ActorRef SpawnChild(ActorOptions options, Incarnation? by) => Supervisor.Spawn(options, this, by);

    /// <summary>A new cell is nobody's turn yet: whoever made it runs it.</summary>
    internal void StartFirst() => System.Dispatcher.Post(this);

    internal void Start()
    {
        if (TryMove(LifeCommand.Start))
            _dueHook = ActivityKind.Starting;
    }

    internal void Resume()
    {
        if (!TryMove(LifeCommand.Resume))
            return;
        SupervisorIfAny?.ResumeEscalated();
    }

    internal void Restart(Exception why, object? message)
    {
        if (!TryMove(LifeCommand.Restart))
            return;
        (Extras.RestartReason, Extras.RestartMessage) = (why, message);
        StopChildren();
        _dueHook = ActivityKind.None;
        if (Pending is not null)
            RevokePending(DeadLetterReason.IncarnationRevoked, why);
        else if (_incarnation is { IsRevoked: false })
            _dueHook = ActivityKind.Restarting;
    }

    internal void Stop()
    {
        if (!TryMove(LifeCommand.Stop))
            return;
        _dueHook = ActivityKind.None;
        _mailbox.Close();
        DrainToDeadLetters();
        // The current message is finished, not cut off; the handler may hurry if it looks at the token.
        _incarnation?.End();
        LimitPatience();
        StopChildren();
        // Who leaves at once, of its own accord, need not be looked after.
        if (Pending is not null || !IsEmptied)
            Parent?.Supervisor.Departures.Expect(this);
    }

    /// <summary>
    /// From here on the handler or hook in progress has a deadline, whether the actor has one or not.
    /// </summary>
    private void LimitPatience()
    {
        if (Pending is { } hanging)
            System.Dispatcher.Schedule(Options.StopDeadline, () => Tell(new StopOverdue(hanging)));
    }

    internal void GiveUpOn(Activity hanging)
    {
        if (Pending != hanging)
            return;
        System.Abandoned(this);
        RevokePending(DeadLetterReason.IncarnationRevoked, cause: null);
    }

    internal void Abandon()
    {
        if (!TryMove(LifeCommand.Abandon))
            return;
        _dueHook = ActivityKind.None;
        _mailbox.Close();
        if (Pending is not null)
            RevokePending(DeadLetterReason.IncarnationRevoked, cause: null);
        else if (HasLivingIncarnation)
            RevokeIdle(_incarnation!);
        StopChildren();
        Bury();
    }

    internal void TakeOffWedged(Incarnation incarnation, TimeSpan busySince)
    {
        // The message may have been finished while the notice was on its way.
        if (incarnation != _incarnation || incarnation.Guard!.BusySince != busySince)
            return;
        var why = new ActorWedgedException(Path, Options.MessageDeadline!.Value);
        incarnation.Guard.NotBusyAnyMore();
        if (Pending is not null)
        {
            RevokePending(DeadLetterReason.ActorWedged, why);
        }
        else
        {
            // A thread is stuck inside; the watchdog has taken the turn from it, revoked it and counted it lost.
            if (incarnation.Guard.Handling is { } message)
                LetGo(message, incarnation.CurrentSender, DeadLetterReason.ActorWedged, why);
            EndRevoked(incarnation);
        }

        Fail(why, message: null, sender: null);
    }

    /// <summary>The incarnation cannot go on. Its supervisor decides; until then the mailbox waits.</summary>
    internal void Fail(Exception why, object? message, ActorRef? sender)
    {
        KeepFailure(why);
        if (message is not null)
            LetGo(message, sender, DeadLetterReason.HandlerFailed, why);
        if (System.IsObserved)
            System.Publish(new ActorFailed(this, why, message));
        if (!TryMove(LifeCommand.Fail))
            return;
        if (Parent is null)
            // The root itself, which runs no code but the runtime's: a bug, and nobody is above to decide.
            System.Publish(new NodeFailed(this, why));
        else
            Parent.Tell(new ChildFailed(this, why, message, HasLivingIncarnation));
    }

    internal void KeepFailure(Exception failure) => Volatile.Write(ref Extras.LastFailure, failure);

    // A handler may be spawning its first child on another thread at this very moment. It first makes a supervisor and
    // then looks whether we are ending; we are ending and then look for a supervisor. One of the two sees the other.
    private void StopChildren()
    {
        Interlocked.MemoryBarrier();
        SupervisorIfAny?.StopAll();
    }

    /// <summary>A message of the runtime that is meant for one incarnation and dies with it.</summary>
    internal void SendToIncarnation(object message, Incarnation incarnation)
    {
        if (!incarnation.IsRevoked)
            SendWithoutFail(message, this);
    }

    internal ActorSnapshot Snapshot() => new(
        ToString(), _state, _mailbox.Depth, ProcessedCount, RestartCount,
        LastFailure, SupervisorIfAny?.Snapshots() ?? []) { MailboxSlots = _mailbox.SlotCount };

    private bool TryMove(LifeCommand command)
    {
        var answer = LifeCycle.Answer(_state, command);
        if (answer == LifeAnswer.never)
            throw new InvalidOperationException($"{this} is {_state} and was told {command}.");
        if (!LifeCycle.IsMove(answer))
            return false;
        _state = (ActorState)answer;
        return true;
    }
}
