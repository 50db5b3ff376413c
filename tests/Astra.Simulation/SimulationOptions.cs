using Astra.Kernel;
using Astra.Testing.Time;

namespace Astra.Simulation;

/// <summary>What goes wrong between a node and the store.</summary>
/// <param name="LatencyMax">Of the way there and of the way back, each.</param>
/// <param name="ErrorShare">Calls that fail before they take effect.</param>
/// <param name="LostReplyShare">Calls that take effect and then fail.</param>
/// <param name="CrashShare">Calls whose node crashes: while they are on their way, or around the moment the reply arrives.</param>
public sealed record StoreFaults(TimeSpan LatencyMax, double ErrorShare, double LostReplyShare, double CrashShare);

/// <summary>What goes wrong between nodes.</summary>
/// <param name="LatencyMax">Each question draws its own, so questions overtake each other.</param>
/// <param name="LossShare">Questions that never arrive.</param>
/// <param name="LostAnswerShare">Questions that take effect, and whose asker never hears of it.</param>
/// <param name="RefusalShare">Questions that are refused on the way.</param>
public sealed record BusFaults(TimeSpan LatencyMax, double LossShare, double LostAnswerShare, double RefusalShare)
{
    /// <summary>Questions that arrive twice, at different times.</summary>
    public double TwiceShare { get; init; }

    /// <summary>Questions whose asker or whose answerer crashes around the moment they arrive.</summary>
    public double CrashShare { get; init; }
}

/// <summary>How workers misbehave: the share of attempts that end so.</summary>
public sealed record WorkerFaults(
    double TransientShare, double PermanentShare, double VanishShare, double LateShare, double TwiceShare, double DisconnectShare)
{
    /// <summary>Attempts that are given back.</summary>
    public double ReleaseShare { get; init; }

    /// <summary>Tasks that take down every worker they are given to.</summary>
    public double PoisonShare { get; init; }
}

/// <summary>How often something happens to a node, on average; null is never.</summary>
public sealed record NodeFaults(TimeSpan? CrashEvery, TimeSpan? PauseEvery, TimeSpan? CleanStopEvery, TimeSpan? OutageEvery)
{
    /// <summary>Somebody sets the machine's clock.</summary>
    public TimeSpan? ClockJumpEvery { get; init; }

    /// <summary>By how much the calendars of two machines differ at most.</summary>
    public TimeSpan ClockSkewMax { get; init; }
}

/// <summary>The world that a seed stands for. Kinds of trouble are switched on and off one by one, because a world with all
/// of them at once never gets deep into any.</summary>
public sealed record SimulationOptions
{
    public required ulong Seed { get; init; }
    public required int NodeCount { get; init; }
    public required int ShardCount { get; init; }
    public required int ClientCount { get; init; }
    public required int WorkersPerNode { get; init; }
    public required double FanOutShare { get; init; }
    public required TimeSpan FaultsDuration { get; init; }
    public required StoreFaults Store { get; init; }
    public required BusFaults Bus { get; init; }
    public required WorkerFaults Workers { get; init; }
    public required NodeFaults Nodes { get; init; }

    /// <summary>Attempts that act on the outside world.</summary>
    public required double EffectShare { get; init; }

    /// <summary>Steps that ask people.</summary>
    public required double ApprovalShare { get; init; }

    /// <summary>Goals that have to do with other goals: they come after them, or are their children.</summary>
    public required double RelatedShare { get; init; }

    /// <summary>Goals that all clients together submit at most.</summary>
    public int GoalCountMax { get; init; } = 1_000;

    /// <summary>Tasks that a goal begins with at most.</summary>
    public int TaskCountMax { get; init; } = 8;

    /// <summary>Messages that a shard takes in before it says that it is full; null is the kernel's own bound.</summary>
    public int? MailboxMax { get; init; }

    public bool HasEdits { get; init; } = true;
    public bool HasAgents { get; init; }
    public bool HasSchedules { get; init; }

    /// <summary>How long a shard's owner keeps it without renewing.</summary>
    public static TimeSpan ShardLease { get; } = TimeSpan.FromSeconds(3);

