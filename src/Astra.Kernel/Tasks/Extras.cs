using Astra.Kernel.Approvals;
using Astra.Kernel.Effects;

namespace Astra.Kernel.Tasks;

/// <summary>
/// What most tasks do not have. In the log and in the rows it is one list of tagged fields, empty for most, so that
/// another field needs neither another codec version nor another column; see ExtrasCodec.
/// </summary>
public sealed record TaskExtras
{
    public static TaskExtras None { get; } = new();

    /// <summary>It is not handed out before this.</summary>
    public DateTimeOffset? NotBefore { get; init; }

    /// <summary>Worth nothing after this: what has not ended by then becomes a dead letter.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>The sub-graph it was added with; `outer/inner` lies within `outer`.</summary>
    public string? Group { get; init; }

    /// <summary>How its output becomes further tasks, for whoever hands its completion in; the kernel does not read it.</summary>
    public ReadOnlyMemory<byte> FanOut { get; init; }

    /// <summary>Of a completed task: what it said of itself, for dependencies that want to know.</summary>
    public string? Outcome { get; init; }

    /// <summary>It was cancelled because another way was taken, which is no failure.</summary>
    public bool IsSkipped { get; init; }

    /// <summary>In rows only: the outcome each of the dependencies wants, in their order. Null when none does.</summary>
    public IReadOnlyList<string?>? WantedOutcomes { get; init; }

    /// <summary>How long it waits between attempts; null is the node's own policy.</summary>
    public RetryPolicy? Retry { get; init; }

    /// <summary>How many workers it may take down before it is poison; null is the node's own limit.</summary>
    public int? WorkersLostMax { get; init; }

    /// <summary>How its effect on the outside world is named; null is <see cref="EffectKeys.PerTask"/>.</summary>
    public EffectKeys? EffectKeys { get; init; }

    /// <summary>Its page in the effect ledger. Changes while the task runs.</summary>
    public EffectRecord? Effect { get; init; }

    /// <summary>How often a person has changed its input or executor.</summary>
    public int FixCount { get; init; }

    /// <summary>The tenant's queue it stands in, for the limits that are set on that.</summary>
    public string? Queue { get; init; }

    /// <summary>What a worker must offer beside the executor's label; see <see cref="Capabilities"/>.</summary>
    public string? Requires { get; init; }

    /// <summary>Who has to agree before it is handed out, and has; null for nobody. Changes while the task waits.</summary>
    public Approval? Approval { get; init; }

    /// <summary>The goals it has submitted for other agents, in all its attempts; null when there are none.</summary>
    public IReadOnlyList<Delegation>? Delegations { get; init; }
}

/// <summary>What most goals do not have. Unlike a task's, some of it changes while the goal runs.</summary>
public sealed record GoalExtras
{
    public static GoalExtras None { get; } = new();

    /// <summary>The goal whose task asked for this one.</summary>
    public GoalId? Parent { get; init; }

    /// <summary>How many failed attempts of all its tasks together are tried again; null is any number.</summary>
    public int? RetriesMax { get; init; }

    /// <summary>Of those, how many have been since the goal was submitted or a person last replayed something of it.</summary>
    public int RetriesUsed { get; init; }

    /// <summary>The goals that have to end before anything of this one begins; null when there are none.</summary>
    public IReadOnlyList<GoalDependency>? After { get; init; }

    /// <summary>What becomes of it when one of those did not complete and should have; null is <see cref="CascadePolicy.Cancel"/>.</summary>
    public CascadePolicy? OnFailedGoal { get; init; }

    /// <summary>What becomes of it when its parent is cancelled; null is <see cref="CascadePolicy.Cancel"/>.</summary>
    public CascadePolicy? OnCancelledParent { get; init; }

    /// <summary>How many ancestors it has.</summary>
    public int Depth { get; init; }

    /// <summary>Nothing of it is handed out: a goal that it comes after has not ended.</summary>
    public bool IsHeld => After is { } after && after.Any(dependency => dependency.IsOpen);

    public bool HasUsedItsRetries => RetriesUsed >= RetriesMax;

    /// <summary>Nothing of the goal is handed out while this is here; attempts that run go on to their end.</summary>
    public GoalPause? Pause { get; init; }
}

/// <param name="By">Who asked for it.</param>
public sealed record GoalPause(string By, string? Reason, DateTimeOffset At);
