using Astra.Chaos.Load;
using Astra.Chaos.Worker;
using Astra.Kernel.Tasks;

namespace Astra.Chaos.Audit;

internal sealed record GoalRow(Guid Id, string? Key, GoalState State, int[] Counts);

internal sealed record TaskRow(Guid Id, Guid Goal, string Name, TaskState State, int Attempt, Guid[] After, long? Value);

/// <summary>Compares one page of the ledger with the rows, the log and what the receiver has counted.</summary>
internal sealed class GoalCheck(LogTrail log, Func<string, int> effectsOf, Findings findings)
{
    /// <param name="tasks">Those of the goal.</param>
    public void Check(LedgerPage page, GoalRow? goal, IReadOnlyList<TaskRow> tasks)
    {
        if (page.Refusal is { } refusal)
        {
            findings.Add(Loss.Unequal, $"{page.Key} was refused for good: {refusal}");
            return;
        }
        if (page.Goal is null)
            return; // No answer ever came; that has been found elsewhere, and either way is right.
        if (goal is null)
        {
            findings.Add(Loss.Lost, $"{page.Key} was acknowledged as goal {page.Goal}, and there is none.");
            return;
        }
        if (goal.Key != page.Key)
            findings.Add(Loss.Unequal, $"{page.Key} was acknowledged as goal {goal.Id}, which is {goal.Key}.");
        if (goal.State == GoalState.Active)
            findings.Add(Loss.Unended, $"{page.Key}, goal {goal.Id}, has not ended: {string.Join(", ", tasks.Where(task => !task.State.IsFinal()).Select(task => $"{task.Name} is {task.State} in attempt {task.Attempt}"))}.");
        else if (log.EndsOf(goal.Id) != 1)
            findings.Add(Loss.Unequal, $"{page.Key}, goal {goal.Id}, is {goal.State} in the rows and has {log.EndsOf(goal.Id)} ends in the log.");

        var isCancelled = goal.State == GoalState.Cancelled;
        if (isCancelled && !page.CancelWasSent)
            findings.Add(Loss.Unequal, $"{page.Key}, goal {goal.Id}, is cancelled and nobody has asked for that.");
        if (page.CancelWasAcknowledged && !isCancelled)
            findings.Add(Loss.Lost, $"{page.Key}, goal {goal.Id}, was cancelled, and it is {goal.State}.");
        for (var state = 0; state < goal.Counts.Length; state++)
            if (tasks.Count(task => task.State == (TaskState)(state + 1)) != goal.Counts[state])
                findings.Add(Loss.Unequal, $"{page.Key}, goal {goal.Id}, counts {goal.Counts[state]} {(TaskState)(state + 1)} tasks and has {tasks.Count(task => task.State == (TaskState)(state + 1))}.");

        var byName = tasks.ToDictionary(task => task.Name, StringComparer.Ordinal);
        var steps = StepsOf(page, goal.Id, byName);
        foreach (var step in steps)
        {
            if (byName.TryGetValue(step.Name, out var task))
                Check($"{page.Key}/{step.Name}, task {task.Id}", step, task, isCancelled, tasks);
            else
                findings.Add(Loss.Lost, $"{page.Key}, goal {goal.Id}, was acknowledged with step {step.Name}, and there is none.");
        }
        foreach (var stranger in byName.Keys.Except(steps.Select(step => step.Name), StringComparer.Ordinal))
            findings.Add(Loss.Unequal, $"{page.Key}, goal {goal.Id}, has step {stranger}, which nobody has asked for.");
        if (!isCancelled && goal.State != GoalState.Active && goal.State != (steps.All(step => step.Fate == Fate.Completes) ? GoalState.Completed : GoalState.Failed))
            findings.Add(Loss.Unequal, $"{page.Key}, goal {goal.Id}, ended {goal.State}.");
    }

