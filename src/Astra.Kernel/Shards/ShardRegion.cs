using Astra.Kernel.Actors;
using Astra.Kernel.Journal;
using Astra.Kernel.Scheduling;

namespace Astra.Kernel.Shards;

/// <summary>
/// Owns this node's shards: renews their lease, starts what was gained, hands over what is too much, rebuilds what
/// crashed. It supervises the shard actors, and it alone decides under which epoch one comes to life.
/// </summary>
internal sealed class ShardRegion(NodeParts parts, ShardMap map, IShardLeases leases, IJournal journal, IProjection projection, KernelNotices notices) : Actor
{
    // Snapshots of this many shards are read at once: few round trips, and no answer larger than memory likes. The first
    // answers are smaller, so that work goes on while most is still being read.
    private const int ShardsPerLoadMin = 64;
    private const int ShardsPerLoadMax = 1024;

    private const int HistoryPage = 5_000;

    private static readonly object Tick = new();
    private static readonly object RenewNow = new();

    /// <summary>A shard may be lost and rebuilt often while its database comes and goes; only one that cannot live at
    /// all is worth escalating.</summary>
    public static readonly SupervisionPolicy ShardSupervision = new(
        backoff: new Backoff(TimeSpan.FromMilliseconds(10), TimeSpan.FromSeconds(1)),
        intensity: new RestartIntensity(100, TimeSpan.FromMinutes(5)));

    private readonly SortedDictionary<ShardId, Held> _held = [];
    private readonly SortedSet<ShardId> _release = [];
    private readonly Dictionary<ActorRef, ShardId> _stopping = [];
    private readonly List<ActorRef> _looking = [];
    private ActorRef? _leaving;
    private IReadOnlySet<Guid> _livingProcesses = new HashSet<Guid>();
    private bool _renewalAsked;
    private bool _hasMoreToLoad;

    /// <summary>A region that crashed has lost its shard actors with it. Entries of theirs may still be on their way to the
    /// log, so every shard is given back and taken again under a new epoch.</summary>
    protected internal override ValueTask StartedAsync(ActorTurn turn)
    {
        if (turn.Incarnation > 1)
        {
            _release.UnionWith(ShardId.All);
            turn.Schedule(TimeSpan.Zero, Tick);
        }
        return default;
    }

    protected internal override ValueTask RestartingAsync(Exception why, object? message, ActorTurn turn)
    {
        foreach (var shard in _held.Keys)
        {
            map.SetLocal(shard, null);
            SayThatItLeft(shard);
            notices.Publish(new KernelNotice.ShardLost(shard, $"All shards of this node are started anew: {why.Message}"));
        }
        return default;
    }

    protected internal override async ValueTask ReceiveAsync(object message, ActorTurn turn)
    {
        switch (message)
        {
            case BeginRegion:
                await BeginAsync(turn);
                break;
            case ShardRestarted restarted when _held.TryGetValue(restarted.Shard, out var held):
                // An append of the incarnation that crashed may still be on its way. Only a new epoch keeps it out, so
                // the shard is given back and taken again.
                (held.IsActive, held.Incarnation) = (false, restarted.Incarnation);
                map.ForgetEpoch(restarted.Shard);
                notices.Publish(new KernelNotice.ShardLost(restarted.Shard, "It crashed and is rebuilt under a new epoch."));
                Release(restarted.Shard, turn);
                break;
            case ShardHandedOver handedOver when _held.Remove(handedOver.Shard, out var held):
                Stop(handedOver.Shard, held, turn);
                Release(handedOver.Shard, turn);
                break;
            case Terminated terminated when _stopping.Remove(terminated.Actor, out var left):
                SayThatItLeft(left);
                RenewSoon(turn);
                break;
            case DrainChanged:
                RenewSoon(turn);
                break;
            case LookAtLeases when turn.Sender is { } looking:
                _looking.Add(looking);
                RenewSoon(turn);
                break;
            case GiveAllBack:
                _leaving = turn.Sender;
                RenewSoon(turn);
                break;
            case var again when ReferenceEquals(again, RenewNow):
                _renewalAsked = false;
                await TryRenewAsync(turn);
                break;
            case var tick when ReferenceEquals(tick, Tick):
                turn.Schedule(parts.Limits.LeaseRenewalInterval, Tick);
                await TryRenewAsync(turn);
                break;
        }
    }

