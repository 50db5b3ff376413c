using Astra.Kernel.Actors;
using Astra.Kernel.Projecting;
using Astra.Kernel.Scheduling;
using Astra.Kernel.Tasks;
using Astra.Kernel.Workers;

namespace Astra.Kernel.Shards;

/// <summary>
/// One virtual shard: the single writer of the goals it owns. It decides in memory, hands the entries to the log, and
/// only when they are durable does it reply, publish and hand out work. It never awaits, and no user code runs here.
/// </summary>
/// <remarks>If a commit fails or is refused the incarnation crashes and the next one is rebuilt from the database under a
/// new epoch (ShardActor.Life.cs). Nobody was told anything that is not true.</remarks>
internal sealed partial class ShardActor : Actor
{
    public static readonly Refusal Starting = new(RefusalKind.Unavailable, "The shard is starting; try again in a moment.", TimeSpan.FromMilliseconds(200)) { IsMoving = true };

    public static readonly Refusal Lost = new(
        RefusalKind.Unavailable,
        "The shard was lost before the answer was durable, and nobody knows whether the request took effect. Try again with the same Idempotency-Key.",
        TimeSpan.FromMilliseconds(500));

    private readonly ShardId _id;
    private readonly NodeParts _node;
    private readonly ShardLog _log;
    private readonly ShardGoals _goals = new();
    private readonly WorkDesk _work;
    private readonly GoalWaits _waits;
    private readonly QuarantineDesk _quarantine;
    private readonly DeadlineDesk _deadlines;
    private readonly ProjectionDesk _projection;
    private readonly RequestDesk _requests;

    private Epoch _epoch;
    private bool _isOpen;
    private bool _isHandingOver;

    public ShardActor(ShardId id, NodeParts node)
    {
        (_id, _node) = (id, node);
        _log = new ShardLog(id, node.Clock, node.Writer);
        var decisions = new GoalDecisions(_log, node.Limits);
        var submissions = new SubmissionDesk(_goals, _log, decisions, node);
        _work = new WorkDesk(id, _goals, _log, decisions, new DelegationDesk(_goals, decisions, submissions, node), node);
        _waits = new GoalWaits(id, _goals, new GoalCascades(_log, decisions, node.Limits), node);
        _quarantine = new QuarantineDesk(_goals, _log, decisions);
        _deadlines = new DeadlineDesk(_goals, decisions, node.Clock);
        _projection = new ProjectionDesk(id, _goals, _log, _quarantine, node);
        _requests = new RequestDesk(_goals, _log, new GoalDesk(_goals, _log, decisions, submissions, node), _quarantine, _work, _waits);
        (_log.Recorded, _log.Committed) = (OnRecorded, node.Events.Publish);
    }

    /// <summary>The lease holds, and nobody has been told that the shard is theirs.</summary>
    private bool IsServing => !_isHandingOver && _node.Ownership.Holds;

    protected internal override ValueTask ReceiveAsync(object message, ActorTurn turn)
    {
        Advance(turn);
        if (!_isOpen && message is not ActivateShard)
        {
            if (message is HandOverShard)
                turn.Sender?.TrySend(new ShardHandedOver(_id));
            else
                Refuse(message, Starting, turn);
            return default;
        }

        switch (message)
        {
            case ActivateShard activate:
                Activate(activate, turn);
                break;
            case ShardRequest request:
                if (IsServing)
                    _requests.Serve(request, turn.Sender);
                else
                    Refuse(request, Starting, turn);
                break;
            case ClaimTask claim:
                _work.Claim(claim, isOpen: IsServing);
                break;
            case WorkerReport report:
                _log.DeferReply(turn.Sender, _work.Take(report));
                if (report is WorkerReport.Delegated delegated && _goals.FindByTask(report.Attempt.Task) is { } parent && _goals.Find(parent.Tenant, delegated.Goal) is { } child)
                    _waits.Add(child);
                break;
            case RenewLeases renew:
                turn.Sender?.TrySend(_work.Renew(renew));
                break;
            case LeasesDue:
                _work.ExpireLeases();
                break;
            case SeeGoals see:
                _log.DeferReply<GoalsSeen>(turn.Sender, IsServing ? _waits.See(see) : Starting);
                break;
            case GoalsEnded ended:
                if (IsServing)
                    _waits.Take(ended.Standings);
                break;
            case GoalsDue:
                _waits.LookAgain(turn);
                break;
            case DeadlinesDue:
                _deadlines.Lapse();
                break;
            case CalendarJumped:
                _deadlines.LookAgain();
                break;
            case TakeImage take:
                _projection.Send(take, turn.Self);
                break;
            case Projected projected:
                _projection.OnProjected(projected);
                break;
            case HandOverShard:
                // What was promised before this line is kept; the next owner reads it from the log.
                _isHandingOver = true;
                var region = turn.Sender;
                _log.Defer(() => region?.TrySend(new ShardHandedOver(_id)));
                break;
            case AppendEnded:
                break;
            default:
                throw new InvalidOperationException($"A shard does not understand {message.GetType().Name}.");
        }

        _work.WatchLeases(turn);
        _waits.Look(turn);
        _deadlines.SetTimer(turn);
        _projection.Announce(turn.Self);
        Advance(turn);
        return default;
    }

    private void Advance(ActorTurn turn)
    {
        var committed = _log.Advance(turn.Self);
        if (committed > 0)
            _node.Load.AddBacklog(committed);
    }

    private void Refuse(object message, Refusal refusal, ActorTurn turn)
    {
        if (message is ShardRequest or WorkerReport or RenewLeases or SeeGoals)
            turn.Sender?.TrySend(refusal);
        else if (message is ClaimTask claim)
            _node.Scheduler.TrySend(new ClaimRefused(claim, IsWorthAnother: false));
    }
}