    /// <summary>Small enough that its bounds are met within seconds.</summary>
    public static KernelLimits Limits { get; } = new()
    {
        RetryDelayMin = TimeSpan.FromMilliseconds(100), RetryDelayMax = TimeSpan.FromSeconds(1), ExpiryCountMax = 4,
        LeaseRenewalInterval = ShardLease / 3, RunningTasksPerTenantMax = 6, RunningTasksPerAgentMax = 4,
        GoalWatchInterval = TimeSpan.FromSeconds(2), AgentIdleTimeout = TimeSpan.FromSeconds(3), AgentMessageDeadline = TimeSpan.FromSeconds(10),
        SubmissionsPerSecondPerTenantMax = 1, RowsPerCommitMax = 4,
    };

    /// <summary>No node, worker or commit is ever lost; attempts may fail, and goals are edited.</summary>
    internal bool IsCalm => this is
    {
        Nodes: { CrashEvery: null, PauseEvery: null, CleanStopEvery: null, OutageEvery: null },
        Workers: { VanishShare: 0, LateShare: 0, DisconnectShare: 0 },
        Store: { ErrorShare: 0, LostReplyShare: 0, CrashShare: 0 },
    };

    internal KernelLimits NodeLimits => MailboxMax is { } max ? Limits with { ShardMailboxMax = max } : Limits;

    public static SimulationOptions Draw(ulong seed)
    {
        var dice = new SeededRandomness(seed);
        var isStormy = dice.Chance(0.85);
        // Many small worlds find more than a few large ones; some things only a large one has.
        var isLarge = dice.Chance(0.03);
        double Share(double chance, double max) => isStormy && dice.Chance(chance) ? dice.NextDouble() * max : 0;
        TimeSpan? Every(double chance, int min, int max) =>
            isStormy && dice.Chance(chance) ? dice.Between(TimeSpan.FromSeconds(min), TimeSpan.FromSeconds(max)) : null;

        return new SimulationOptions
        {
            Seed = seed,
            NodeCount = isLarge ? dice.Between(3, 5) : dice.Pick([1, 1, 2, 2, 2, 3, 3, 4]),
            ShardCount = isLarge ? 64 : dice.Pick([1, 4, 16]),
            ClientCount = isLarge ? dice.Between(3, 6) : dice.Between(1, 3),
            WorkersPerNode = dice.Between(1, 3),
            FanOutShare = dice.Chance(0.6) ? dice.NextDouble() * 0.4 : 0,
            FaultsDuration = isLarge ? dice.Between(TimeSpan.FromSeconds(12), TimeSpan.FromSeconds(25)) : dice.Between(TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(8)),
            Store = new StoreFaults(
                dice.Pick([TimeSpan.Zero, TimeSpan.FromMilliseconds(5), TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(0.7)]),
                Share(0.5, 0.1), Share(0.5, 0.1), Share(0.3, 0.02)),
            Workers = new WorkerFaults(Share(0.6, 0.4), Share(0.5, 0.2), Share(0.4, 0.2), Share(0.4, 0.2), Share(0.4, 0.3), Share(0.3, 0.1))
            {
                ReleaseShare = Share(0.2, 0.1), PoisonShare = Share(0.2, 0.2),
            },
            Nodes = new NodeFaults(Every(0.5, 2, 8), Every(0.4, 2, 8), Every(0.3, 4, 12), Every(0.3, 4, 12))
            {
                ClockJumpEvery = Every(0.25, 2, 8), ClockSkewMax = dice.Pick([TimeSpan.Zero, TimeSpan.FromSeconds(0.1), TimeSpan.FromSeconds(2)]),
            },
            Bus = new BusFaults(
                dice.Pick([TimeSpan.Zero, TimeSpan.FromMilliseconds(20), TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(4)]),
                Share(0.4, 0.4), Share(0.4, 0.4), Share(0.3, 0.4))
            {
                TwiceShare = Share(0.3, 0.4), CrashShare = Share(0.2, 0.03),
            },
            EffectShare = dice.Chance(0.5) ? dice.NextDouble() * 0.8 : 0,
            RelatedShare = dice.Chance(0.5) ? dice.NextDouble() * 0.7 : 0,
            MailboxMax = isStormy && dice.Chance(0.15) ? dice.Between(2, 12) : null,
            HasEdits = dice.Chance(0.9),
            HasAgents = dice.Chance(0.3),
            HasSchedules = dice.Chance(0.2),
            ApprovalShare = dice.Chance(0.3) ? dice.NextDouble() * 0.5 : 0,
        };
    }
}