    private async ValueTask BeginAsync(ActorTurn turn)
    {
        var starter = turn.Sender;
        try
        {
            do
                await RenewAsync(turn);
            while (_hasMoreToLoad);
            turn.Schedule(parts.Limits.LeaseRenewalInterval, Tick);
            starter?.TrySend(new RegionReady());
        }
        catch (Exception e)
        {
            starter?.TrySend(new RegionFailed(e));
        }
    }

    private void Release(ShardId shard, ActorTurn turn)
    {
        _release.Add(shard);
        RenewSoon(turn);
    }

    private void RenewSoon(ActorTurn turn)
    {
        if (_renewalAsked)
            return;
        _renewalAsked = true;
        turn.Self.TrySend(RenewNow);
    }

    private async ValueTask TryRenewAsync(ActorTurn turn)
    {
        try
        {
            await RenewAsync(turn);
            if (_hasMoreToLoad)
                RenewSoon(turn);
        }
        catch (Exception e)
        {
            notices.Publish(new KernelNotice.RenewalFailed(e.Message));
            return;
        }
        foreach (var looking in _looking)
            looking.TrySend(LeasesSeen.Instance);
        _looking.Clear();
        if (_leaving is { } leaving && (!map.HasTakers(parts.Self.Node) || _held.Count + _stopping.Count + _release.Count == 0))
        {
            leaving.TrySend(AllGivenBack.Instance);
            _leaving = null;
        }
    }

    private async ValueTask RenewAsync(ActorTurn turn)
    {
        var askedAt = parts.Clock.Elapsed;
        var releasing = _release.ToArray();
        var renewal = await leases.RenewAsync(parts.Self with { IsDraining = parts.Load.IsDraining }, releasing, CancellationToken.None);
        // Restarted meanwhile: what this incarnation still does must not undo what its successor has done.
        if (turn.IsRevoked)
            return;
        foreach (var shard in releasing)
            _release.Remove(shard);
        parts.Ownership.Renewed(askedAt, renewal.Duration);
        map.SetOwners(renewal.Owners, renewal.Nodes);
        _livingProcesses = renewal.Nodes.Where(standing => standing.IsAlive).Select(standing => standing.Node.Incarnation).ToHashSet();

        foreach (var lost in _held.Keys.Where(shard => !renewal.Owned.ContainsKey(shard)).ToList())
        {
            _held.Remove(lost, out var held);
            Stop(lost, held!, turn);
        }
        foreach (var (shard, epoch) in renewal.Owned.OrderBy(owned => owned.Key))
        {
            // The farewell of an actor that is stopping withdraws what its shard has offered. A successor waits for it.
            if (_release.Contains(shard) || _stopping.ContainsValue(shard))
                continue;
            if (!_held.TryGetValue(shard, out var held))
                _held[shard] = held = new Held(Spawn(shard, turn));
            if (held.Epoch != epoch)
                (held.Epoch, held.IsActive) = (epoch, false);
        }
        await LoadAsync(askedAt, turn);

        foreach (var shard in renewal.Surplus)
            if (_held.TryGetValue(shard, out var held) && held is { IsActive: true, IsHandingOver: false })
                held.IsHandingOver = held.Actor.TrySend(new HandOverShard(), turn.Self) == SendResult.Ok;
    }

    private void Stop(ShardId shard, Held held, ActorTurn turn)
    {
        map.SetLocal(shard, null);
        _stopping[held.Actor] = shard;
        turn.Watch(held.Actor);
        turn.Stop(held.Actor);
    }

    /// <summary>Said here and not by the shard's actor: one that is stopped while it is being started anew has said its last
    /// word before, and what its workers hold would be waited for for ever.</summary>
    private void SayThatItLeft(ShardId shard) => parts.Scheduler.TrySend(new ForgetShard(shard, HasLeft: true));

    private ActorRef Spawn(ShardId shard, ActorTurn turn) => turn.Spawn(new ActorOptions
    {
        Name = $"shard-{shard.Value}",
        Create = () => new ShardActor(shard, parts),
        MailboxCapacityMax = parts.Limits.ShardMailboxMax,
    });

