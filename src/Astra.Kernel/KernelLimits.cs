using Astra.Kernel.Tasks;

namespace Astra.Kernel;

/// <summary>Every bound of the kernel in one place. Reaching one is a refusal with its name, never a surprise.</summary>
public sealed record KernelLimits
{
    public int GoalTasksMax { get; init; } = 200_000;
    public int TaskDependenciesMax { get; init; } = 20_000;

    /// <summary>Inputs, outputs and results; larger things are artifacts.</summary>
    public int PayloadBytesMax { get; init; } = 256 * 1024;

    public int EditsPerRequestMax { get; init; } = 100_000;
    public int NameLengthMax { get; init; } = 200;

    /// <summary>Why something failed or was cancelled, in characters; the rest is cut off.</summary>
    public int ReasonLengthMax { get; init; } = 4_000;

    /// <summary>Goals that one goal comes after.</summary>
    public int GoalDependenciesMax { get; init; } = 100;

    /// <summary>How many ancestors a goal has at most: agents that hand goals to agents come to an end.</summary>
    public int GoalDepthMax { get; init; } = 8;

    /// <summary>Goals that an agent submits for other agents, on each node: so many at once, and then so many a second.</summary>
    public double AgentGoalsPerSecond { get; init; } = 10;
    public int AgentGoalsBurst { get; init; } = 100;

    /// <summary>Goals that one task submits, over all its attempts.</summary>
    public int DelegationsPerTaskMax { get; init; } = 1_000;

    /// <summary>How often a shard asks after the goals that its own wait for. Their shards say so themselves; this is for
    /// words that are lost.</summary>
    public TimeSpan GoalWatchInterval { get; init; } = TimeSpan.FromSeconds(5);

    public int ActiveGoalsPerTenantMax { get; init; } = 100_000;
    /// <summary>Submissions that are taken from one tenant in a second, on each node.</summary>
    public int SubmissionsPerSecondPerTenantMax { get; init; } = 50_000;

    /// <summary>Messages that wait for one shard; what comes beyond them is refused, or comes again.</summary>
    public int ShardMailboxMax { get; init; } = 8_192;

    public int ReadyTasksPerNodeMax { get; init; } = 1_000_000;
    public int RunningTasksPerTenantMax { get; init; } = 1_000;
    public int RunningTasksPerAgentMax { get; init; } = 1_000;

    /// <summary>Committed entries that the rows do not show yet; past it submissions are pushed back.</summary>
    public int ProjectionBacklogMax { get; init; } = 200_000;

    /// <summary>Leases lost before a task is taken for poison: it has taken this many workers down with it.</summary>
    public int ExpiryCountMax { get; init; } = 5;

    public TimeSpan RetryDelayMin { get; init; } = TimeSpan.FromMilliseconds(500);
    public TimeSpan RetryDelayMax { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>For tasks without a policy of their own.</summary>
    public RetryPolicy Retry => new(RetryDelayMin, RetryDelayMax, Factor: 2);

    /// <summary>One commit takes about this many entries: they amortise the fsync, and more would only make the first of them
    /// wait.</summary>
    public int EntriesPerCommitMax { get; init; } = 4_000;

    /// <summary>One transaction of rows takes about this many: it keeps its locks for tens of milliseconds, and has amortised
    /// its commit long before.</summary>
    public int RowsPerCommitMax { get; init; } = 2_000;

    /// <summary>How often rows catch up with the log, so that a task's states coalesce; under load up to a second.</summary>
    public TimeSpan ProjectionInterval { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>A third of the shard lease, so that two renewals may fail.</summary>
    public TimeSpan LeaseRenewalInterval { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>Agents awake on one node. When all of them are busy a message to another is refused; otherwise the one that
    /// has been idle longest goes to sleep for it.</summary>
    public int ActiveAgentsMax { get; init; } = 50_000;

    /// <summary>The declared states of the agents that are awake, all together; past it idle ones go to sleep early.</summary>
    public long ActiveAgentStateBytesMax { get; init; } = 256L << 20;

    /// <summary>Messages that wait for one agent.</summary>
    public int AgentMailboxMax { get; init; } = 1_024;

    public int AgentStateBytesMax { get; init; } = 256 * 1024;

    /// <summary>After how long without a message an agent sleeps that does not say so itself.</summary>
    public TimeSpan AgentIdleTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>From the arrival of a message to its answer, waiting included.</summary>
    public TimeSpan AgentMessageDeadline { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>One timer for all agents of a node, and how late it may put one to sleep.</summary>
    public TimeSpan AgentSweepInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Within a minute. Then the agent is stopped, with what waits for it, and the next message wakes it anew.</summary>
    public int AgentFailuresMax { get; init; } = 5;

    /// <summary>Messages that one worker handles at once. They wait for people and models more than they compute.</summary>
    public int MessagesPerWorkerMax { get; init; } = 1_000;

    /// <summary>One commit takes the states of at most this many agents.</summary>
    public int AgentSavesPerCommitMax { get; init; } = 256;
}
