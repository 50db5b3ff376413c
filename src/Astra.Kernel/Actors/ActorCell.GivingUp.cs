namespace Astra.Kernel.Actors;

/// <summary>What is given up: an actor by everybody else, and a message by its actor.</summary>
internal sealed partial class ActorCell
{
    /// <summary>Asks it to stop, and has its supervisor see to it that this comes to an end.</summary>
    internal void RequestStop()
    {
        RequestOwnStop();
        Parent?.Supervisor.Departures.Expect(this);
    }

    /// <summary>By the actor itself, which is therefore not stuck: its supervisor hears of it if it has to wait.</summary>
    internal void RequestOwnStop() => Tell(new StopCommand());

    // A handler and a farewell that use up their deadlines come to an end by themselves; an eighth more, so that the
    // two do not race. Never less than a second: a turn may have to wait for its thread.
    internal TimeSpan Patience =>
        TimeSpan.FromTicks(Math.Max(Options.StopDeadline.Ticks / 8 * 9, TimeSpan.TicksPerSecond));

    /// <summary>It has seen the stop: what is awaited now has deadlines of its own.</summary>
    internal bool HasTakenStop => _state is ActorState.Stopping or ActorState.Stopped;

    /// <summary>This incarnation, or the actor, must not have another child.</summary>
    internal bool IsEnding => _state is not (ActorState.Starting or ActorState.Running or ActorState.Suspended);

    /// <summary>
    /// Any thread. Nobody waits for this actor any more: a thread seems to be stuck in it and to look at nothing. If
    /// that thread ever comes back, it finds the command and buries what is left.
    /// </summary>
    internal void Forsake()
    {
        System.Abandoned(this);
        // Counted before it is revoked; taken off the count by the command.
        System.Lost.LoseThread(this);
        if (_incarnation is { } stuck)
        {
            stuck.Revoke();
            EndRevoked(stuck);
        }

        _mailbox.Close();
        Tell(new AbandonCommand());
    }

    // Only poison is a matter of policy: a message that was taken from a handler for another's sake is not at fault.
    private void LetGo(object message, ActorRef? sender, DeadLetterReason reason, Exception? cause)
    {
        bool isPoison = reason is DeadLetterReason.HandlerFailed or DeadLetterReason.ActorWedged;
        if (isPoison && Parent is { Options.Children.Poison: PoisonPolicy.Skip })
            System.DeadLetters.Skip(message, sender, this, reason, cause);
        else
            System.DeadLetters.Receive(message, sender, this, reason, cause);
    }
}
