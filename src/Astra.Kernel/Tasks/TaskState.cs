namespace Astra.Kernel.Tasks;

/// <summary>The numbers are on disk and never change; see FrozenNumbersTests.</summary>
public enum TaskState : byte
{
    /// <summary>Waits for other tasks.</summary>
    Pending = 1,

    /// <summary>Waits for a worker, or for its due time.</summary>
    Ready = 2,

    /// <summary>A worker holds its lease.</summary>
    Running = 3,

    Completed = 4,
    Cancelled = 5,

    /// <summary>Will not be tried again by itself: a dead letter, kept for a person.</summary>
    Dead = 6,
}

/// <summary>The numbers are on disk and never change; see FrozenNumbersTests.</summary>
public enum TaskCommand : byte
{
    /// <summary>Its last open dependency has ended.</summary>
    Unblock = 1,

    /// <summary>An edit gave it an open dependency.</summary>
    Block = 2,

    /// <summary>It waits for something that will never be.</summary>
    Doom = 3,

    /// <summary>A worker takes it: a new attempt, a new lease.</summary>
    Claim = 4,

    Complete = 5,

    /// <summary>The attempt failed and another may do better.</summary>
    Retry = 6,

    /// <summary>The attempt failed and no other will be made.</summary>
    Exhaust = 7,

    /// <summary>The lease was lost.</summary>
    Expire = 8,

    /// <summary>The attempt put something in front of the task: new dependencies, or a question that only a person can
    /// answer.</summary>
    Suspend = 9,

    Cancel = 10,

    /// <summary>A person asks for a dead letter, or what it doomed, to be tried again.</summary>
    Redrive = 11,

    /// <summary>A person has found out that its effect took place: that was the work.</summary>
    Resolve = 12,

    /// <summary>Its deadline has passed before it ended.</summary>
    Lapse = 13,
}

/// <summary>The three kinds of "no".</summary>
public enum No : byte
{
    /// <summary>Delivered twice: nothing to do, answer as the first time.</summary>
    Same,

    /// <summary>Lost a race: counted, refused.</summary>
    Late,

    /// <summary>A bug: whoever asks is broken and crashes.</summary>
    Never,
}

/// <summary>A move to another state, or one of the three kinds of "no".</summary>
public readonly record struct Transition
{
    private Transition(TaskState? to, No no) => (To, No) = (to, no);

    public TaskState? To { get; }
    public No No { get; }
    public bool IsMove => To is not null;

    public static Transition Move(TaskState to) => new(to, default);
    public static Transition Refuse(No no) => new(null, no);
}

/// <summary>
/// The law of a task's life: rows are states, columns are commands, capitals are moves. The CHECK on the log, the
/// diagram in ARCHITECTURE.md and the tests are made from this table or compared with it.
/// </summary>
/// <remarks>The fence comes before the table: a worker's report carries its attempt, and one of an older attempt is
/// late without looking here. A retry is Ready with a later due time, so there is no retrying state.</remarks>
public static class TaskTransitions
{
    private static readonly Transition
        Pending = Transition.Move(TaskState.Pending),
        Ready = Transition.Move(TaskState.Ready),
        Running = Transition.Move(TaskState.Running),
        Completed = Transition.Move(TaskState.Completed),
        Cancelled = Transition.Move(TaskState.Cancelled),
        Dead = Transition.Move(TaskState.Dead),
        same = Transition.Refuse(No.Same),
        late = Transition.Refuse(No.Late),
        never = Transition.Refuse(No.Never);

    private static readonly Transition[,] Table =
    {
        //               Unblock Block    Doom       Claim    Complete   Retry  Exhaust Expire  Suspend  Cancel     Redrive  Resolve   Lapse
        /* Pending   */ { Ready, same,    Cancelled, late,    late,      late,  late,   late,   late,    Cancelled, same,    Completed, Dead },
        /* Ready     */ { same,  Pending, never,     Running, late,      late,  late,   late,   late,    Cancelled, same,    late,      Dead },
        /* Running   */ { same,  never,   never,     late,    Completed, Ready, Dead,   Ready,  Pending, Cancelled, late,    late,      Dead },
        /* Completed */ { late,  late,    never,     late,    same,      late,  late,   late,   late,    late,      late,    same,      late },
        /* Cancelled */ { late,  late,    same,      late,    late,      late,  late,   late,   late,    same,      Pending, late,      late },
        /* Dead      */ { late,  late,    never,     late,    late,      late,  same,   late,   late,    Cancelled, Pending, late,      late },
    };

    public static Transition Of(TaskState state, TaskCommand command) => Table[(int)state - 1, (int)command - 1];

    /// <summary>Every move there is, for the CHECK on the log and for the tests.</summary>
    public static IEnumerable<(TaskState From, TaskCommand Command, TaskState To)> Moves =>
        from state in Enum.GetValues<TaskState>()
        from command in Enum.GetValues<TaskCommand>()
        let transition = Of(state, command)
        where transition.IsMove
        select (state, command, transition.To!.Value);

    /// <summary>Nothing moves it any more but a person's redrive.</summary>
    public static bool IsFinal(this TaskState state) => state is TaskState.Completed or TaskState.Cancelled or TaskState.Dead;
}
