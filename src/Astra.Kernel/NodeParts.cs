using System.Collections.Concurrent;
using Astra.Kernel.Actors;
using Astra.Kernel.Agents;
using Astra.Kernel.Journal;
using Astra.Kernel.Metrics;
using Astra.Kernel.Scheduling;
using Astra.Kernel.Shards;
using Astra.Kernel.Workers;

namespace Astra.Kernel;

/// <summary>What the actors of one node share: the ports, each other, and a few counters.</summary>
internal sealed class NodeParts
{
    public required IClock Clock { get; init; }
    public required IRandomness Randomness { get; init; }
    public required IIdSource Ids { get; init; }
    public required KernelLimits Limits { get; init; }
    public required NodeRegistration Self { get; init; }
    public required ApprovalPolicy VotesNeeded { get; init; }
    public required JournalWriter Writer { get; init; }
    public required EventHub Events { get; init; }
    public required NodeOwnership Ownership { get; init; }
    public required NodeLoad Load { get; init; }
    public required MessageDesk Messages { get; init; }
    public required KernelMetrics Metrics { get; init; }
    public required WorkerRoster Roster { get; init; }
    public required AgentGoalRates AgentGoals { get; init; }

    public ActorRef Region { get; set; } = null!;
    public ActorRef Scheduler { get; set; } = null!;
    public ActorRef Projector { get; set; } = null!;
    public ActorRef Agents { get; set; } = null!;
    public ActorRef GoalWatch { get; set; } = null!;
}

/// <summary>Whether this node may still speak for its shards, on its own monotonic clock.</summary>
internal sealed class NodeOwnership(IClock clock)
{
    private long _untilTicks = long.MinValue;
    private volatile bool _hasEnded;

    public bool Holds => !_hasEnded && (clock.Elapsed.Ticks < Volatile.Read(ref _untilTicks) || Mutants.DeposedOwnerAnswers);

    /// <summary>Counted from the moment we asked, not from the moment the answer came back: a slow round trip may only
    /// ever shorten what we believe, otherwise two nodes could both think they own a shard.</summary>
    public void Renewed(TimeSpan askedAt, TimeSpan duration) => Volatile.Write(ref _untilTicks, ((Mutants.LeaseByNodeClock ? clock.Elapsed : askedAt) + duration).Ticks);

    /// <summary>The node stops: a renewal that is still under way changes nothing any more.</summary>
    public void End() => _hasEnded = true;
}

/// <summary>How full the node is: what admission looks at.</summary>
internal sealed class NodeLoad(IClock clock)
{
    // Tenants whose bucket is full again are forgotten when there are this many.
    private const int BucketsMax = 10_000;

    private readonly ConcurrentDictionary<TenantId, int> _activeGoals = [];
    private int _activeCount;
    private long _backlog;
    private long _graphVisits;
    private volatile int _ready;
    private volatile bool _isDraining;
    private readonly Dictionary<TenantId, TokenBucket> _submissions = [];

    /// <summary>The node hands out nothing, and its shards go to others.</summary>
    public bool IsDraining
    {
        get => _isDraining;
        set => _isDraining = value;
    }

    /// <summary>Ready tasks, as the scheduler last counted them.</summary>
    public int Ready
    {
        get => _ready;
        set => _ready = value;
    }

    public int ActiveCount => Volatile.Read(ref _activeCount);

    /// <summary>Committed entries that the rows do not show yet.</summary>
    public long Backlog => Interlocked.Read(ref _backlog);

    /// <summary>Tasks that were looked at to keep graphs free of cycles: what edits cost.</summary>
    public long GraphVisits => Interlocked.Read(ref _graphVisits);

    public void AddGraphVisits(long count) => Interlocked.Add(ref _graphVisits, count);

    public void AddBacklog(int count) => Interlocked.Add(ref _backlog, count);

    public void AddActive(TenantId tenant)
    {
        Interlocked.Increment(ref _activeCount);
        _activeGoals.AddOrUpdate(tenant, 1, (_, count) => count + 1);
    }

    public void RemoveActive(TenantId tenant)
    {
        Interlocked.Decrement(ref _activeCount);
        // A tenant without goals is forgotten, unless it has one again by now.
        if (_activeGoals.AddOrUpdate(tenant, 0, (_, count) => count - 1) == 0)
            _activeGoals.TryRemove(KeyValuePair.Create(tenant, 0));
    }

    /// <summary>Why nothing more is taken in, or null.</summary>
    public Refusal? Refuses(TenantId tenant, KernelLimits limits)
    {
        if (Backlog > limits.ProjectionBacklogMax)
            return new Refusal(RefusalKind.Overloaded,
                $"{Backlog} committed changes wait to be shown in the tables (limit {limits.ProjectionBacklogMax}). Try again in a second.", TimeSpan.FromSeconds(1));
        if (_activeGoals.GetValueOrDefault(tenant) is var active && active >= limits.ActiveGoalsPerTenantMax)
            return new Refusal(RefusalKind.Overloaded,
                $"The tenant has {active} active goals (limit {limits.ActiveGoalsPerTenantMax}). Wait for some to end, or cancel some.", TimeSpan.FromSeconds(5));
        if (Ready is var ready && ready >= limits.ReadyTasksPerNodeMax)
            return new Refusal(RefusalKind.Overloaded,
                $"{ready} tasks of this node are ready and wait for a worker (limit {limits.ReadyTasksPerNodeMax}). Start workers, or try again in a few seconds.", TimeSpan.FromSeconds(5));
        return TakeSubmission(tenant, limits.SubmissionsPerSecondPerTenantMax);
    }

    private Refusal? TakeSubmission(TenantId tenant, int perSecondMax)
    {
        lock (_submissions)
        {
            var now = clock.Elapsed;
            if (!_submissions.TryGetValue(tenant, out var bucket))
            {
                if (_submissions.Count >= BucketsMax)
                    foreach (var (idle, _) in _submissions.Where(one => one.Value.IsFull(now)).ToList())
                        _submissions.Remove(idle);
                _submissions[tenant] = bucket = new TokenBucket(perSecondMax, TimeSpan.FromSeconds(1), now);
            }
            if (!bucket.HasToken(now) && !Mutants.AdmissionOff)
                return new Refusal(RefusalKind.Overloaded,
                    $"The tenant has submitted {perSecondMax} goals within a second here, which is the limit. Try again in a moment.", bucket.NextAt(now) - now);
            bucket.Take();
            return null;
        }
    }
}

/// <summary>How far the rows have come: everything that was decided before this moment is in the tables.</summary>
internal sealed class ProjectionProgress(IClock clock)
{
    private long _caughtUpToTicks = clock.Elapsed.Ticks;

    public TimeSpan Lag => clock.Elapsed - TimeSpan.FromTicks(Volatile.Read(ref _caughtUpToTicks));

    public void CaughtUpTo(TimeSpan at) => Volatile.Write(ref _caughtUpToTicks, at.Ticks);
}