    /// <summary>Until everything is loaded or the lease is due to be renewed: a million tasks take longer to read than a
    /// lease lasts.</summary>
    private async ValueTask LoadAsync(TimeSpan renewedAt, ActorTurn turn)
    {
        var toLoad = _held.Where(held => !held.Value.IsActive && !_release.Contains(held.Key)).Select(held => (Shard: held.Key, held.Value)).ToList();
        _hasMoreToLoad = false;
        var next = 0;
        for (var size = ShardsPerLoadMin; next < toLoad.Count; size = Math.Min(size * 2, ShardsPerLoadMax))
        {
            if (parts.Clock.Elapsed - renewedAt >= parts.Limits.LeaseRenewalInterval)
            {
                _hasMoreToLoad = true;
                return;
            }
            var chunk = toLoad.Skip(next).Take(size).ToArray();
            next += chunk.Length;
            var snapshots = await projection.LoadAsync([.. chunk.Select(item => item.Shard)], CancellationToken.None);
            var tails = await journal.ReadTailsAsync([.. snapshots.Select(snapshot => new ShardPosition(snapshot.Shard, snapshot.Watermark))], CancellationToken.None);
            for (var i = 0; i < chunk.Length; i++)
            {
                var snapshot = await WithReopenedAsync(snapshots[i], tails[i]);
                var histories = await HistoriesAsync(snapshot);
                var (shard, held) = chunk[i];
                // A full mailbox is emptied by refusals within a moment; the next renewal tries again.
                if (held.Actor.TrySend(new ActivateShard(held.Incarnation, held.Epoch, snapshot, tails[i], _livingProcesses) { Histories = histories }, turn.Self) != SendResult.Ok)
                    continue;
                held.IsActive = true;
                map.SetLocal(shard, held.Actor, held.Epoch);
            }
        }
    }

    /// <summary>The snapshot holds the active goals; the tail may speak of one that was finished at the watermark and has
    /// been reopened since.</summary>
    private async ValueTask<ShardSnapshot> WithReopenedAsync(ShardSnapshot snapshot, IReadOnlyList<JournalEntry> tail)
    {
        if (tail.Count == 0 || Mutants.ReopenedGoalForgotten)
            return snapshot;
        // The rows of what is in quarantine are not complete.
        var known = snapshot.Goals.Select(goal => goal.Goal.Id).Concat(snapshot.HeldBack.Select(held => held.Goal)).ToHashSet();
        var missing = new List<GoalSnapshot>();
        foreach (var entry in tail)
        {
            if (!known.Add(entry.Goal) || entry.Kind == EventKind.GoalSubmitted)
                continue;
            if (await projection.LoadGoalAsync(entry.Tenant, entry.Goal, CancellationToken.None) is { } goal)
                missing.Add(goal);
        }
        return missing.Count == 0 ? snapshot : snapshot with { Goals = [.. snapshot.Goals, .. missing] };
    }

    /// <summary>What the log says of the goals in quarantine, up to where the rows of all the others are.</summary>
    private async ValueTask<IReadOnlyList<IReadOnlyList<JournalEntry>>> HistoriesAsync(ShardSnapshot snapshot)
    {
        var histories = new List<IReadOnlyList<JournalEntry>>();
        foreach (var held in snapshot.HeldBack.Where(held => !held.IsDiscarded))
        {
            var history = new List<JournalEntry>();
            for (var after = 0L; after < snapshot.Watermark;)
            {
                var page = await journal.ReadGoalAsync(held.Tenant, held.Goal, after, HistoryPage, CancellationToken.None);
                history.AddRange(page.Where(entry => entry.Seq <= snapshot.Watermark));
                after = page.Count < HistoryPage ? long.MaxValue : page[^1].Seq;
            }
            histories.Add(history);
        }
        return histories;
    }

    private sealed class Held(ActorRef actor)
    {
        public ActorRef Actor => actor;
        public Epoch Epoch { get; set; }

        /// <summary>The latest that has said it is there. It is told under which epoch it lives, once per incarnation.</summary>
        public int Incarnation { get; set; } = 1;

        /// <summary>Its latest incarnation was given the state it had under <see cref="Epoch"/>.</summary>
        public bool IsActive { get; set; }

        public bool IsHandingOver { get; set; }
    }
}
