using Astra.Kernel.Actors;
using Astra.Kernel.Effects;
using Astra.Kernel.Scheduling;
using Astra.Kernel.Tasks;

namespace Astra.Kernel;

/// <summary>The answer to "why is it not done?": one true sentence, and the facts it rests on.</summary>
/// <param name="Subject">"goal" or "task".</param>
public sealed record Explanation(Guid Id, string Subject, string Sentence, IReadOnlyDictionary<string, string> Evidence);

internal sealed class Explainer(IClock clock, ActorRef scheduler)
{
    private static readonly TimeSpan SchedulerTimeout = TimeSpan.FromSeconds(2);

    public async ValueTask<Explanation> ExplainAsync(GoalSnapshot goal)
    {
        var row = goal.Goal;
        var evidence = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["state"] = Word(row.State), ["tasks"] = $"{row.Counts.Completed} of {row.Counts.Total} completed",
            ["running"] = row.Counts.Running.ToString(), ["ready"] = row.Counts.Ready.ToString(), ["dead"] = row.Counts.Dead.ToString(),
        };
        var sentence = row.State switch
        {
            GoalState.Completed => "The goal is completed.",
            GoalState.Failed => $"The goal has failed. {row.Reason}",
            GoalState.Cancelled => $"The goal was cancelled: {row.Reason}",
            _ when row.Extras.IsHeld => ExplainHeld(row, evidence),
            _ when row.Counts.Running > 0 => $"It is being worked on: {Names(goal, TaskState.Running)} running.",
            _ when goal.Tasks.FirstOrDefault(task => task.State == TaskState.Ready) is { } ready =>
                $"Task {ready.Spec.Name} waits to run. {(await ExplainReadyAsync(goal, ready, evidence))}",
            _ when goal.Tasks.FirstOrDefault(AwaitsResolution) is { } unknown => $"It waits for a decision. {ExplainUnknown(unknown, evidence)}",
            _ when goal.Tasks.FirstOrDefault(task => task.State == TaskState.Dead) is { } dead =>
                $"It waits for a decision about dead task {dead.Spec.Name}: replay or discard it.",
            _ => "Every task waits for another.",
        };
        return new Explanation(row.Id.Value, "goal", sentence, evidence);
    }

    public async ValueTask<Explanation> ExplainAsync(GoalSnapshot goal, TaskRow task)
    {
        var evidence = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["state"] = Word(task.State), ["goal"] = task.Goal.ToString(), ["attempt"] = task.Attempt.ToString(), ["executor"] = task.Spec.Executor,
        };
        if (task.Failure is { } failure)
            (evidence["failure"], evidence["fingerprint"]) = (failure.Reason, failure.Fingerprint);
        var sentence = task.State switch
        {
            TaskState.Completed => $"Task {task.Spec.Name} is completed.",
            TaskState.Cancelled => $"Task {task.Spec.Name} was cancelled: {task.Reason}",
            TaskState.Dead => $"Task {task.Spec.Name} is a dead letter after {task.FailureCount} failed attempts ({Word(task.Failure?.Kind)}): {task.Failure?.Reason}",
            TaskState.Running => $"Worker {task.WorkerName} has been running attempt {task.Attempt} for {(clock.UtcNow - task.StartedAt!.Value).TotalSeconds:0.0} seconds.",
            TaskState.Ready when task.Failure is { } before && task.DueAt > clock.UtcNow =>
                $"Attempt {task.Attempt} failed ({before.Reason}); the next one is due at {task.DueAt:HH:mm:ss} UTC.",
            TaskState.Ready => await ExplainReadyAsync(goal, task, evidence),
            _ when AwaitsResolution(task) => ExplainUnknown(task, evidence),
            _ => ExplainPending(goal, task, evidence),
        };
        return new Explanation(task.Id.Value, "task", sentence, evidence);
    }

    private async ValueTask<string> ExplainReadyAsync(GoalSnapshot goal, TaskRow task, Dictionary<string, string> evidence)
    {
        var question = new ExplainReady(task.Tenant, goal.Goal.Agent, task.Id, task.Spec.Executor);
        try
        {
            var reason = await scheduler.AskAsync<WaitReason>(question, SchedulerTimeout);
            foreach (var (key, value) in reason.Evidence)
                evidence[key] = value;
            return reason.Sentence;
        }
        catch (Exception e) when (e is AskTimeoutException or ActorStoppedException)
        {
            return "The node is very busy or stopping; ask again in a moment.";
        }
    }

    private static bool AwaitsResolution(TaskRow task) => task is { State: TaskState.Pending, Spec.Extras.Effect.State: EffectState.Unknown };

    private static string ExplainUnknown(TaskRow task, Dictionary<string, string> evidence)
    {
        var effect = task.Spec.Extras.Effect!;
        (evidence["effect"], evidence["what"]) = ("unknown", effect.What);
        return $"Attempt {effect.Attempt} of task {task.Spec.Name} was lost while it acted on the outside world ({effect.What}), and nobody knows whether it did: "
            + $"find out, then run `astra effect resolve {task.Id}` with --sent or --not-sent.";
    }

    private static string ExplainHeld(GoalRow goal, Dictionary<string, string> evidence)
    {
        var open = goal.Extras.After!.Where(dependency => dependency.IsOpen).ToList();
        evidence["waitsForGoals"] = string.Join(", ", open.Take(10).Select(dependency => dependency.On));
        var first = $"goal {open[0].On}, which has not {(open[0].Condition == GoalCondition.Completed ? "completed" : "ended")} yet (ask `astra why {open[0].On}`)";
        return open.Count == 1 ? $"It comes after {first}." : $"It comes after {open.Count} goals that have not ended, the first of them {first}.";
    }

    private static string ExplainPending(GoalSnapshot goal, TaskRow task, Dictionary<string, string> evidence)
    {
        if (goal.Goal.Extras.IsHeld)
            return $"Task {task.Spec.Name} waits for the goal it belongs to. {ExplainHeld(goal.Goal, evidence)}";
        var byId = goal.Tasks.ToDictionary(other => other.Id);
        var open = task.After.Where(dependency => byId.TryGetValue(dependency.On, out var on)
            && on.Judge(dependency, DeadTaskPolicy.Wait) != DependencyVerdict.Met).Select(dependency => byId[dependency.On]).ToList();
        evidence["waitsFor"] = string.Join(", ", open.Take(10).Select(on => $"{on.Spec.Name} ({Word(on.State)})"));
        if (open.FirstOrDefault(on => on.State == TaskState.Dead) is { } dead)
            return $"Task {task.Spec.Name} waits for {dead.Spec.Name}, which is a dead letter: replay or discard that.";
        return open.Count switch
        {
            0 => $"Task {task.Spec.Name} is about to become ready.",
            1 => $"Task {task.Spec.Name} waits for {open[0].Spec.Name}, which is {Word(open[0].State)}.",
            _ => $"Task {task.Spec.Name} waits for {open.Count} others, the first of them {open[0].Spec.Name}, which is {Word(open[0].State)}.",
        };
    }

    private static string Names(GoalSnapshot goal, TaskState state)
    {
        var names = goal.Tasks.Where(task => task.State == state).Select(task => task.Spec.Name).ToList();
        return names.Count <= 3 ? string.Join(", ", names) : $"{string.Join(", ", names.Take(2))} and {names.Count - 2} more";
    }

    private static string Word<T>(T value) => value?.ToString()?.ToLowerInvariant() ?? "unknown";
}
