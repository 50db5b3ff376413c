namespace Astra.Kernel.Actors;

/// <summary>An incarnation is made, and its hooks are run: started, restarting, stopped.</summary>
internal sealed partial class ActorCell
{
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
            incarnation.CurrentSender = null;
            if (isGuarded)
                System.Watchdog.Enter(incarnation, message: null);
            var running = Call(kind, incarnation);
            if (isGuarded && !incarnation.Guard!.Leave())
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
        _incarnation?.Guard?.NotBusyAnyMore();
        Finish(kind, failure, message: null, sender: null);
        return true;
    }

    private void Incarnate()
    {
        _incarnation = null;
        var actor = Options.Create();
        _incarnation = new Incarnation(this, actor, ++_incarnationCount);
        SupervisorIfAny?.Reopen();
        if (Options.MessageDeadline is not null)
            System.Watchdog.Add(_incarnation);
    }

    private ValueTask Call(ActivityKind hook, Incarnation incarnation) => hook switch
    {
        ActivityKind.Starting => incarnation.Actor.StartedAsync(incarnation),
        ActivityKind.Restarting =>
            incarnation.Actor.RestartingAsync(Extras.RestartReason!, Extras.RestartMessage, incarnation),
        _ => incarnation.Actor.StoppedAsync(incarnation),
    };

    /// <summary>False when the actor has given up on it already.</summary>
    internal bool TryFinish(Activity activity)
    {
        if (Pending != activity)
            return false;
        Pending = null;
        activity.Incarnation.Guard?.NotBusyAnyMore();
        Finish(activity.Kind, activity.Failure, activity.Message, activity.Sender);
        return true;
    }

    private void Finish(ActivityKind kind, Exception? failure, object? message, ActorRef? sender)
    {
        if (failure is not null)
            Fail(failure, message, sender);
        else if (kind == ActivityKind.Starting && TryMove(LifeCommand.Started))
        {
            if (System.IsObserved)
                System.Publish(new ActorStarted(this, _incarnationCount));
        }
    }
}
