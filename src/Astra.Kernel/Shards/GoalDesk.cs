using Astra.Kernel.Approvals;
using Astra.Kernel.Effects;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Shards;

/// <summary>What people and agents may ask of a shard's goals. Each answer becomes true with the entries it recorded.</summary>
internal sealed class GoalDesk(ShardGoals goals, ShardLog log, GoalDecisions decisions, SubmissionDesk submissions, NodeParts parts)
{
    private readonly EffectDesk _effects = new(decisions, parts.Limits);
    private readonly ApprovalDesk _approvals = new(decisions);

    private static Answer<T> NoGoal<T>(GoalId goal) => new Refusal(RefusalKind.NotFound, $"There is no goal {goal} here.");

    private Answer<T> OnGoal<T>(TenantId tenant, GoalId id, Func<Goal, Answer<T>> then) =>
        goals.Find(tenant, id) is { } goal ? then(goal) : NoGoal<T>(id);

    private Answer<T> OnTask<T>(TenantId tenant, TaskId id, Func<Goal, TaskNode, Answer<T>> then) =>
        goals.FindByTask(tenant, id) is { } goal && goal.Graph.Find(id) is { } task
            ? then(goal, task)
            : new Refusal(RefusalKind.NotFound, $"There is no task {id} here.");

    public Answer<GoalRow> Submit(ShardRequest.Submit submit)
    {
        var goods = submit.Goods;
        if (goods.IdempotencyKey is { } key && goals.FindByKey(submit.Tenant, key) is { } before && !Mutants.IdempotencyKeyIgnored)
            return before.RequestDigest == submit.Digest
                ? before
                : new Refusal(RefusalKind.Conflict, $"The Idempotency-Key {key} was used before, for another goal ({before.Id}). Use a new key.");
        if (goods.IdempotencyKey is not null && !goals.Remembers(submit.LookedAt))
            return ShardActor.Starting;
        if (submit.Unrelated is { } unrelated)
            return unrelated;
        if (parts.Load.Refuses(submit.Tenant, parts.Limits) is { } overloaded)
            return overloaded;

        var begun = submissions.Begin(submit.Goal, submit.Tenant, goods, submit.Digest, submit.Caller.Principal);
        return begun.Refusal is { } refusal ? refusal : begun.Value.ToRow();
    }

    private Refusal? Edit(Goal goal, Func<GraphEditor, Refusal?> edit)
    {
        var editor = new GraphEditor(goal, decisions, log, parts);
        var refusal = edit(editor);
        parts.Load.AddGraphVisits(editor.VisitCount);
        return refusal;
    }

    public Answer<GoalSnapshot> Edit(ShardRequest.Edit edit) => OnGoal<GoalSnapshot>(edit.Tenant, edit.Goal, goal => Edit(goal, edit) is { } refusal ? refusal : goal.ToSnapshot());

    public Answer<GoalRow> EditBriefly(ShardRequest.Edit edit) => OnGoal<GoalRow>(edit.Tenant, edit.Goal, goal => Edit(goal, edit) is { } refusal ? refusal : goal.ToRow());

    public Answer<PlanRevision> Validate(ShardRequest.ValidateEdit edit) => OnGoal<PlanRevision>(edit.Tenant, edit.Goal, goal =>
        (Refuses(goal, edit.IfRevision) ?? Edit(goal, editor => editor.Check(edit.Edits))) is { } refusal ? refusal : new PlanRevision(goal.Revision + 1));

    public Answer<GoalRow> Cancel(ShardRequest.CancelGoal cancel) => OnGoal(cancel.Tenant, cancel.Goal, goal => Cancel(goal, cancel));

    public Answer<GoalRow> Pause(ShardRequest.PauseGoal pause) => OnGoal<GoalRow>(pause.Tenant, pause.Goal, goal =>
    {
        if (goal.State != GoalState.Active)
            return new Refusal(RefusalKind.Conflict, $"The goal has ended ({goal.State.ToString().ToLowerInvariant()}); there is nothing to pause.");
        if (goal.Extras.Pause is null)
            decisions.Pause(goal, pause.Caller.Principal, pause.Reason);
        return goal.ToRow();
    });

    public Answer<GoalRow> Resume(ShardRequest.ResumeGoal resume) => OnGoal<GoalRow>(resume.Tenant, resume.Goal, goal =>
    {
        if (goal.Extras.Pause is not null)
            decisions.Resume(goal, resume.Caller.Principal);
        return goal.ToRow();
    });

    public Answer<TaskRow> Redrive(ShardRequest.Redrive redrive) => OnTask(redrive.Tenant, redrive.Task, (goal, task) => Redrive(goal, task, redrive));

    public Answer<TaskRow> Discard(ShardRequest.Discard discard) => OnTask(discard.Tenant, discard.Task, (goal, task) => Discard(goal, task, discard));

    public Answer<TaskRow> Fix(ShardRequest.Fix fix) => OnTask(fix.Tenant, fix.Task, (goal, task) => Fix(goal, task, fix));

    public Answer<TaskRow> Resolve(ShardRequest.ResolveEffect resolve) => OnTask(resolve.Tenant, resolve.Task, (goal, task) => _effects.Resolve(goal, task, resolve));

