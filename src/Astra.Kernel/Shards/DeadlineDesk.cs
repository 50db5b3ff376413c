using Astra.Kernel.Actors;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Shards;

/// <summary>Watches the deadlines of a shard's tasks: what has not ended by then becomes a dead letter, and its worker is
/// told to stop. One timer for the earliest; a calendar that is set sets it anew.</summary>
internal sealed class DeadlineDesk(GoalDecisions decisions, IClock clock)
{
    // A timer that is given up stays in the machine's list until it would have been due; none stays for years.
    private static readonly TimeSpan DelayMax = TimeSpan.FromDays(1);

    private readonly PriorityQueue<(Goal Goal, TaskNode Task), (DateTimeOffset, Guid)> _watched = new();
    private (DateTimeOffset At, IDisposable Timer)? _timer;

    public void Watch(Goal goal, TaskNode task)
    {
        if (task.Spec.Extras.Deadline is { } deadline && !task.State.IsFinal())
            _watched.Enqueue((goal, task), (deadline, task.Id.Value));
    }

    public void Lapse()
    {
        _timer = null;
        while (_watched.TryPeek(out var first, out var key) && key.Item1 <= clock.UtcNow)
        {
            _watched.Dequeue();
            var (goal, task) = first;
            // It may have ended since, or be gone, or have been redriven, which takes the deadline away.
            if (goal.Graph.Find(task.Id) != task || task.State.IsFinal() || task.Spec.Extras.Deadline is not { } deadline)
                continue;
            if (deadline <= clock.UtcNow)
                decisions.Lapse(goal, task);
            else
                Watch(goal, task);
        }
    }

    public void LookAgain()
    {
        _timer?.Timer.Dispose();
        Lapse();
    }

    public void SetTimer(ActorTurn turn)
    {
        if (!_watched.TryPeek(out _, out var key) || (_timer is { } set && set.At <= key.Item1))
            return;
        _timer?.Timer.Dispose();
        var delay = key.Item1 - clock.UtcNow;
        _timer = (key.Item1, turn.Schedule(delay > TimeSpan.Zero ? delay < DelayMax ? delay : DelayMax : TimeSpan.Zero, DeadlinesDue.Instance));
    }
}
