using Astra.Kernel.Effects;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;

namespace Astra.Chaos.Audit;

/// <summary>An entry of the log, as the table has it.</summary>
internal readonly record struct LogEntry(
    int Shard, long Seq, Guid Goal, Guid? Task, EventKind Kind, TaskState? From, TaskState? To, int Attempt, short CodecVersion, byte[] Data);

/// <summary>What the log says of one task.</summary>
internal sealed class TaskTrail(Guid goal)
{
    public Guid Goal => goal;
    public TaskState State { get; set; }
    public int Attempt { get; set; }
    public int CompletionCount { get; set; }
    public long FirstClaim { get; set; }
    public long Completion { get; set; }
    public int SentCount { get; set; }
    public bool IsRemoved { get; set; }
}

/// <summary>
/// Follows the log from its first entry and looks at each as it comes: numbers without a gap, states that follow from each
/// other, attempts that only grow and whose reports count only while they are the latest, one completion for a task, one
/// end for a goal. It uses nothing of the kernel but the names of things.
/// </summary>
internal sealed class LogTrail(Findings findings)
{
    private readonly Dictionary<Guid, TaskTrail> _tasks = [];
    private readonly Dictionary<Guid, int> _goalEnds = [];
    private readonly Dictionary<int, long> _heads = [];

    public long EntryCount { get; private set; }
    public long ClaimCount { get; private set; }
    public long LostAttemptCount { get; private set; }

    public IReadOnlyDictionary<int, long> Heads => _heads;

    public TaskTrail? Find(Guid task) => _tasks.GetValueOrDefault(task);

    public int EndsOf(Guid goal) => _goalEnds.GetValueOrDefault(goal);

    public void Add(LogEntry entry)
    {
        EntryCount++;
        var expected = _heads.GetValueOrDefault(entry.Shard) + 1;
        if (entry.Seq != expected)
            findings.Add(Loss.Unequal, $"Shard {entry.Shard} of the log has {entry.Seq} where {expected} belongs.");
        _heads[entry.Shard] = entry.Seq;
        if (entry.Kind is EventKind.GoalCompleted or EventKind.GoalFailed or EventKind.GoalCancelled)
        {
            _goalEnds[entry.Goal] = _goalEnds.GetValueOrDefault(entry.Goal) + 1;
            if (_goalEnds[entry.Goal] > 1)
                findings.Add(Loss.Doubled, $"Goal {entry.Goal} has ended twice, the second time with entry {entry.Seq} of shard {entry.Shard}.");
        }
        if (entry.Task is { } task)
            AddOf(task, entry);
    }

    private void AddOf(Guid id, LogEntry entry)
    {
        var where = $"entry {entry.Seq} of shard {entry.Shard}";
        if (entry.Kind == EventKind.TaskAdded)
        {
            if (!_tasks.TryAdd(id, new TaskTrail(entry.Goal) { State = entry.To ?? TaskState.Pending }))
                findings.Add(Loss.Doubled, $"Task {id} was added twice, the second time with {where}.");
            return;
        }
        if (Find(id) is not { } task)
        {
            findings.Add(Loss.Unequal, $"Task {id} has {where} and was never added.");
            return;
        }
        if (entry.Kind == EventKind.TaskRemoved)
            task.IsRemoved = true;
        if (entry.From is { } from && from != task.State)
            findings.Add(Loss.Unequal, $"Task {id} was {task.State} and {where} moves it out of {from}.");

        if (entry.Kind == EventKind.TaskClaimed)
            Claim(id, task, entry, where);
        else if (EndsAnAttempt(entry.Kind) && entry.Attempt != task.Attempt)
            findings.Add(Loss.Stale, $"Task {id}: {where} is a report of attempt {entry.Attempt}, and attempt {task.Attempt} had been handed out.");

        if (entry.Kind == EventKind.TaskCompleted)
        {
            task.CompletionCount++;
            task.Completion = entry.Seq;
            if (task.CompletionCount > 1)
                findings.Add(Loss.Doubled, $"Task {id} was completed {task.CompletionCount} times, the last time with {where}.");
        }
        if (entry.Kind is EventKind.TaskExpired or EventKind.TaskReleased or EventKind.EffectLost)
            LostAttemptCount++;
        if (entry.Kind == EventKind.EffectSettled && EventCodec.Decode(entry.Kind, entry.CodecVersion, entry.Data) is KernelEvent.EffectSettled { State: EffectState.Sent })
            task.SentCount++;
        if (entry.To is { } to)
            task.State = to;
    }

    private void Claim(Guid id, TaskTrail task, LogEntry entry, string where)
    {
        ClaimCount++;
        if (entry.Attempt <= task.Attempt)
            findings.Add(Loss.Doubled, $"Task {id}: {where} hands out attempt {entry.Attempt}, and attempt {task.Attempt} had been handed out before.");
        task.Attempt = entry.Attempt;
        if (task.FirstClaim == 0)
            task.FirstClaim = entry.Seq;
    }

    private static bool EndsAnAttempt(EventKind kind) =>
        kind is EventKind.TaskCompleted or EventKind.TaskRetried or EventKind.TaskExpired or EventKind.TaskSuspended or EventKind.TaskReleased or EventKind.EffectIntended or EventKind.EffectLost;
}
