using System.Globalization;
using Astra.Kernel.Actors;
using Astra.Kernel.Approvals;
using Astra.Kernel.Effects;
using Astra.Kernel.Scheduling;
using Astra.Kernel.Shards;
using Astra.Kernel.Tasks;
using Astra.Kernel.Timers;

namespace Astra.Kernel;

/// <summary>The answer to "why is it not done?": one true sentence, and the facts it rests on.</summary>
/// <param name="Subject">"goal", "task", "agent", "worker", "schedule" or "shard". An agent has a name and no id.</param>
public sealed record Explanation(Guid Id, string Subject, string Sentence, IReadOnlyDictionary<string, string> Evidence);

internal sealed class Explainer(IClock clock, ActorRef scheduler, ShardDoor door)
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
            _ when row.Extras.Pause is { } pause && row.Counts.Running > 0 => $"{Paused(row, pause, evidence)} Until then {Names(goal, TaskState.Running)} still runs to its end.",
            _ when row.Extras.Pause is { } pause => Paused(row, pause, evidence),
            _ when row.Counts.Running > 0 => $"It is being worked on: {Names(goal, TaskState.Running)} running.",
            _ when goal.Tasks.FirstOrDefault(task => task.State == TaskState.Ready) is { } ready =>
                $"Task {ready.Spec.Name} waits to run. {(await ExplainReadyAsync(goal, ready, evidence))}",
            _ when goal.Tasks.FirstOrDefault(AwaitsResolution) is { } unknown => $"It waits for a decision. {ExplainUnknown(unknown, evidence)}",
            _ when goal.Tasks.FirstOrDefault(task => task.AwaitsApproval && OpenBefore(goal, task).Count == 0) is { } asks => $"It waits for people. {ExplainApproval(row, asks, evidence)}",
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
            TaskState.Dead when task.FailureCount == 0 => $"Task {task.Spec.Name} is a dead letter ({Word(task.Failure?.Kind)}): {task.Failure?.Reason}",
            TaskState.Dead => $"Task {task.Spec.Name} is a dead letter after {task.FailureCount} failed attempts ({Word(task.Failure?.Kind)}): {task.Failure?.Reason}",
            TaskState.Running => await ExplainRunningAsync(task, evidence),
            _ when goal.Goal.Extras.Pause is { } pause => Paused(goal.Goal, pause, evidence),
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
        var what = new TaskClass(task.Spec.Executor, task.Spec.Extras.Queue, task.Spec.Extras.Requires);
        return Take(await AskAsync(new ExplainReady(task.Tenant, goal.Goal.Agent, task.Id, what)), evidence);
    }

    public async ValueTask<Answer<Explanation>> ExplainAgentAsync(TenantId tenant, string agent, string executor)
    {
        var evidence = new Dictionary<string, string>(StringComparer.Ordinal) { ["agent"] = agent };
        return new Explanation(Guid.Empty, "agent", Take(await AskAsync(new ExplainAgent(tenant, agent, executor)), evidence), evidence);
    }

    /// <summary>Null when no such worker is connected to this node.</summary>
    public async ValueTask<Explanation?> ExplainWorkerAsync(TenantId tenant, WorkerId worker) =>
        await AskAsync(new ExplainWorker(tenant, worker)) is WaitReason reason ? new Explanation(worker.Value, "worker", reason.Sentence, reason.Evidence) : null;

    public Explanation Explain(Schedule schedule)
    {
        var evidence = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["when"] = schedule.When, ["timeZone"] = schedule.TimeZone, ["misfire"] = Word(schedule.Misfire),
            ["fired"] = schedule.FiredCount.ToString(CultureInfo.InvariantCulture), ["missed"] = schedule.MissedCount.ToString(CultureInfo.InvariantCulture),
        };
        if (schedule.NextAt is { } at)
            evidence["nextAt"] = at.ToString("O", CultureInfo.InvariantCulture);
        if (schedule.LastProblem is { } problem)
            evidence["lastProblem"] = problem;
        var sentence = schedule switch
        {
            { PausedBy: { } by } => $"Schedule {schedule.Name} is paused by {by}; `astra schedule resume {schedule.Id}` goes on.",
            { NextAt: null } => $"Schedule {schedule.Name} has no time left to fire at.",
            { NextAt: { } due } when due <= clock.UtcNow => $"Schedule {schedule.Name} is being fired for {due:yyyy-MM-dd HH:mm:ss} UTC.",
            { NextAt: { } due } => $"Schedule {schedule.Name} fires next at {due:yyyy-MM-dd HH:mm:ss} UTC.",
        };
        return new Explanation(schedule.Id.Value, "schedule", schedule.LastProblem is null ? sentence : $"{sentence} The last time nothing came of it: {schedule.LastProblem}", evidence);
    }

    public Explanation ExplainShard(Guid id, Refusal refusal, ShardMap map)
    {
        var shard = ShardId.OfId(id);
        var owner = map.Owner(shard)?.Node.Value ?? "";
        return new Explanation(
            id, "shard",
            owner.Length == 0 ? $"Shard {shard}, where this lives, has no owner at the moment; a living node takes it within seconds."
            : refusal == ShardActor.Starting ? $"Shard {shard}, where this lives, is being loaded by node {owner}; ask again in a moment."
            : refusal.Reason,
            new Dictionary<string, string>(StringComparer.Ordinal) { ["shard"] = shard.ToString(), ["owner"] = owner });
    }

    private async ValueTask<object?> AskAsync(object question)
    {
        try
        {
            return await scheduler.AskAsync<object>(question, SchedulerTimeout);
        }
        catch (Exception e) when (e is AskTimeoutException or ActorStoppedException)
        {
            return null;
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

    private static string Take(object? answer, Dictionary<string, string> evidence)
    {
        if (answer is not WaitReason reason)
            return "The node is very busy or stopping; ask again in a moment.";
        foreach (var (key, value) in reason.Evidence)
            evidence[key] = value;
        return reason.Sentence;
    }

    private static string Paused(GoalRow goal, GoalPause pause, Dictionary<string, string> evidence)
    {
        (evidence["pausedBy"], evidence["pausedAt"]) = (pause.By, pause.At.ToString("O", CultureInfo.InvariantCulture));
        return $"The goal is paused by {pause.By}{(pause.Reason is { } reason ? $" ({reason})" : "")}; `astra goal resume {goal.Id}` goes on.";
    }

    private async ValueTask<string> ExplainRunningAsync(TaskRow task, Dictionary<string, string> evidence)
    {
        var running = $"Worker {task.WorkerName} has been running attempt {task.Attempt} for {(clock.UtcNow - task.StartedAt!.Value).TotalSeconds:0.0} seconds";
        var asked = await door.AskAsync<LeaseStanding>(task.Id.Shard, new ShardRequest.ReadLease(task.Tenant, task.Id));
        if (!asked.IsOk)
            return $"{running}.";
        var lease = asked.Value;
        (evidence["silentSeconds"], evidence["leaseEndsInSeconds"]) = ($"{lease.SilentFor.TotalSeconds:0.0}", $"{lease.EndsIn.TotalSeconds:0.0}");
        // A worker heartbeats at a third of the lease; past half of it one at least was missed.
        return lease.SilentFor <= task.Spec.LeaseDuration / 2 ? $"{running}."
            : $"{running} and has been silent for the last {lease.SilentFor.TotalSeconds:0.0}; if it stays so, the task is given to another in {Math.Max(0, lease.EndsIn.TotalSeconds):0.0}.";
    }

    private static string ExplainPending(GoalSnapshot goal, TaskRow task, Dictionary<string, string> evidence)
    {
        if (goal.Goal.Extras.IsHeld)
            return $"Task {task.Spec.Name} waits for the goal it belongs to. {ExplainHeld(goal.Goal, evidence)}";
        var open = OpenBefore(goal, task);
        var approval = task.AwaitsApproval ? ExplainApproval(goal.Goal, task, evidence) : null;
        if (open.Count == 0 && approval is not null)
            return approval;
        return approval is null ? ExplainOpen(task, open, evidence) : $"{ExplainOpen(task, open, evidence)} Beside that: {approval}";
    }

    private static string ExplainApproval(GoalRow goal, TaskRow task, Dictionary<string, string> evidence)
    {
        var approval = task.Spec.Extras.Approval!;
        var digest = Approval.DigestOf(task.Id, task.Spec);
        var votes = approval.VotesFor(digest).ToList();
        var count = $"{votes.Count} of {approval.VotesNeeded}";
        var askers = approval.AskedBy is { } asker && asker != goal.SubmittedBy && !asker.StartsWith(GraphEdit.ByTask, StringComparison.Ordinal)
            ? $"{goal.SubmittedBy} and {asker}, who have" : $"{goal.SubmittedBy}, who has";
        (evidence["approval"], evidence["digest"]) = (count, digest);
        var agreed = string.Join(", ", votes.Select(vote => vote.By));
        if (votes.Count > 0)
            evidence["approvedBy"] = agreed;
        var before = votes.Count > 0 ? $" ({agreed} agreed)"
            : approval.Votes.Count > 0 ? $" (it has been changed since {string.Join(", ", approval.Votes.Select(vote => vote.By))} agreed, so that does not count)"
            : "";
        return $"Task {task.Spec.Name} waits for approval {count}{before}: `astra approvals show {task.Id}` shows what it would do and how to vote, "
            + $"which any org admin may but {askers} asked for it.";
    }

    /// <summary>The tasks before it that have not ended as it needs.</summary>
    private static List<TaskRow> OpenBefore(GoalSnapshot goal, TaskRow task)
    {
        var byId = goal.Tasks.ToDictionary(other => other.Id);
        return [.. task.After.Where(dependency => byId.TryGetValue(dependency.On, out var on)
            && on.Judge(dependency, DeadTaskPolicy.Wait) != DependencyVerdict.Met).Select(dependency => byId[dependency.On])];
    }

    private static string ExplainOpen(TaskRow task, List<TaskRow> open, Dictionary<string, string> evidence)
    {
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
