using Astra.Kernel.Actors;
using Astra.Kernel.Journal;
using Astra.Kernel.Scheduling;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Shards;

/// <summary>The life of a shard: it is rebuilt from the rows and the log beyond them, keeps its books in step with every
/// entry, replayed or decided, and when it goes takes back what it has told others.</summary>
internal sealed partial class ShardActor
{
    private const int FirstIncarnation = 1;

    protected internal override ValueTask StartedAsync(ActorTurn turn)
    {
        if (turn.Incarnation > FirstIncarnation)
            _node.Region.TrySend(new ShardRestarted(_id, turn.Incarnation));
        return default;
    }

    protected internal override ValueTask RestartingAsync(Exception why, object? message, ActorTurn turn)
    {
        _log.Abandon();
        Forget();
        return default;
    }

    protected internal override ValueTask StoppedAsync(ActorTurn turn)
    {
        _log.Abandon();
        Forget();
        return default;
    }

    private void Activate(ActivateShard activate, ActorTurn turn)
    {
        if (activate.Incarnation != turn.Incarnation || (_isOpen && activate.Epoch <= _epoch))
            return;
        if (_isOpen)
            throw new ShardLostException($"Shard {_id} changed hands and came back.");

        (_epoch, _isOpen, _isHandingOver) = (activate.Epoch, true, false);
        foreach (var snapshot in activate.Snapshot.Goals)
            Add(Goal.Restore(snapshot));
        foreach (var goal in _quarantine.Restore(activate))
            Add(goal);
        foreach (var entry in Mutants.TakeoverWithoutReplay ? [] : activate.Tail)
            Replay(entry, activate.Snapshot);
        _log.Open(activate.Epoch, activate.Tail.Count > 0 && !Mutants.SequenceRepeats ? activate.Tail[^1].Seq : activate.Snapshot.Watermark);
        _projection.Open(activate.Epoch, activate.Snapshot.Watermark);
        _goals.Open(_node.Clock.Elapsed);
        _work.Open(turn.Self, activate.Epoch);

        var active = _goals.All.Where(goal => goal.State == GoalState.Active).OrderBy(goal => goal.Id.Value).ToList();
        var running =
            from goal in active
            from node in goal.Graph.Tasks
            where node.State == TaskState.Running
            orderby node.Id.Value
            select new RunningTask(_work.ToReady(goal, node, node.Attempt - 1), node.Worker!.Value);
        _node.Scheduler.TrySend(new ShardAdopted(_id, [.. running]));
        foreach (var goal in active)
            _waits.Add(goal);
        foreach (var goal in active)
            foreach (var node in goal.Graph.Tasks.OrderBy(node => node.Order).ToList())
            {
                _work.Adopt(goal, node, activate.LivingProcesses);
                _deadlines.Watch(node);
            }
    }

    private void Replay(JournalEntry entry, ShardSnapshot snapshot)
    {
        if (_quarantine.IsGivenUp(entry))
            return;
        var kernelEvent = entry.Event;
        if (kernelEvent is KernelEvent.GoalSubmitted submitted)
        {
            var begun = Goal.Begin(entry, submitted);
            QuarantineDesk.Mark(begun, snapshot);
            Add(begun);
            return;
        }
        var goal = _goals.Find(entry.Tenant, entry.Goal)
            ?? throw new InvalidDataException($"Entry {entry.Seq} of shard {_id} is about goal {entry.Goal}, which no snapshot and no entry before it holds.");
        goal.Apply(entry, kernelEvent);
        Follow(goal, entry);
    }

    private void Add(Goal goal)
    {
        _goals.Add(goal);
        if (goal.State == GoalState.Active)
            _node.Load.AddActive(goal.Tenant);
    }

    private void Follow(Goal goal, JournalEntry entry)
    {
        _goals.Follow(goal, entry);
        if (entry.Kind is EventKind.GoalCompleted or EventKind.GoalFailed or EventKind.GoalCancelled)
            _node.Load.RemoveActive(goal.Tenant);
        else if (entry.Kind == EventKind.GoalReopened)
            _node.Load.AddActive(goal.Tenant);
    }

    private Action? OnRecorded(Goal goal, TaskNode? node, JournalEntry entry)
    {
        Follow(goal, entry);
        if (entry.Kind is EventKind.TaskAdded or EventKind.TaskReplaced or EventKind.TaskRedriven or EventKind.EffectSettled)
            _deadlines.Touch(node!);
        return node is not null ? _work.EffectOf(goal, node, entry)
            : entry.Kind is EventKind.GoalPaused or EventKind.GoalResumed ? _work.EffectOfPause(goal) : _waits.EffectOf(goal, entry);
    }

    private void Forget()
    {
        if (!_isOpen)
            return;
        foreach (var goal in _goals.All)
            if (goal.State == GoalState.Active)
                _node.Load.RemoveActive(goal.Tenant);
        _node.Scheduler.TrySend(new ForgetShard(_id, HasLeft: false));
        _projection.Close(_epoch);
        _isOpen = false;
    }
}
