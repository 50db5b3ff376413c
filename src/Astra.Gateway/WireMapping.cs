using Astra.Agents;
using Astra.Governance;
using Astra.Kernel;
using Astra.Kernel.Approvals;
using Astra.Kernel.Tasks;
using Astra.Sdk;
using KernelFailureKind = Astra.Kernel.Tasks.FailureKind;
using KernelGoalState = Astra.Kernel.Tasks.GoalState;
using KernelTaskState = Astra.Kernel.Tasks.TaskState;
using WireCounts = Astra.Sdk.TaskCounts;
using WireFailureKind = Astra.Sdk.FailureKind;
using WireGoalState = Astra.Sdk.GoalState;
using WireTaskState = Astra.Sdk.TaskState;

namespace Astra.Gateway;

/// <summary>The kernel's rows as the API shows them. The two change for different reasons, and this is where they meet.</summary>
public static class WireMapping
{
    public static GoalView ToView(GoalRow goal) => new()
    {
        Id = goal.Id.Value,
        Agent = goal.Agent,
        Title = goal.Title,
        State = ToWire(goal.State),
        Priority = goal.Priority,
        Revision = goal.Revision,
        LastSeq = goal.LastSeq,
        CreatedAt = goal.CreatedAt,
        EndedAt = goal.EndedAt,
        Tasks = new WireCounts(goal.Counts.Pending, goal.Counts.Ready, goal.Counts.Running, goal.Counts.Completed, goal.Counts.Cancelled, goal.Counts.Dead),
        Input = WorkMapping.ToJson(goal.Input),
        Result = WorkMapping.ToJson(goal.Result),
        After = RelationMapping.ToView(goal.Extras.After),
        Parent = goal.Extras.Parent?.Value,
        Reason = goal.Reason,
        Paused = goal.Extras.Pause is { } pause ? new PauseView(pause.By, pause.Reason, pause.At) : null,
    };

    /// <param name="nameOf">What the steps it waits for are called; a step knows them by id.</param>
    /// <param name="isInList">Payloads are left out of lists.</param>
    public static TaskView ToView(TaskRow task, Func<TaskId, string?> nameOf, bool isInList) => new()
    {
        Id = task.Id.Value,
        GoalId = task.Goal.Value,
        Name = task.Spec.Name,
        Executor = task.Spec.Executor,
        Kind = task.Spec.Kind,
        State = ToWire(task.State),
        Priority = task.Spec.Priority,
        Attempt = task.Attempt,
        AttemptCountMax = task.Spec.AttemptCountMax,
        After = [.. task.After.Select(after => WorkMapping.ToWire(nameOf(after.On) ?? after.On.ToString(), after))],
        Worker = task.WorkerName,
        DueAt = task.DueAt,
        CreatedAt = task.CreatedAt,
        StartedAt = task.StartedAt,
        EndedAt = task.EndedAt,
        Input = isInList ? null : WorkMapping.ToJson(task.Spec.Input),
        Output = isInList ? null : WorkMapping.ToJson(task.Output),
        Failure = task.Failure is { } failure ? ToView(failure) : null,
        Effect = task.Spec.Extras.Effect is { } effect
            ? new EffectView(WorkMapping.ToWire(effect.State), effect.Attempt, effect.What, effect.At, isInList ? null : WorkMapping.ToJson(effect.Output), effect.By) : null,
        Approval = task.Spec.Extras.Approval is { } approval ? ToView(task, approval) : null,
        Outcome = task.Spec.Extras.Outcome,
        Group = task.Spec.Extras.Group,
        Reason = task.Reason,
        Skipped = task.Spec.Extras.IsSkipped,
        NotBefore = task.Spec.Extras.NotBefore,
        Deadline = task.Spec.Extras.Deadline,
        Queue = task.Spec.Extras.Queue,
        Requires = task.Spec.Extras.Requires is { } requires ? Capabilities.Split(requires) : null,
    };

