using Astra.Kernel;
using Astra.Kernel.Tasks;
using Astra.Kernel.Workers;

namespace Astra.Simulation;

/// <summary>
/// Holds what anyone was told against the log: it was durable before it was said, it agrees with the log as of the entry
/// it names, and nobody is shown less than somebody was shown before.
/// </summary>
internal sealed class ReplyAudit(Verdict verdict, JournalAudit journal)
{
    private readonly Dictionary<GoalId, long> _shown = [];

    /// <summary>Whoever asks from now on must be shown at least this.</summary>
    public long ShownOf(GoalId goal) => _shown.GetValueOrDefault(goal);

    public void Shown(GoalRow row, long shownBefore)
    {
        var goal = journal.Find(row.Id);
        verdict.Check(goal is not null, $"A reply shows goal {row.Id}, which is not in the log.");
        verdict.Check(goal!.History.TryGetValue(row.LastSeq, out var moment), $"A reply shows goal {row.Id} as of entry {row.LastSeq}, which the log does not have; its last is {goal.LastSeq}.");
        verdict.Check(moment == new GoalMoment(row.State, row.Revision, row.Counts), $"A reply shows goal {row.Id} as of entry {row.LastSeq} as {row.State}, revision {row.Revision}, {row.Counts}; the log says {moment}.");
        verdict.Check(row.LastSeq >= shownBefore, $"A reply shows goal {row.Id} as of entry {row.LastSeq}, after somebody was shown {shownBefore}.");
        _shown[row.Id] = long.Max(_shown.GetValueOrDefault(row.Id), row.LastSeq);
    }

    /// <summary>A row is written.</summary>
    public void Projected(GoalRow row)
    {
        var goal = journal.Find(row.Id);
        verdict.Check(goal is not null, $"The row of goal {row.Id} is written, which is not in the log.");
        verdict.Check(goal!.History.TryGetValue(row.LastSeq, out var moment), $"The row of goal {row.Id} is written as of entry {row.LastSeq}, which the log does not have.");
        verdict.Check(moment == new GoalMoment(row.State, row.Revision, row.Counts), $"The row of goal {row.Id} is written as of entry {row.LastSeq} as {row.State}, revision {row.Revision}, {row.Counts}; the log says {moment}.");
    }

    public void Shown(GoalSnapshot plan, long shownBefore)
    {
        Shown(plan.Goal, shownBefore);
        var goal = journal.Find(plan.Goal.Id)!;
        verdict.Check(plan.Tasks.Count == plan.Goal.Counts.Total, $"A plan of goal {goal.Id} has {plan.Tasks.Count} tasks and counts {plan.Goal.Counts.Total}.");
        if (plan.Goal.LastSeq != goal.LastSeq)
            return;
        foreach (var task in plan.Tasks)
            CheckRow(goal, task);
    }

    /// <summary>A row of a task that must be as the log has it now.</summary>
    public void CheckRow(GoalModel goal, TaskRow row)
    {
        var task = goal.Find(row.Id);
        verdict.Check(task is not null, $"Task {row.Spec.Name} of goal {goal.Id} is shown and not in the log.");
        verdict.Check(IsSame(row, task!), $"Task {row.Spec.Name} of goal {goal.Id} is shown as {Describe(row)}; the log says {Describe(task!)}.");
    }

    /// <summary>A task is told after something was asked of it; it may have moved on since.</summary>
    public void Told(TaskRow row)
    {
        var found = journal.Find(row.Id);
        verdict.Check(found is not null, $"A reply shows task {row.Id}, which is not in the log.");
        verdict.Check(row.Attempt <= found!.Value.Task.Attempt, $"A reply shows attempt {row.Attempt} of task {row.Spec.Name}; the log has {found.Value.Task.Attempt}.");
    }

    public void Assigned(Assignment assignment, WorkerId worker)
    {
        var found = journal.Find(assignment.Task);
        verdict.Check(found is not null && found.Value.Task.Claims.TryGetValue(assignment.Attempt, out var holder) && holder == worker,
            $"Worker {worker} was given attempt {assignment.Attempt} of task {assignment.Task} before the log knew.");
        verdict.Check(assignment.Dependencies.All(dependency => dependency.State.IsFinal()), $"Task {assignment.Spec.Name} was handed out before what it waits for had ended.");
    }

    /// <summary>Somebody acts on the outside world: the log said so first.</summary>
    public void Acts(AttemptId attempt) => verdict.Check(
        journal.Find(attempt.Task)?.Task.Intents.Contains(attempt.Attempt) == true, $"Attempt {attempt.Attempt} of task {attempt.Task} acts on the outside world, and the log does not know.");

    public void Accepted(AttemptId attempt, params ReadOnlySpan<TaskCommand> endings)
    {
        var found = journal.Find(attempt.Task);
        TaskCommand ending = default;
        var isEnded = found is not null && found.Value.Task.Endings.TryGetValue(attempt.Attempt, out ending);
        verdict.Check(isEnded && endings.Contains(ending),
            $"The report that attempt {attempt.Attempt} of task {attempt.Task} ended ({endings[0]}) was accepted; the log has {(isEnded ? ending.ToString() : "nothing")}.");
    }

    private static bool IsSame(TaskRow row, TaskModel task) =>
        row.State == task.State && row.Attempt == task.Attempt && row.FailureCount == task.FailureCount && row.ExpiryCount == task.ExpiryCount
        && row.Spec.Priority == task.Priority && row.Output.Span.SequenceEqual(task.Output.Span)
        && row.Spec.Extras.Outcome == task.Outcome && row.Spec.Extras.IsSkipped == task.IsSkipped && row.After.SequenceEqual(task.After);

    private static string Describe(TaskRow row) =>
        $"{row.State} attempt {row.Attempt}, {row.FailureCount} failed, {row.ExpiryCount} lost, priority {row.Spec.Priority}, "
        + $"output {Convert.ToHexString(row.Output.Span)}, outcome {row.Spec.Extras.Outcome}, skipped {row.Spec.Extras.IsSkipped}, after {string.Join(",", row.After)}";

    private static string Describe(TaskModel task) =>
        $"{task.State} attempt {task.Attempt}, {task.FailureCount} failed, {task.ExpiryCount} lost, priority {task.Priority}, "
        + $"output {Convert.ToHexString(task.Output.Span)}, outcome {task.Outcome}, skipped {task.IsSkipped}, after {string.Join(",", task.After)}";
}
