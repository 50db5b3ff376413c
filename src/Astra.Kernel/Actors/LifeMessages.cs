namespace Astra.Kernel.Actors;

// What supervisors and children tell each other, in the order of a life. Each is one line on the receiving cell.

internal sealed class StartCommand : SystemMessage
{
    internal override void Apply(ActorCell cell) => cell.Start();
}

internal sealed class ResumeCommand : SystemMessage
{
    internal override void Apply(ActorCell cell) => cell.Resume();
}

internal sealed class RestartCommand(Exception why, object? message) : SystemMessage
{
    internal override void Apply(ActorCell cell) => cell.Restart(why, message);
}

internal sealed class StopCommand : SystemMessage
{
    internal override void Apply(ActorCell cell) => cell.Stop();
}

/// <summary>The stop (or restart) has waited long enough for this handler or hook.</summary>
internal sealed class StopOverdue(Activity hanging) : SystemMessage
{
    internal override void Apply(ActorCell cell) => cell.GiveUpOn(hanging);
}

/// <summary>The second half of <see cref="ActorCell.Forsake"/>, on the actor's own turn, if it ever gets there.</summary>
internal sealed class AbandonCommand : SystemMessage
{
    internal override void Apply(ActorCell cell)
    {
        cell.System.Lost.ThreadCameBack();
        cell.System.Lost.CameBack();
        cell.Abandon();
    }
}

internal sealed class LookAtDepartures : SystemMessage
{
    internal override void Apply(ActorCell cell) => cell.Supervisor.LookAtDepartures();
}

internal sealed class RestartOverdue(RestartGroup group) : SystemMessage
{
    internal override void Apply(ActorCell cell) => cell.Supervisor.OnRestartOverdue(group);
}

/// <summary>From the watchdog: this incarnation has been on one message since <paramref name="busySince"/>.</summary>
internal sealed class WedgedNotice(Incarnation incarnation, TimeSpan busySince) : SystemMessage
{
    internal override void Apply(ActorCell cell) => cell.TakeOffWedged(incarnation, busySince);
}

internal sealed class ChildFailed(ActorCell child, Exception why, object? message, bool canResume) : SystemMessage
{
    internal override void Apply(ActorCell cell) => cell.Supervisor.OnChildFailed(child, why, message, canResume);
}

/// <summary>From an operator, to the parent.</summary>
internal sealed class RestartRequested(ActorCell child, Exception why) : SystemMessage
{
    internal override void Apply(ActorCell cell) => cell.Supervisor.OnRestartRequested(child, why);
}

internal sealed class ChildHalted(ActorCell child) : SystemMessage
{
    internal override void Apply(ActorCell cell) => cell.Supervisor.OnChildHalted(child);
}

internal sealed class ChildStopped(ActorCell child) : SystemMessage
{
    internal override void Apply(ActorCell cell) => cell.Supervisor.OnChildStopped(child);
}

internal sealed class BackoffElapsed(ActorCell supervisor, RestartGroup group) : SystemMessage
{
    /// <summary>When it is due.</summary>
    public void Tell() => supervisor.Tell(this);

    internal override void Apply(ActorCell cell) => cell.Supervisor.OnBackoffElapsed(group);
}
