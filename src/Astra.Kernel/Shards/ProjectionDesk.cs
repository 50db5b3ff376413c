using Astra.Kernel.Actors;
using Astra.Kernel.Projecting;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Shards;

/// <summary>A shard's dealings with the projector: says once that the rows are behind, hands out images of what has
/// changed, and hears how far the rows have come.</summary>
internal sealed class ProjectionDesk(ShardId shard, ShardGoals goals, ShardLog log, QuarantineDesk quarantine, NodeParts parts)
{
    private Epoch _epoch;
    private bool _isAnnounced;
    private bool _isForgettingPlanned;
    private long _imagedSeq;
    private long _projectedSeq;

    /// <summary>The log is open: what it holds beyond the watermark is not in the rows yet.</summary>
    public void Open(Epoch epoch, long watermark)
    {
        (_epoch, _imagedSeq, _projectedSeq) = (epoch, watermark, watermark);
        parts.Load.AddBacklog((int)(log.LastSeq - _projectedSeq));
    }

    /// <param name="epoch">Of the shard, which may have failed before anything was opened here.</param>
    public void Close(Epoch epoch)
    {
        parts.Load.AddBacklog((int)(_projectedSeq - log.CommittedSeq));
        parts.Projector.TrySend(new ShardGone(shard, epoch));
    }

    public void Announce(ActorRef self)
    {
        if (_isAnnounced || log.LastSeq == _imagedSeq)
            return;
        _isAnnounced = true;
        parts.Projector.TrySend(new ShardDirty(shard, _epoch, self));
    }

    /// <summary>The rows as of the last decided entry, handed over once that entry is durable: at the watermark the tables
    /// are a complete snapshot.</summary>
    public void Send(TakeImage take, ActorRef self)
    {
        // The mailbox outlives a crash: this may have been meant for the incarnation before.
        if (take.Epoch != _epoch)
            return;
        var rows = new List<GoalRow>();
        var tasks = new List<TaskRow>();
        var changes = new List<TaskRowChange>();
        var removed = new List<RemovedTask>();
        var released = new List<(TenantId, GoalId)>();
        var discarded = new List<(TenantId, GoalId)>();
        foreach (var goal in goals.All)
        {
            if (!goal.IsDirty)
                continue;
            if (goal.IsDiscarded)
                discarded.Add((goal.Tenant, goal.Id));
            else if (goal.IsReleasing)
                released.Add((goal.Tenant, goal.Id));
            goal.IsReleasing = false;
            goal.TakeImage(rows, tasks, changes, removed);
        }
        var image = new ShardProjection(shard, _epoch, log.LastSeq, rows, tasks, removed) { Changes = changes, Released = released, Discarded = discarded };
        (_isAnnounced, _imagedSeq) = (false, log.LastSeq);
        log.Defer(() => parts.Projector.TrySend(new ShardImage(image, self)));
    }

    public void OnProjected(Projected projected, ActorTurn turn)
    {
        parts.Load.AddBacklog((int)(_projectedSeq - projected.Watermark));
        _projectedSeq = projected.Watermark;
        quarantine.OnProjected(projected);
        goals.Evict(projected.Watermark, parts.Clock.Elapsed);
        PlanToForget(turn);
    }

    /// <summary>What has left is not remembered for longer because nothing follows it out.</summary>
    public void Forget(ActorTurn turn)
    {
        _isForgettingPlanned = false;
        goals.ForgetEvicted(parts.Clock.Elapsed);
        PlanToForget(turn);
    }

    private void PlanToForget(ActorTurn turn)
    {
        if (_isForgettingPlanned || !goals.RemembersEvicted)
            return;
        _isForgettingPlanned = true;
        turn.Schedule(ShardGoals.EvictedMemory, EvictedDue.Instance);
    }
}
