namespace Astra.Kernel.Actors;

/// <summary>The life of an actor: what each system message does, given the answer of <see cref="LifeCycle"/>.</summary>
internal sealed partial class ActorCell
{
    private volatile ActorState _state = ActorState.Halted;
    private volatile Incarnation? _incarnation;
    private int _incarnationCount;
    private ActivityKind _dueHook;
    private bool _hasSaidFarewell;
    private (Exception Why, object? Message) _restartReason;
    private volatile Exception? _lastFailure;
    private Supervisor? _supervisor;
    private Watchers? _watchers;

    /// <summary>The restart that this actor is part of. Written on its parent's turn only, like the next two.</summary>
    internal RestartGroup? RestartGroup { get; set; }

    internal bool HasHalted { get; set; }

    internal RestartHistory? RestartHistory { get; set; }

    internal ActorState State => _state;

    internal bool HasLivingIncarnation => _incarnation is { IsRevoked: false };

    internal Supervisor Supervisor =>
        Volatile.Read(ref _supervisor)
        ?? Interlocked.CompareExchange(ref _supervisor, new Supervisor(this), null)
        ?? _supervisor!;

    internal Watchers Watchers =>
        Volatile.Read(ref _watchers)
        ?? Interlocked.CompareExchange(ref _watchers, new Watchers(this), null)
        ?? _watchers!;

    /// <summary>Nothing is left of this incarnation but its farewell.</summary>
    private bool IsEmptied =>
        _state is ActorState.Halting or ActorState.Stopping && (_supervisor is null || _supervisor.IsEmpty);

    internal ActorRef SpawnChild(ActorOptions options, Incarnation? by) => Supervisor.Spawn(options, this, by);

    /// <summary>A new cell is nobody's turn yet: whoever made it runs it.</summary>
    internal void StartFirst()
    {
        _lane.Push(new StartCommand());
        System.Dispatcher.Post(this);
    }

    internal void Start()
    {
        if (TryMove(LifeCommand.Start))
            _dueHook = ActivityKind.Starting;
    }

    internal void Resume()
    {
        if (!TryMove(LifeCommand.Resume))
            return;
        _supervisor?.ResumeEscalated();
    }

    internal void Restart(Exception why, object? message)
    {
        if (!TryMove(LifeCommand.Restart))
            return;
        _restartReason = (why, message);
        StopChildren();
        _dueHook = ActivityKind.None;
        if (_pending is not null)
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
    }

    /// <summary>
    /// From here on the handler or hook in progress has a deadline, whether the actor has one or not.
    /// </summary>
    private void LimitPatience()
    {
        if (_pending is { } hanging)
            System.Dispatcher.Schedule(Options.StopDeadline, () => Tell(new StopOverdue(hanging)));
    }

    internal void GiveUpOn(Activity hanging)
    {
        if (_pending != hanging)
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
        if (_pending is not null)
            RevokePending(DeadLetterReason.IncarnationRevoked, cause: null);
        else if (HasLivingIncarnation)
            RevokeIdle(_incarnation!);
        StopChildren();
        Bury();
    }

