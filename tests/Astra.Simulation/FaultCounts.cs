namespace Astra.Simulation;

/// <summary>What went wrong in a world, or is on its way to: each is counted when it strikes.</summary>
public enum Fault
{
    StoreError,
    LostReply,
    FencedCommit,
    DeadlyCall,
    Outage,
    LostQuestion,
    LostAnswer,
    RefusedQuestion,
    RepeatedQuestion,
    DeadlyQuestion,
    Crash,
    PauseBeyondLease,
    CleanStop,
    ClockJump,
    FullMailbox,
    FailedAttempt,
    VanishedWorker,
    LateReport,
    RepeatedReport,
    DroppedConnection,
    PoisonedWorker,
}

/// <summary>How often each kind of trouble has struck.</summary>
public sealed class FaultCounts
{
    private readonly int[] _counts = new int[Enum.GetValues<Fault>().Length];

    public int this[Fault fault] => _counts[(int)fault];

    public int Total => _counts.Sum();

    internal void Strike(Fault fault) => _counts[(int)fault]++;
}
