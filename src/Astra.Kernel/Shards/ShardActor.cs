using Astra.Kernel.Actors;
using Astra.Kernel.Projecting;
using Astra.Kernel.Scheduling;
using Astra.Kernel.Workers;

namespace Astra.Kernel.Shards;

/// <summary>
/// One virtual shard: the single writer of the goals it owns. It decides in memory, hands the entries to the log, and
/// only when they are durable does it reply, publish and hand out work. It never awaits, and no user code runs here.
/// </summary>
/// <remarks>If a commit fails or is refused the incarnation crashes and the next one is rebuilt from the database under a
/// new epoch. Nobody was told anything that is not true.</remarks>
internal sealed class ShardActor(ShardId id, NodeParts node) : Actor
{
    private const int FirstIncarnation = 1;

    public static readonly Refusal Starting = new(RefusalKind.Unavailable, "The shard is starting; try again in a moment.", TimeSpan.FromMilliseconds(200)) { IsMoving = true };

    public static readonly Refusal Lost = new(
        RefusalKind.Unavailable,
        "The shard was lost before the answer was durable, and nobody knows whether the request took effect. Try again with the same Idempotency-Key.",
        TimeSpan.FromMilliseconds(500));

    private Epoch _epoch;
    private long _watermark;
    private TimeSpan _openedAt;
    private bool _isOpen;
    private bool _isHandingOver;

    // Made for the first message that needs them: most of a node's shards hold nothing, and four thousand times nothing is 10 MB.
    private ShardDesks? _desks;

    /// <summary>The lease holds, and nobody has been told that the shard is theirs.</summary>
    private bool IsServing => !_isHandingOver && node.Ownership.Holds;

    protected internal override ValueTask StartedAsync(ActorTurn turn)
    {
        if (turn.Incarnation > FirstIncarnation)
            node.Region.TrySend(new ShardRestarted(id, turn.Incarnation));
        return default;
    }

    protected internal override ValueTask RestartingAsync(Exception why, object? message, ActorTurn turn)
    {
        Leave();
        return default;
    }

    protected internal override ValueTask StoppedAsync(ActorTurn turn)
    {
        Leave();
        return default;
    }

    protected internal override ValueTask ReceiveAsync(object message, ActorTurn turn)
    {
        if (_desks is { } before)
            Advance(before, turn);
        switch (message)
        {
            case ActivateShard activate:
                Activate(activate, turn);
                break;
            case HandOverShard when !_isOpen || _desks is null:
                _isHandingOver = true;
                turn.Sender?.TrySend(new ShardHandedOver(id));
                break;
            case CalendarJumped when _desks is null:
                break;
            case var _ when !_isOpen:
                Refuse(message, Starting, turn);
                return default;
            default:
                Receive(message, _desks ??= Wake(turn), turn);
                break;
        }
        if (_desks is not { } desks)
            return default;
        desks.Work.WatchLeases(turn);
        desks.Waits.Look(turn);
        desks.Deadlines.SetTimer(turn);
        desks.Projection.Announce(turn.Self);
        desks.Work.OfferReadied();
        Advance(desks, turn);
        return default;
    }

    private void Receive(object message, ShardDesks desks, ActorTurn turn)
    {
        var (goals, log, work, waits) = (desks.Goals, desks.Log, desks.Work, desks.Waits);
        switch (message)
        {
            case ShardRequest request:
                if (IsServing)
                    desks.Requests.Serve(request, turn.Sender);
                else
                    Refuse(request, Starting, turn);
                break;
            case ClaimTask claim:
                work.Claim(claim, isOpen: IsServing);
                break;
            case WorkerReport report:
                log.DeferReply(turn.Sender, work.Take(report));
                if (report is WorkerReport.Delegated delegated && goals.FindByTask(report.Attempt.Task) is { } parent && goals.Find(parent.Tenant, delegated.Goal) is { } child)
                    waits.Add(child);
                break;
            case RenewLeases renew:
                turn.Sender?.TrySend(work.Renew(renew));
                break;
            case LeasesDue:
                work.ExpireLeases();
                break;
            case SeeGoals see:
                log.DeferReply<GoalsSeen>(turn.Sender, IsServing ? waits.See(see) : Starting);
                break;
            case GoalsEnded ended:
                if (IsServing)
                    waits.Take(ended.Standings);
                break;
            case GoalsDue:
                waits.LookAgain(turn);
                break;
            case DeadlinesDue:
                desks.Deadlines.Lapse();
                break;
            case CalendarJumped:
                desks.Deadlines.LookAgain();
                break;
            case TakeImage take:
                desks.Projection.Send(take, turn.Self);
                break;
            case Projected projected:
                desks.Projection.OnProjected(projected, turn);
                desks.GiveBackRoom();
                break;
            case EvictedDue:
                desks.Projection.Forget(turn);
                desks.GiveBackRoom();
                break;
            case HandOverShard:
                // What was promised before this line is kept; the next owner reads it from the log.
                _isHandingOver = true;
                var region = turn.Sender;
                log.Defer(() => region?.TrySend(new ShardHandedOver(id)));
                break;
            case AppendEnded:
                break;
            default:
                throw new InvalidOperationException($"A shard does not understand {message.GetType().Name}.");
        }
    }

    private void Activate(ActivateShard activate, ActorTurn turn)
    {
        if (activate.Incarnation != turn.Incarnation || (_isOpen && activate.Epoch <= _epoch))
            return;
        if (_isOpen)
            throw new ShardLostException($"Shard {id} changed hands and came back.");

        (_epoch, _watermark, _openedAt, _isOpen, _isHandingOver) = (activate.Epoch, activate.Snapshot.Watermark, node.Clock.Elapsed, true, false);
        if (activate.IsEmpty)
        {
            node.Scheduler.TrySend(new ShardAdopted(id, []));
            return;
        }
        _desks = new ShardDesks(id, node);
        _desks.Restore(activate);
        _desks.Open(turn.Self, _epoch, activate.Tail.Count > 0 && !Mutants.SequenceRepeats ? activate.Tail[^1].Seq : _watermark, _watermark, _openedAt);
        _desks.Adopt(activate.LivingProcesses);
    }

    /// <summary>Nothing was there when the shard was opened, so the log ends where the rows do.</summary>
    private ShardDesks Wake(ActorTurn turn)
    {
        var desks = new ShardDesks(id, node);
        desks.Open(turn.Self, _epoch, _watermark, _watermark, _openedAt);
        return desks;
    }

    private void Advance(ShardDesks desks, ActorTurn turn)
    {
        var committed = desks.Log.Advance(turn.Self);
        if (committed > 0)
            node.Load.AddBacklog(committed);
    }

    private void Refuse(object message, Refusal refusal, ActorTurn turn)
    {
        if (message is ShardRequest or WorkerReport or RenewLeases or SeeGoals)
            turn.Sender?.TrySend(refusal);
        else if (message is ClaimTask claim)
            node.Scheduler.TrySend(new ClaimRefused(claim, IsWorthAnother: false));
    }

    /// <summary>Whoever waits is told that the shard is lost, and the node forgets what it was told of it.</summary>
    private void Leave()
    {
        _desks?.Log.Abandon();
        if (_isOpen && _desks is not null)
            _desks.Close(_epoch);
        else if (_isOpen)
            node.Scheduler.TrySend(new ForgetShard(id, HasLeft: false));
        _isOpen = false;
    }
}