    private static ApprovalView ToView(TaskRow task, Approval approval)
    {
        var digest = Approval.DigestOf(task.Id, task.Spec);
        return new ApprovalView(
            approval.VotesNeeded, approval.VotesFor(digest).Count(), digest, approval.AskedBy,
            [.. approval.Votes.Select(vote => new VoteView(vote.By, vote.At, vote.Reason, Counts: vote.Digest == digest))]);
    }

    public static TaskFailure ToView(Failure failure) => new(ToWire(failure.Kind), failure.Reason, failure.Fingerprint);

    public static TaskView ToView(TaskReading reading)
    {
        var names = reading.Task.After.Select((after, index) => (after.On, Name: reading.AfterNames[index])).ToList();
        return ToView(reading.Task, id => names.Find(name => name.On == id).Name, isInList: false);
    }

    public static PlanView ToView(GoalSnapshot plan, bool isInList)
    {
        var names = NamesOf(plan);
        return new PlanView(plan.Goal.Id.Value, plan.Goal.Revision, [.. plan.Tasks.Select(task => ToView(task, names.GetValueOrDefault, isInList))]);
    }

    public static Dictionary<TaskId, string> NamesOf(GoalSnapshot plan) => plan.Tasks.ToDictionary(task => task.Id, task => task.Spec.Name);

    public static WhyView ToView(Explanation explanation) => new(explanation.Id, explanation.Subject, explanation.Sentence, explanation.Evidence);

    public static ApiKeyView ToView(ApiKeyRecord key) => new()
    {
        Id = key.Id,
        Name = key.Name,
        Role = key.Role switch { Role.PlatformAdmin => KeyRole.PlatformAdmin, Role.OrgAdmin => KeyRole.OrgAdmin, _ => KeyRole.Member },
        CreatedAt = key.CreatedAt,
        RevokedAt = key.RevokedAt,
    };

    public static Role ToGovernance(KeyRole role) => role switch
    {
        KeyRole.PlatformAdmin => Role.PlatformAdmin,
        KeyRole.OrgAdmin => Role.OrgAdmin,
        _ => Role.Member,
    };

    public static KernelGoalState ToKernel(WireGoalState state) => state switch
    {
        WireGoalState.Completed => KernelGoalState.Completed,
        WireGoalState.Failed => KernelGoalState.Failed,
        WireGoalState.Cancelled => KernelGoalState.Cancelled,
        _ => KernelGoalState.Active,
    };

    public static WireTaskState ToWire(KernelTaskState state) => state switch
    {
        KernelTaskState.Pending => WireTaskState.Pending,
        KernelTaskState.Ready => WireTaskState.Ready,
        KernelTaskState.Running => WireTaskState.Running,
        KernelTaskState.Completed => WireTaskState.Completed,
        KernelTaskState.Cancelled => WireTaskState.Cancelled,
        KernelTaskState.Dead => WireTaskState.Dead,
        _ => throw new ArgumentOutOfRangeException(nameof(state), state, "No such state of a task."),
    };

    public static WireGoalState ToWire(KernelGoalState state) => state switch
    {
        KernelGoalState.Active => WireGoalState.Active,
        KernelGoalState.Completed => WireGoalState.Completed,
        KernelGoalState.Failed => WireGoalState.Failed,
        KernelGoalState.Cancelled => WireGoalState.Cancelled,
        _ => throw new ArgumentOutOfRangeException(nameof(state), state, "No such state of a goal."),
    };

    private static WireFailureKind ToWire(KernelFailureKind kind) => kind switch
    {
        KernelFailureKind.Transient => WireFailureKind.Transient,
        KernelFailureKind.Permanent => WireFailureKind.Permanent,
        KernelFailureKind.Poison => WireFailureKind.Poison,
        KernelFailureKind.UnknownEffect => WireFailureKind.UnknownEffect,
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "No such kind of failure."),
    };
}
