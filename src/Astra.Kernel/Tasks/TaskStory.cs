using Astra.Kernel.Effects;
using Astra.Kernel.Journal;

namespace Astra.Kernel.Tasks;

/// <summary>One attempt at a task, as the log tells it.</summary>
/// <param name="Ending">The kind of the entry that ended it; null while it runs.</param>
public sealed record AttemptStory(
    int Attempt, string Worker, DateTimeOffset StartedAt, DateTimeOffset? EndedAt, EventKind? Ending, Failure? Failure, string? Reason, EffectState? Effect);

/// <summary>What a person did about it, between attempts.</summary>
public sealed record Intervention(DateTimeOffset At, EventKind Kind, string By);

public sealed record TaskStory(TaskRow Task, GoalRow Goal, IReadOnlyList<AttemptStory> Attempts, IReadOnlyList<Intervention> Interventions)
{
    /// <param name="entries">Those of the task, in the order of the log; what is no longer kept is missing in front.</param>
    public static TaskStory Of(TaskRow task, GoalRow goal, IEnumerable<JournalEntry> entries)
    {
        var attempts = new SortedDictionary<int, AttemptStory>();
        var interventions = new List<Intervention>();
        foreach (var entry in entries)
        {
            var kernelEvent = entry.Event;
            if (kernelEvent is KernelEvent.TaskClaimed claimed)
                attempts[entry.Attempt] = new AttemptStory(entry.Attempt, claimed.WorkerName, entry.At, null, null, null, null, null);
            else if (InterventionOf(kernelEvent) is { } by)
                interventions.Add(new Intervention(entry.At, entry.Kind, by));
            else if (attempts.TryGetValue(entry.Attempt, out var attempt))
                attempts[entry.Attempt] = Follow(attempt, entry, kernelEvent);
        }
        return new TaskStory(task, goal, [.. attempts.Values], interventions);
    }

    private static string? InterventionOf(KernelEvent kernelEvent) => kernelEvent switch
    {
        KernelEvent.TaskRedriven e => e.By,
        KernelEvent.TaskFixed e => e.By,
        KernelEvent.ApprovalVoted e => e.By,
        KernelEvent.EffectSettled { By: { } by } => by,
        _ => null,
    };

    private static AttemptStory Follow(AttemptStory attempt, JournalEntry entry, KernelEvent kernelEvent)
    {
        if (kernelEvent is KernelEvent.EffectIntended)
            return attempt with { Effect = EffectState.Intended };
        if (kernelEvent is KernelEvent.EffectSettled settled)
            return attempt with { Effect = settled.State };
        if (entry.From != TaskState.Running)
            return attempt;
        var ended = attempt with { EndedAt = entry.At, Ending = entry.Kind };
        return kernelEvent switch
        {
            KernelEvent.TaskRetried e => ended with { Failure = e.Failure },
            KernelEvent.TaskDied e => ended with { Failure = e.Failure },
            KernelEvent.EffectLost e => ended with { Failure = e.Failure, Effect = EffectState.Unknown },
            KernelEvent.TaskExpired e => ended with { Reason = e.Reason },
            KernelEvent.TaskReleased e => ended with { Reason = e.Reason },
            KernelEvent.TaskCancelled e => ended with { Reason = e.Reason },
            _ => ended,
        };
    }
}