    internal void TakeOffWedged(Incarnation incarnation, TimeSpan busySince)
    {
        // The message may have been finished while the notice was on its way.
        if (incarnation != _incarnation || incarnation.BusySince != busySince)
            return;
        var why = new ActorWedgedException(Path, Options.MessageDeadline!.Value);
        incarnation.NotBusyAnyMore();
        if (_pending is not null)
        {
            RevokePending(DeadLetterReason.ActorWedged, why);
        }
        else
        {
            // A thread is stuck inside; the watchdog has taken the turn from it, revoked it and counted it lost.
            if (incarnation.Handling is { } message)
                LetGo(message, incarnation.Turn.Sender, DeadLetterReason.ActorWedged, why);
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
        System.Publish(new ActorFailed(this, why, message));
        if (!TryMove(LifeCommand.Fail))
            return;
        if (Parent is null)
            // The root itself, which runs no code but the runtime's: a bug, and nobody is above to decide.
            System.Publish(new NodeFailed(this, why));
        else
            Parent.Tell(new ChildFailed(this, why, message, HasLivingIncarnation));
    }

    internal void KeepFailure(Exception failure) => _lastFailure = failure;

    /// <summary>False when the actor has given up on it already.</summary>
    internal bool TryFinish(Activity activity)
    {
        if (_pending != activity)
            return false;
        _pending = null;
        activity.Incarnation.NotBusyAnyMore();
        Finish(activity.Kind, activity.Failure, activity.Message, activity.Sender);
        return true;
    }

    /// <summary>Runs the hook that is due. False: the turn was taken away meanwhile.</summary>
    private bool RunHook()
    {
        var kind = _dueHook;
        _dueHook = ActivityKind.None;
        Exception? failure = null;
        bool isGuarded = Options.MessageDeadline is not null;
        try
        {
            if (kind == ActivityKind.Starting)
            {
                LeaveIncarnation();
                Incarnate();
            }

            var incarnation = _incarnation!;
            SynchronizationContext.SetSynchronizationContext(incarnation);
            incarnation.Turn.Sender = null;
            if (isGuarded)
                System.Watchdog.Enter(incarnation, message: null);
            var running = Call(kind, incarnation);
            if (isGuarded && !incarnation.Leave())
            {
                LeaveLost(incarnation, running);
                return false;
            }

            if (!running.IsCompleted)
            {
                Await(new Activity(kind, incarnation, message: null, sender: null, running));
                return true;
            }

            running.ThrowIfFailed();
        }
        catch (Exception thrown)
        {
            failure = thrown;
        }

        if (isGuarded && _incarnation is { } left && failure is not null && !LeaveAfterFailure(left))
            return false;
        _incarnation?.NotBusyAnyMore();
        Finish(kind, failure, message: null, sender: null);
        return true;
    }

    // A handler may be spawning its first child on another thread at this very moment: it must find either a supervisor
    // that takes the child and is then told to stop it, or one that is closed.
    private void StopChildren() =>
        (Interlocked.CompareExchange(ref _supervisor, Supervisor.Childless, null) ?? Supervisor.Childless).StopAll();

    private void Incarnate()
    {
        _incarnation = null;
        var actor = Options.Create();
        _incarnation = new Incarnation(this, actor, ++_incarnationCount);
        if (Interlocked.CompareExchange(ref _supervisor, null, Supervisor.Childless) is { } supervisor
            && supervisor != Supervisor.Childless)
            supervisor.Reopen();
        if (Options.MessageDeadline is not null)
            System.Watchdog.Add(_incarnation);
    }

    private ValueTask Call(ActivityKind hook, Incarnation incarnation) => hook switch
    {
        ActivityKind.Starting => incarnation.Actor.StartedAsync(incarnation.Turn),
        ActivityKind.Restarting =>
            incarnation.Actor.RestartingAsync(_restartReason.Why, _restartReason.Message, incarnation.Turn),
        _ => incarnation.Actor.StoppedAsync(incarnation.Turn),
    };

    private void Finish(ActivityKind kind, Exception? failure, object? message, ActorRef? sender)
    {
        if (failure is not null)
            Fail(failure, message, sender);
        else if (kind == ActivityKind.Starting && TryMove(LifeCommand.Started))
            System.Publish(new ActorStarted(this, _incarnationCount));
    }

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
        var pending = _pending!;
        _pending = null;
        // Counted before it is revoked: whoever sees it revoked may take it off the count again.
        System.Lost.Lose(this);
        pending.Incarnation.Revoke();
        if (pending.Message is not null)
            LetGo(pending.Message, pending.Sender, reason, cause);
        EndRevoked(pending.Incarnation);
    }

    private void RevokeIdle(Incarnation incarnation)
    {
        incarnation.Revoke();
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
            System.DeadLetters.Receive(message, sender, this, DeadLetterReason.ActorStopped);
    }

    private void Bury()
    {
        // The mailbox is closed, so nobody claims another slot; whoever has claimed one is about to publish it.
        var spinner = new SpinWait();
        for (DrainToDeadLetters(); !_mailbox.IsDrained; DrainToDeadLetters())
            spinner.SpinOnce();
        ServeWaiting();

        // The parent hears of it first: by the time a watcher does, the name is free again.
        Parent?.Tell(new ChildStopped(this));
        System.Publish(new ActorStopped(this, _lastFailure));
        Watchers.TellAll();
        if (Parent is null)
            System.RootIsGone();
    }

    /// <summary>A message of the runtime that is meant for one incarnation and dies with it.</summary>
    internal void SendToIncarnation(object message, Incarnation incarnation)
    {
        if (!incarnation.IsRevoked)
            SendWithoutFail(message, this);
    }

    internal ActorSnapshot Snapshot() => new(
        ToString(), _state, _mailbox.Depth, Volatile.Read(ref _processedCount), Math.Max(_incarnationCount - 1, 0),
        _lastFailure, _supervisor?.Snapshots() ?? []);

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