    public Answer<TaskRow> Vote(ShardRequest.Vote vote) => OnTask(vote.Tenant, vote.Task, (goal, task) => _approvals.Take(goal, task, vote));

    public Answer<GoalRow> Read(ShardRequest.ReadGoal read) => OnGoal<GoalRow>(read.Tenant, read.Goal, goal => goal.ToRow());

    public Answer<GoalSnapshot> Read(ShardRequest.ReadPlan read) => OnGoal<GoalSnapshot>(read.Tenant, read.Goal, goal => goal.ToSnapshot());

    public Answer<TaskReading> Read(ShardRequest.ReadTask read) => OnTask<TaskReading>(
        read.Tenant, read.Task, (goal, task) => new TaskReading(goal.ToRow(task), [.. task.After.Select(edge => edge.Node.Spec.Name)]));

    private Refusal? Edit(Goal goal, ShardRequest.Edit edit) =>
        Refuses(goal, edit.IfRevision) ?? Edit(goal, editor => editor.Apply(edit.Edits, edit.Caller.Principal, edit.Reason));

    private static Refusal? Refuses(Goal goal, long? ifRevision)
    {
        if (goal.State != GoalState.Active)
            return new Refusal(RefusalKind.Conflict, $"The goal has ended ({goal.State.ToString().ToLowerInvariant()}); finished history is not edited.");
        if (ifRevision is { } expected && expected != goal.Revision && !Mutants.EditIgnoresVersion)
            return new Refusal(RefusalKind.Conflict, $"The plan is at revision {goal.Revision}, not {expected}: somebody else has edited it. Read it again and repeat the edit.");
        return null;
    }

    private Answer<GoalRow> Cancel(Goal goal, ShardRequest.CancelGoal cancel)
    {
        if (goal.State is GoalState.Completed or GoalState.Failed)
            return new Refusal(RefusalKind.Conflict, $"The goal has ended already ({goal.State.ToString().ToLowerInvariant()}).");
        if (goal.State == GoalState.Active)
            decisions.CancelGoal(goal, cancel.Reason);
        return goal.ToRow();
    }

    private Answer<TaskRow> Redrive(Goal goal, TaskNode task, ShardRequest.Redrive redrive)
    {
        if (task.State is TaskState.Pending or TaskState.Ready)
            return goal.ToRow(task);
        if (task.State != TaskState.Dead)
            return new Refusal(RefusalKind.Conflict, $"Task {task.Spec.Name} is {task.State.ToString().ToLowerInvariant()}; only a dead letter can be replayed.");
        if (goal.State is GoalState.Completed or GoalState.Cancelled)
            return new Refusal(RefusalKind.Conflict, $"Its goal has ended ({goal.State.ToString().ToLowerInvariant()}) and has taken this failure into account; submit the goal again.");
        decisions.Redrive(goal, task, redrive.Caller.Principal);
        return goal.ToRow(task);
    }

    private Answer<TaskRow> Discard(Goal goal, TaskNode task, ShardRequest.Discard discard)
    {
        if (task.State == TaskState.Cancelled)
            return goal.ToRow(task);
        if (task.State != TaskState.Dead)
            return new Refusal(RefusalKind.Conflict, $"Task {task.Spec.Name} is {task.State.ToString().ToLowerInvariant()}; only a dead letter can be discarded.");
        decisions.Cancel(goal, task, discard.Reason);
        return goal.ToRow(task);
    }

    private Answer<TaskRow> Fix(Goal goal, TaskNode task, ShardRequest.Fix fix)
    {
        if (task.State != TaskState.Dead)
            return new Refusal(RefusalKind.Conflict, $"Task {task.Spec.Name} is {task.State.ToString().ToLowerInvariant()}; only a dead letter can be fixed. Edit the plan instead.");
        var spec = task.Spec with { Executor = fix.Executor ?? task.Spec.Executor, Input = fix.Input ?? task.Spec.Input };
        if (SpecRules.Check(spec, parts.Limits) is { } refusal)
            return refusal;
        if (parts.VotesNeeded(spec.Executor) > (spec.Extras.Approval?.VotesNeeded ?? 0))
            return new Refusal(RefusalKind.Conflict, $"{spec.Executor} takes more people's approval than step {task.Spec.Name} asks for; add a step for it instead.");
        if (spec.Executor == task.Spec.Executor && spec.Input.Span.SequenceEqual(task.Spec.Input.Span))
            return fix.Executor is null && fix.Input is null
                ? new Refusal(RefusalKind.Invalid, "A fix names another input, another executor, or both.")
                : goal.ToRow(task);
        decisions.Fix(goal, task, fix.Executor, fix.Input, fix.Caller.Principal);
        return goal.ToRow(task);
    }

    /// <returns>Null when the goal is in memory now; otherwise the rows have to be read again.</returns>
    public Refusal? Revive(ShardRequest.Revive revive)
    {
        var row = revive.Snapshot.Goal;
        if (goals.Find(row.Tenant, row.Id) is not null)
            return null;
        // An active goal lives in memory; rows that call it active and are not to be found here are behind.
        if (row.State == GoalState.Active || !goals.IsCurrent(row, revive.ReadAt))
            return ShardActor.Starting;
        goals.Add(Goal.Restore(revive.Snapshot));
        return null;
    }
}