    /// <summary>What was submitted and what edits have added. An edit whose answer was no, or never came, is there whole or not at all.</summary>
    private List<PlannedStep> StepsOf(LedgerPage page, Guid goal, Dictionary<string, TaskRow> byName)
    {
        var steps = page.Steps.ToList();
        foreach (var edit in page.Edits)
        {
            var present = edit.Steps.Count(step => byName.ContainsKey(step.Name));
            if (edit.WasAcknowledged == true || present == edit.Steps.Count)
            {
                steps.AddRange(edit.Steps);
                // The same edit has made the last step wait for it.
                if (byName.TryGetValue("join", out var join) && edit.Steps.Any(step => byName.TryGetValue(step.Name, out var added) && !join.After.Contains(added.Id)))
                    findings.Add(Loss.Unequal, $"{page.Key}, goal {goal}: half of an edit is there.");
            }
            else if (present > 0)
            {
                findings.Add(Loss.Unequal, $"{page.Key}, goal {goal}: half of an edit is there.");
            }
        }
        return steps;
    }

    private void Check(string what, PlannedStep step, TaskRow task, bool isCancelled, IReadOnlyList<TaskRow> tasks)
    {
        if (log.Find(task.Id) is not { } trail)
        {
            findings.Add(Loss.Lost, $"{what} is not in the log.");
            return;
        }
        if (trail.State != task.State || trail.Attempt != task.Attempt)
            findings.Add(Loss.Unequal, $"{what} is {task.State} in attempt {task.Attempt} in the rows, and {trail.State} in attempt {trail.Attempt} in the log.");
        if (!task.State.IsFinal())
            return; // Its goal has been found not to have ended.
        var expected = step.Fate switch { Fate.Completes => TaskState.Completed, Fate.Dies => TaskState.Dead, _ => TaskState.Cancelled };
        if (task.State != expected && !isCancelled)
            findings.Add(task.State == TaskState.Dead ? Loss.Lost : Loss.Unequal, $"{what} should be {expected} and is {task.State}.");

        var parents = task.After.Select(id => tasks.FirstOrDefault(one => one.Id == id)).ToList();
        foreach (var name in step.After.Where(name => parents.TrueForAll(parent => parent?.Name != name)))
            findings.Add(Loss.Unequal, $"{what} does not wait for {name}.");
        if (trail.FirstClaim > 0)
            foreach (var parent in parents)
                if (parent is null || log.Find(parent.Id) is not { Completion: > 0 } before || before.Completion > trail.FirstClaim)
                    findings.Add(Loss.OutOfOrder, $"{what} was started with entry {trail.FirstClaim}, before {parent?.Name} had completed.");
        if (task.State == TaskState.Completed && step.Kind != PlannedStep.PythonKind && task.Value is { } value
            && value != ChaosAgent.ValueOf(parents.Select(parent => parent?.Value ?? 0)))
            findings.Add(Loss.Unequal, $"{what} gave {value}, and what it waited for gave {string.Join(", ", parents.Select(parent => parent?.Value))}.");
        CheckEffect(what, step, task, trail);
    }

    private void CheckEffect(string what, PlannedStep step, TaskRow task, TaskTrail trail)
    {
        if (!step.Kind.StartsWith(ChaosAgent.Effect, StringComparison.Ordinal))
            return;
        var seen = effectsOf(KeyOf(task.Id));
        if (seen > 1)
            findings.Add(Loss.Doubled, $"{what} has acted {seen} times on the outside world{(trail.SentCount > 0 ? ", and the log says that it had been sent" : "")}.");
        if (seen == 0 && (trail.SentCount > 0 || task.State == TaskState.Completed))
            findings.Add(Loss.Lost, $"{what} is {task.State} and its effect was never seen.");
        if (trail.SentCount > 1)
            findings.Add(Loss.Doubled, $"{what} has {trail.SentCount} entries that say that its effect was sent.");
    }

    /// <summary>How all attempts at a task name its effect.</summary>
    public static string KeyOf(Guid task) => task.ToString("N");
}
