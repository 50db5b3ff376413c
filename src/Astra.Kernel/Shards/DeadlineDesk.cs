using Astra.Kernel.Actors;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Shards;

/// <summary>Watches the deadlines of a shard's tasks: what has not ended by then becomes a dead letter, and its worker is
/// told to stop. One timer for the earliest; a calendar that is set sets it anew.</summary>
/// <remarks>What is watched is an id: a task that ends long before its deadline is not kept in memory for it.</remarks>
internal sealed class DeadlineDesk(ShardGoals goals, GoalDecisions decisions, IClock clock)
{
    // A timer that is given up stays in the machine's list until it would have been due; none stays for years.
    private static readonly TimeSpan DelayMax = TimeSpan.FromDays(1);

    // Below this many it is not worth looking which of them have ended.
    private const int SweepMin = 64;

    private readonly PriorityQueue<TaskId, (DateTimeOffset, Guid)> _watched = new();
    private readonly List<TaskNode> _touched = [];
    private int _sweepAt = SweepMin;
    private (DateTimeOffset At, IDisposable Timer)? _timer;

    /// <summary>Something is being decided after which the task may have a deadline, or be open again. It is looked at when
    /// that is done.</summary>
    public void Touch(TaskNode task) => _touched.Add(task);

    public void Watch(TaskNode task)
    {
        if (DeadlineOf(task) is not { } deadline)
            return;
        _watched.Enqueue(task.Id, (deadline, task.Id.Value));
        if (_watched.Count > _sweepAt)
            Sweep();
    }

    public void Lapse()
    {
        if (!Mutants.DeadlineTimerLost)
            _timer = null;
        while (_watched.TryPeek(out var id, out var key) && key.Item1 <= clock.UtcNow)
        {
            _watched.Dequeue();
            if (Find(id) is not { } open)
                continue;
            if (DeadlineOf(open.Task) <= clock.UtcNow)
                decisions.Lapse(open.Goal, open.Task);
            else
                Watch(open.Task);
        }
    }

    public void LookAgain()
    {
        _timer?.Timer.Dispose();
        Lapse();
    }

    public void SetTimer(ActorTurn turn)
    {
        foreach (var task in _touched)
            Watch(task);
        _touched.Clear();
        if (!_watched.TryPeek(out _, out var key) || (_timer is { } set && set.At <= key.Item1))
            return;
        _timer?.Timer.Dispose();
        var delay = key.Item1 - clock.UtcNow;
        _timer = (key.Item1, turn.Schedule(delay > TimeSpan.Zero ? delay < DelayMax ? delay : DelayMax : TimeSpan.Zero, DeadlinesDue.Instance));
    }

    public void GiveBackRoom()
    {
        if (_watched.Count > Math.Max(SweepMin, 2 * goals.TaskCount))
            Sweep();
        _watched.GiveBackRoom();
        _touched.GiveBackRoom();
    }

    // Nobody gives up an effect that nobody knows about. When a person has found out, the task is looked at again.
    private static DateTimeOffset? DeadlineOf(TaskNode task) => task.State.IsFinal() || task.AwaitsResolution ? null : task.Spec.Extras.Deadline;

    /// <summary>Null for a task that has ended, is gone, or has no deadline any more.</summary>
    private (Goal Goal, TaskNode Task)? Find(TaskId id) =>
        goals.FindByTask(id) is { } goal && goal.Graph.Find(id) is { } task && DeadlineOf(task) is not null ? (goal, task) : null;

    /// <summary>Forgets what has ended before its deadline. Each sweep waits until there may be twice as many.</summary>
    private void Sweep()
    {
        var open = _watched.UnorderedItems.Where(item => Find(item.Element) is not null).DistinctBy(item => item.Element).ToList();
        _watched.Clear();
        foreach (var (id, _) in open)
            _watched.Enqueue(id, (DeadlineOf(Find(id)!.Value.Task)!.Value, id.Value));
        _sweepAt = Math.Max(SweepMin, 2 * _watched.Count);
    }
}
