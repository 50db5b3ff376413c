using System.Text.Json;
using Astra.Kernel;
using Astra.Kernel.Journal;
using Astra.Sdk;
using EffectState = Astra.Kernel.Effects.EffectState;

namespace Astra.Gateway;

/// <summary>The log's entries as people read them.</summary>
internal static class EventMapping
{
    private static readonly Dictionary<EventKind, string> Kinds =
        Enum.GetValues<EventKind>().ToDictionary(kind => kind, kind => JsonNamingPolicy.SnakeCaseLower.ConvertName(kind.ToString()));

    public static string KindOf(EventKind kind) => Kinds[kind];

    public static bool EndsGoal(EventKind kind) => kind is EventKind.GoalCompleted or EventKind.GoalFailed or EventKind.GoalCancelled;

    public static EventView ToView(JournalEntry entry, TaskNames names) => new()
    {
        Seq = entry.Seq,
        At = entry.At,
        Kind = KindOf(entry.Kind),
        GoalId = entry.Goal.Value,
        TraceId = GoalTraces.TraceIdOf(entry.Goal.Value),
        TaskId = entry.Task?.Value,
        Task = entry.Task is { } task ? names.Of(task) : null,
        From = entry.From is { } from ? WireMapping.ToWire(from) : null,
        To = entry.To is { } to ? WireMapping.ToWire(to) : null,
        Attempt = entry.Attempt == 0 ? null : entry.Attempt,
        Text = TextOf(entry.Event),
    };

    private static string? TextOf(KernelEvent kernelEvent) => kernelEvent switch
    {
        KernelEvent.GoalSubmitted e => e.Title,
        KernelEvent.PlanEdited e => e.Reason ?? $"Revision {e.Revision}, by {e.By}",
        KernelEvent.TaskAdded e => e.Spec.Executor,
        KernelEvent.TaskReplaced e => e.Spec.Executor,
        KernelEvent.TaskCompleted { Outcome: { } outcome } => outcome,
        KernelEvent.TaskPrioritised e => $"Priority {e.Priority}",
        KernelEvent.TaskClaimed e => e.WorkerName,
        KernelEvent.TaskRetried e => $"{e.Failure.Reason} Next attempt at {e.DueAt:u}.",
        KernelEvent.TaskDied e => e.Failure.Reason,
        KernelEvent.TaskExpired e => e.Reason,
        KernelEvent.TaskCancelled e => e.Reason,
        KernelEvent.TaskRedriven e => $"By {e.By}",
        KernelEvent.GoalReleased e => $"By {e.By}",
        KernelEvent.GoalDiscarded e => $"{e.Reason} (By {e.By})",
        KernelEvent.GoalDelegated e => e.Name,
        KernelEvent.PredecessorEnded e => $"Goal {e.On} is {e.State.ToString().ToLowerInvariant()}",
        KernelEvent.GoalFailed e => e.Reason,
        KernelEvent.GoalCancelled e => e.Reason,
        KernelEvent.GoalReopened e => $"By {e.By}",
        KernelEvent.TaskReleased e => e.Reason,
        KernelEvent.EffectIntended e => e.What,
        KernelEvent.EffectSettled e => (e.State == EffectState.Sent ? "Sent" : "Not sent") + (e.By is { } by ? $", by {by}" : ""),
        KernelEvent.EffectLost e => e.Failure.Reason,
        KernelEvent.ApprovalVoted e => $"{(e.IsFor ? "Approved" : "Denied")} by {e.By}{(e.Reason is { } why ? $": {why}" : "")}",
        KernelEvent.TaskFixed e => $"By {e.By}{(e.Executor is { } executor ? $", now {executor}" : "")}{(e.Input is null ? "" : ", with another input")}",
        _ => null,
    };
}

/// <summary>What the tasks of one goal are called. Entries know them by id; the one that added a task has its name.</summary>
internal sealed class TaskNames
{
    private readonly Dictionary<TaskId, string> _names = [];

    public void Learn(JournalEntry entry)
    {
        if (entry.Kind == EventKind.TaskAdded && entry.Event is KernelEvent.TaskAdded added)
            _names[entry.Task!.Value] = added.Spec.Name;
    }

    public void Learn(IReadOnlyDictionary<TaskId, string> names)
    {
        foreach (var (id, name) in names)
            _names[id] = name;
    }

    public string? Of(TaskId task) => _names.GetValueOrDefault(task);
}
