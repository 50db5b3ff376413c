using static Astra.Kernel.Actors.LifeAnswer;

namespace Astra.Kernel.Actors;

/// <summary>Where an actor is in its life. Messages are handled in <see cref="Running"/> only.</summary>
public enum ActorState : byte
{
    /// <summary>No incarnation: not started yet, or between two of them.</summary>
    Halted,

    /// <summary>A new incarnation is getting ready.</summary>
    Starting,

    Running,

    /// <summary>Failed; the supervisor has not decided yet.</summary>
    Suspended,

    /// <summary>To be restarted: the old incarnation says goodbye and its children stop.</summary>
    Halting,

    /// <summary>The mailbox is closed; the current message, the children and the farewell are waited for.</summary>
    Stopping,

    Stopped,
}

/// <summary>What can happen to an actor.</summary>
public enum LifeCommand
{
    /// <summary>The supervisor wants a new incarnation.</summary>
    Start,

    /// <summary>The incarnation is ready.</summary>
    Started,

    /// <summary>The incarnation threw, wedged, or was failed by a child that escalated.</summary>
    Fail,

    /// <summary>The supervisor forgives.</summary>
    Resume,

    /// <summary>The supervisor wants this incarnation gone and the next one prepared.</summary>
    Restart,

    Stop,

    /// <summary>The last child is gone and the farewell is over.</summary>
    Emptied,

    /// <summary>Shutdown has run out of patience.</summary>
    Abandon,
}

/// <summary>A state to move to, or one of the three kinds of no.</summary>
public enum LifeAnswer
{
    Halted = ActorState.Halted,
    Starting = ActorState.Starting,
    Running = ActorState.Running,
    Suspended = ActorState.Suspended,
    Halting = ActorState.Halting,
    Stopping = ActorState.Stopping,
    Stopped = ActorState.Stopped,

    /// <summary>Already so; ignored.</summary>
    same,

    /// <summary>Lost a race against another command; ignored.</summary>
    late,

    /// <summary>Cannot happen; a bug, and the actor is crashed for it.</summary>
    never,
}

/// <summary>
/// The life of an actor. Whoever wants to know what may follow what reads this table, and nothing else.
/// </summary>
public static class LifeCycle
{
    private static readonly LifeAnswer[,] Table =
    {
        //               Start     Started  Fail       Resume   Restart  Stop      Emptied  Abandon
        /* Halted    */ { Starting, late,    late,      late,    same,    Stopping, never,   Stopped },
        /* Starting  */ { same,     Running, Suspended, late,    Halting, Stopping, never,   Stopped },
        /* Running   */ { same,     same,    Suspended, same,    Halting, Stopping, never,   Stopped },
        /* Suspended */ { late,     late,    same,      Running, Halting, Stopping, never,   Stopped },
        /* Halting   */ { late,     late,    late,      late,    same,    Stopping, Halted,  Stopped },
        /* Stopping  */ { late,     late,    late,      late,    late,    same,     Stopped, Stopped },
        /* Stopped   */ { late,     late,    late,      late,    late,    same,     never,   same    },
    };

    public static LifeAnswer Answer(ActorState state, LifeCommand command) => Table[(int)state, (int)command];

    public static bool IsMove(LifeAnswer answer) => answer < same;
}
