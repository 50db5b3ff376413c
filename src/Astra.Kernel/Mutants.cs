namespace Astra.Kernel;

/// <summary>
/// Deliberate faults, each at the very line that makes a promise: what shows that the simulator notices when a promise is
/// broken. In the product each is the constant false, and the compiler leaves nothing of it; only the kernel that the
/// simulation is built with (tests/Astra.Kernel.Mutants) has them as fields.
/// </summary>
/// <remarks>What each breaks, and how soon it is found, is in docs/reliability.md.</remarks>
internal static class Mutants
{
    public
#if MUTANTS
        static
#else
        const
#endif
        bool

        // The log, and what rests on it.
        NoFencing = false,
        AcknowledgeBeforeCommit = false,
        EffectBeforeCommit = false,
        DispatchBeforeCommit = false,
        FailedCommitAcknowledged = false,
        SequenceRepeats = false,
        AddedToTakenAppend = false,

        // Ownership.
        LeaseByNodeClock = false,
        DeposedOwnerAnswers = false,
        TwoLeases = false,
        TakeoverKeepsEpoch = false,
        TakeoverWithoutReplay = false,
        ReopenedGoalForgotten = false,

        // Attempts.
        ReaperOff = false,
        UnboundedRetries = false,
        PoisonUnnoticed = false,
        PermanentFailureRetried = false,
        DeadLetterDropped = false,
        ReadyTaskWithdrawn = false,
        DoubleDispatchAfterReconnect = false,
        CompletionFromOldAttempt = false,
        SlotLeaked = false,

        // The graph.
        LostUnblock = false,
        CycleCheckOff = false,
        DependencyCountOffByOne = false,
        UnmetDependencyCounts = false,
        WaitPolicyDooms = false,
        CascadeForgetsOne = false,
        RedriveLeavesDoomed = false,
        RedriveLeavesReady = false,
        CancelLeavesRunning = false,
        GoalEndsEarly = false,
        EditIgnoresVersion = false,

        // Goals among goals, and what is submitted twice.
        GoalBeginsTooEarly = false,
        PredecessorHeardTwice = false,
        LostWordNotAskedAgain = false,
        OrphanGoesOn = false,
        DelegationRepeated = false,
        IdempotencyKeyIgnored = false,

        // The rows.
        RowsUnfenced = false,
        ProjectionSkipsOne = false,
        RowsLostOnError = false,
        RemovedRowStays = false,
        EvictedUnseen = false,

        // Effects on the outside world.
        EffectResent = false,
        EffectGuessed = false,
        IntentRepeated = false,

        // People's approval.
        ApprovalSkipped = false,
        VoteForAnything = false,
        RequesterVotes = false,

        // Time.
        TimerLost = false,
        RetryAtOnce = false,
        StartIgnored = false,
        DeadlineTimerLost = false,

        // Sharing.
        PauseIgnored = false,
        LimitIgnored = false,
        AdmissionOff = false,
        PriorityInversion = false,
        SharesUncharged = false;
}
