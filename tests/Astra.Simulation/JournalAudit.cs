using Astra.Kernel;
using Astra.Kernel.Effects;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;

namespace Astra.Simulation;

/// <summary>
/// Reads the log as it is committed, rebuilds every goal from it without the kernel's help, and checks each entry against
/// the state the log had before it.
/// </summary>
internal sealed class JournalAudit(Verdict verdict, Trace trace, Coverage coverage, BoundsAudit bounds)
{
    private static readonly HashSet<(TaskState, TaskCommand, TaskState)> Moves = [.. TaskTransitions.Moves];

    private readonly Dictionary<int, long> _lastSeqs = [];
    private readonly Dictionary<ShardId, Epoch> _epochs = [];
    private readonly Dictionary<(TenantId, string), GoalModel> _byKey = [];
    private readonly Dictionary<TaskId, GoalModel> _byTask = [];
    private readonly Dictionary<TaskId, TaskSpec> _specs = [];
    private readonly List<GoalModel> _touched = [];

    public Dictionary<GoalId, GoalModel> Goals { get; } = [];

    public int EntryCount { get; private set; }

    public IReadOnlyDictionary<int, long> LastSeqs => _lastSeqs;

    public GoalModel? Find(GoalId goal) => Goals.GetValueOrDefault(goal);

    public GoalModel? FindByKey(TenantId tenant, string key) => _byKey.GetValueOrDefault((tenant, key));

    public (GoalModel Goal, TaskModel Task)? Find(TaskId task) =>
        _byTask.TryGetValue(task, out var goal) && goal.Find(task) is { } model ? (goal, model) : null;

    /// <summary>The store has given shards to a node.</summary>
    public void Granted(LeaseRenewal renewal)
    {
        foreach (var (shard, epoch) in renewal.Owned)
        {
            verdict.Check(!_epochs.TryGetValue(shard, out var before) || epoch >= before, $"Shard {shard} was granted under epoch {epoch} after {before}.");
            _epochs[shard] = epoch;
        }
    }

    /// <summary>The store has committed or refused.</summary>
    /// <param name="node">Who asked it to.</param>
    public void Appended(string node, IReadOnlyList<ShardAppend> appends, IReadOnlyList<AppendOutcome> outcomes)
    {
        for (var i = 0; i < appends.Count; i++)
        {
            var append = appends[i];
            verdict.Check(outcomes[i] != AppendOutcome.Refused,
                $"The log refused entries {append.Entries[0].Seq} to {append.Entries[^1].Seq} of shard {append.Shard}: {string.Join(", ", append.Entries.Select(entry => $"{entry.Kind} {entry.From}>{entry.To}"))}.");
            if (outcomes[i] != AppendOutcome.Committed)
                continue;
            verdict.Check(append.Epoch == _epochs[append.Shard], $"Shard {append.Shard} committed under epoch {append.Epoch}, and its owner has {_epochs[append.Shard]}.");
            _touched.Clear();
            foreach (var entry in append.Entries)
                if (Take(node, entry, append.Epoch) is var goal && !_touched.Contains(goal))
                    _touched.Add(goal);
            foreach (var goal in _touched)
                CheckSettled(goal);
        }
    }

    private GoalModel Take(string node, JournalEntry entry, Epoch epoch)
    {
        trace.Committed(node, entry, (entry.Event as KernelEvent.TaskAdded)?.Spec.Name ?? (entry.Task is { } known ? Find(known)?.Task.Name : null));
        coverage.Reach(entry);
        EntryCount++;
        verdict.Check(entry.Seq == _lastSeqs.GetValueOrDefault(entry.Shard.Value) + 1, $"Entry {entry.Seq} of shard {entry.Shard} follows {_lastSeqs.GetValueOrDefault(entry.Shard.Value)}.");
        _lastSeqs[entry.Shard.Value] = entry.Seq;
        verdict.Check(entry.Goal.Shard == entry.Shard && (entry.Task is not { } id || id.Shard == entry.Shard), $"Entry {entry.Seq} of shard {entry.Shard} is about something of another shard.");
        verdict.Check(EventCodec.Encode(entry.Event).AsSpan().SequenceEqual(entry.Data.Span), $"Entry {entry.Seq} of shard {entry.Shard} reads back as something else.");

        var goal = entry.Event is KernelEvent.GoalSubmitted submitted ? Begin(entry, submitted) : Goal(entry);
        bounds.Take(Goals.Values, goal, epoch, entry);
        if (entry.Task is { } task)
            TakeTask(goal, task, entry);
        else
            TakeGoal(goal, entry);
        goal.LastSeq = entry.Seq;
        goal.History[entry.Seq] = new GoalMoment(goal.State, goal.Revision, goal.Counts);
        return goal;
    }

    private GoalModel Begin(JournalEntry entry, KernelEvent.GoalSubmitted submitted)
    {
        verdict.Check(Find(entry.Goal) is null, $"Goal {entry.Goal} begins twice.");
        var goal = new GoalModel(entry.Tenant, entry.Goal, submitted.IdempotencyKey, submitted.DeadTaskPolicy)
        {
            SubmittedBy = submitted.SubmittedBy,
            Extras = submitted.Extras,
            Predecessors = [.. (submitted.Extras.After ?? []).Select(dependency => Related(entry, dependency.On))],
            Parent = submitted.Extras.Parent is { } parent ? Related(entry, parent) : null,
        };
        if (goal.Key is { } key)
            verdict.Check(_byKey.TryAdd((goal.Tenant, key), goal), $"The idempotency key {key} has made two goals: {_byKey[(goal.Tenant, key)].Id} and {goal.Id}.");
        Goals.Add(goal.Id, goal);
        return goal;
    }

    private GoalModel Related(JournalEntry entry, GoalId other)
    {
        verdict.Check(Find(other) is { } there && there.Tenant == entry.Tenant, $"Goal {entry.Goal} begins and names goal {other}, which does not exist.");
        return Find(other)!;
    }

    private GoalModel Goal(JournalEntry entry)
    {
        var goal = Find(entry.Goal);
        verdict.Check(goal is not null && goal.Tenant == entry.Tenant, $"Entry {entry.Seq} of shard {entry.Shard} is about a goal that never began.");
        return goal!;
    }

    private void TakeGoal(GoalModel goal, JournalEntry entry)
    {
        switch (entry.Event)
        {
            case KernelEvent.PlanEdited edited:
                verdict.Check(goal.State == GoalState.Active && edited.Revision == goal.Revision + 1, $"Goal {goal.Id} ({goal.State}) goes from revision {goal.Revision} to {edited.Revision}.");
                (goal.Revision, goal.EditedBy) = (edited.Revision, edited.By);
                break;
            case KernelEvent.GoalCompleted completed:
                End(goal, GoalState.Completed);
                verdict.Check(goal.Last.All(task => task.State == TaskState.Completed || task.IsSkipped || (task.State == TaskState.Dead && goal.Policy == DeadTaskPolicy.Skip)),
                    $"Goal {goal.Id} is completed, and not all of its last tasks are.");
                goal.Result = completed.Result;
                break;
            case KernelEvent.GoalFailed:
                End(goal, GoalState.Failed);
                break;
            case KernelEvent.GoalCancelled:
                End(goal, GoalState.Cancelled);
                break;
            case KernelEvent.PredecessorEnded ended:
                verdict.Check(goal.State == GoalState.Active && goal.Predecessors.Any(other => other.Id == ended.On), $"Goal {goal.Id} ({goal.State}) hears of the end of goal {ended.On}, which it does not wait for.");
                verdict.Check(Find(ended.On)!.History.Values.Any(moment => moment.State == ended.State), $"Goal {goal.Id} hears that goal {ended.On} is {ended.State}, and it never was.");
                verdict.Check(goal.Ended.TryAdd(ended.On, ended.State), $"Goal {goal.Id} is woken twice by the end of goal {ended.On}.");
                break;
            case KernelEvent.GoalReopened:
                verdict.Check(goal.State == GoalState.Failed, $"Goal {goal.Id} is reopened though it is {goal.State}.");
                goal.State = GoalState.Active;
                break;
        }
    }

    private void End(GoalModel goal, GoalState state)
    {
        verdict.Check(goal.State == GoalState.Active, $"Goal {goal.Id} ends twice: {goal.State}, then {state}.");
        verdict.Check(goal.Counts.Open == 0, $"Goal {goal.Id} is {state} with {goal.Counts.Open} tasks open.");
        goal.State = state;
    }

    private void TakeTask(GoalModel goal, TaskId id, JournalEntry entry)
    {
        if (entry.Event is KernelEvent.TaskAdded added)
        {
            Add(goal, id, entry, added);
            return;
        }

        var found = goal.Find(id);
        verdict.Check(found is not null, $"Entry {entry.Seq} of shard {entry.Shard} ({entry.Kind}) is about a task that is not there.");
        var task = found!;
        var isDiscard = entry is { Kind: EventKind.TaskCancelled, From: TaskState.Dead } or { Kind: EventKind.TaskFixed };
        verdict.Check(goal.State == GoalState.Active || isDiscard, $"{entry.Kind} of task {task.Name} comes after goal {goal.Id} is {goal.State}.");
        if (entry.Command is { } command)
            Move(goal, task, command, entry);

        switch (entry.Event)
        {
            case KernelEvent.TaskRemoved:
                verdict.Check(task.Attempt == 0 && task.State is TaskState.Pending or TaskState.Ready, $"Task {task.Name} is removed though it is {task.State} after {task.Attempt} attempts.");
                verdict.Check(!goal.Tasks.Values.Any(other => other.After.Any(dependency => dependency.On == id)), $"Task {task.Name} is removed though another waits for it.");
                verdict.Check(task.Approval is null, $"Task {task.Name} is removed though people were asked about it.");
                goal.Remove(task);
                _byTask.Remove(id);
                break;
            case KernelEvent.TaskRewired rewired:
                verdict.Check(task.Attempt == 0 && !task.State.IsFinal(), $"Task {task.Name} is rewired though it is {task.State} after {task.Attempt} attempts.");
                Connect(goal, task, rewired.After);
                break;
            case KernelEvent.TaskExtended extended:
                verdict.Check(task.State is TaskState.Pending or TaskState.Ready, $"Task {task.Name} is extended though it is {task.State}.");
                Connect(goal, task, [.. task.After, .. extended.After]);
                break;
            case KernelEvent.TaskReplaced replaced:
                verdict.Check(task.Attempt == 0 && !task.State.IsFinal() && replaced.Spec.Name == task.Name, $"Task {task.Name} is replaced by {replaced.Spec.Name} though it is {task.State} after {task.Attempt} attempts.");
                task.Priority = replaced.Spec.Priority;
                Ask(goal, task, replaced.Spec);
                break;
            case KernelEvent.TaskPrioritised prioritised:
                task.Priority = prioritised.Priority;
                break;
            case KernelEvent.TaskFixed made:
                verdict.Check(task.State == TaskState.Dead, $"Task {task.Name} is fixed though it is {task.State}.");
                _specs[id] = _specs[id] with { Executor = made.Executor ?? _specs[id].Executor, Input = made.Input ?? _specs[id].Input };
                task.Approval?.Change(task.Approval.Needed, ApprovalModel.WorkOf(_specs[id]), made.By);
                break;
            case KernelEvent.ApprovalVoted vote:
                verdict.Check(task.Approval is not null, $"{vote.By} votes on task {task.Name}, which asks nobody.");
                task.Approval!.Take(verdict, goal, task, vote);
                break;
            case KernelEvent.GoalDelegated delegated:
                var child = Find(Delegation.GoalOf(id, delegated.Name));
                verdict.Check(task.State == TaskState.Running && entry.Attempt == task.Attempt, $"Attempt {entry.Attempt} of task {task.Name} ({task.State}) submits a goal though it is over.");
                verdict.Check(child is not null && child.Parent == goal && child.Tenant == goal.Tenant, $"Task {task.Name} submits goal {delegated.Name}, and there is none that is its child.");
                verdict.Check(task.Delegations.Add(delegated.Name), $"Task {task.Name} submits goal {delegated.Name} twice.");
                break;
            case KernelEvent.EffectIntended or KernelEvent.EffectSettled or KernelEvent.EffectLost:
                TakeEffect(task, entry);
                break;
            default:
                verdict.Check(entry.Command is not null, $"{entry.Kind} of task {task.Name} is not a move.");
                break;
        }
    }

    private void Add(GoalModel goal, TaskId id, JournalEntry entry, KernelEvent.TaskAdded added)
    {
        verdict.Check(goal.State == GoalState.Active, $"A task is added to goal {goal.Id}, which is {goal.State}.");
        verdict.Check(!_byTask.ContainsKey(id) && goal.Tasks.Values.All(other => other.Name != added.Spec.Name), $"Task {added.Spec.Name} is added twice.");
        var task = new TaskModel(id, added.Spec.Name) { State = entry.To!.Value, Priority = added.Spec.Priority };
        goal.Add(task);
        _byTask.Add(id, goal);
        Connect(goal, task, added.After);
        Ask(goal, task, added.Spec);
        verdict.Check(task.State == (task.After.All(goal.IsMet) && !goal.IsHeld && !task.AwaitsPerson ? TaskState.Ready : TaskState.Pending), $"Task {task.Name} begins as {task.State}.");
    }

    /// <summary>What a task asks of people is never less than before.</summary>
    private void Ask(GoalModel goal, TaskModel task, TaskSpec spec)
    {
        _specs[task.Id] = spec;
        var needed = spec.Extras.Approval?.VotesNeeded ?? 0;
        verdict.Check(needed >= (task.Approval?.Needed ?? 0), $"An edit takes people's approval from task {task.Name}.");
        if (needed == 0)
            return;
        if (task.Approval is { } approval)
            approval.Change(needed, ApprovalModel.WorkOf(spec), goal.EditedBy);
        else
            task.Approval = new ApprovalModel(needed, ApprovalModel.WorkOf(spec), goal.EditedBy);
    }

    private void Connect(GoalModel goal, TaskModel task, IReadOnlyList<Dependency> after)
    {
        verdict.Check(after.All(dependency => goal.Find(dependency.On) is not null), $"Task {task.Name} waits for something that is not there.");
        task.After = after;
        // A rebuild reads entry by entry and refuses a cycle, so there is none between two entries of one edit either.
        verdict.Check(!goal.WaitsForItself(task), $"Task {task.Name} of goal {goal.Id} waits for itself after revision {goal.Revision}.");
    }

    private void Move(GoalModel goal, TaskModel task, TaskCommand command, JournalEntry entry)
    {
        verdict.Check(entry.From == task.State, $"Task {task.Name} is {task.State}, and {command} moves it from {entry.From}.");
        verdict.Check(Moves.Contains((entry.From!.Value, command, entry.To!.Value)), $"{entry.From} {command} {entry.To} of task {task.Name} is not in the table.");
        verdict.Check(entry.Attempt == task.Attempt + (command == TaskCommand.Claim ? 1 : 0), $"{command} of task {task.Name} carries attempt {entry.Attempt}; the latest was {task.Attempt}.");
        // Nothing begins before the goals have ended that its own goal comes after.
        var isFree = task.After.All(goal.IsMet) && !task.AwaitsPerson && !goal.IsHeld;
        verdict.Check(task.Effect != EffectState.Intended || command is not (TaskCommand.Retry or TaskCommand.Exhaust or TaskCommand.Expire), $"{command} of task {task.Name}, and nobody knows what became of its effect.");
        switch (command)
        {
            case TaskCommand.Claim or TaskCommand.Unblock:
                verdict.Check(isFree, $"{command} of task {task.Name}, and what it waits for has not ended.");
                break;
            case TaskCommand.Block:
                verdict.Check(!isFree, $"{command} of task {task.Name}, and it waits for nothing.");
                break;
            case TaskCommand.Resolve:
                verdict.Check(task.Effect == EffectState.Sent, $"Task {task.Name} is resolved, and its effect is {task.Effect}.");
                break;
            case TaskCommand.Doom:
                var isSkip = entry.Kind == EventKind.TaskSkipped;
                verdict.Check(task.After.Any(goal.IsDoom) != isSkip, $"Task {task.Name} is {(isSkip ? "skipped, and a failure stands in its way" : "doomed, and it might still run")}.");
                verdict.Check(!isSkip || task.After.Any(goal.IsDetour), $"Task {task.Name} is skipped, and it might still run.");
                break;
            case TaskCommand.Redrive:
                verdict.Check(entry.From == TaskState.Dead || task.IsDoomed, $"Task {task.Name} is redriven, and nobody had given it up.");
                break;
        }

        if (entry.From == TaskState.Running)
            verdict.Check(task.Endings.TryAdd(task.Attempt, command), $"Attempt {task.Attempt} of task {task.Name} ends twice.");
        goal.Move(task, entry.To.Value);
        task.Attempt = entry.Attempt;
        Follow(task, entry);
    }

    /// <summary>An effect that was sent is never begun again, and one that was begun is never tried again before somebody
    /// knows.</summary>
    private void TakeEffect(TaskModel task, JournalEntry entry)
    {
        switch (entry.Event)
        {
            case KernelEvent.EffectIntended:
                verdict.Check(task is { State: TaskState.Running, Effect: null or EffectState.NotSent } && entry.Attempt == task.Attempt, $"Attempt {entry.Attempt} of task {task.Name} ({task.State}) begins an effect that is {task.Effect}.");
                verdict.Check(task.Intents.Add(entry.Attempt), $"Attempt {entry.Attempt} of task {task.Name} begins its effect twice.");
                task.Effect = EffectState.Intended;
                break;
            case KernelEvent.EffectSettled settled:
                verdict.Check(settled.By is null ? task is { State: TaskState.Running, Effect: EffectState.Intended } : task is { State: TaskState.Pending, Effect: EffectState.Unknown },
                    $"The effect of task {task.Name} ({task.State}) is settled by {settled.By ?? "its worker"} though it is {task.Effect}.");
                task.Effect = settled.State;
                break;
            case KernelEvent.EffectLost:
                verdict.Check(task is { State: TaskState.Pending, Effect: EffectState.Intended }, $"The effect of task {task.Name} ({task.State}) is lost though it is {task.Effect}.");
                task.Effect = EffectState.Unknown;
                break;
        }
    }

    private static void Follow(TaskModel task, JournalEntry entry)
    {
        switch (entry.Event)
        {
            case KernelEvent.TaskClaimed claimed:
                task.Claims.Add(entry.Attempt, claimed.Worker);
                break;
            case KernelEvent.TaskCompleted completed:
                (task.Output, task.Outcome) = (completed.Output, completed.Outcome);
                break;
            // A deadline that passes is no attempt that failed.
            case KernelEvent.TaskDied when entry.Command == TaskCommand.Lapse:
                break;
            case KernelEvent.TaskRetried or KernelEvent.TaskDied:
                task.FailureCount++;
                break;
            case KernelEvent.TaskExpired:
                task.ExpiryCount++;
                break;
            case KernelEvent.TaskDoomed:
                task.IsDoomed = true;
                break;
            case KernelEvent.TaskSkipped:
                (task.IsDoomed, task.IsSkipped) = (true, true);
                break;
            case KernelEvent.TaskRedriven:
                (task.FailureCount, task.ExpiryCount, task.IsDoomed, task.IsSkipped) = (0, 0, false, false);
                task.RedriveCount++;
                break;
        }
    }

    /// <summary>A commit holds whole decisions, so after it nothing is left that should have followed.</summary>
    private void CheckSettled(GoalModel goal)
    {
        if (goal.State != GoalState.Active)
        {
            verdict.Check(goal.Counts.Open == 0, $"Goal {goal.Id} is {goal.State} with tasks open.");
            return;
        }
        verdict.Check(!goal.IsBroken, $"Goal {goal.Id} is active, and something it comes after did not complete.");
        foreach (var task in goal.Tasks.Values)
        {
            verdict.Check(task.State != TaskState.Ready || (task.After.All(goal.IsMet) && !goal.IsHeld && !task.AwaitsPerson), $"Task {task.Name} of goal {goal.Id} is ready and waits for something.");
            verdict.Check(task.State != TaskState.Pending || task.AwaitsPerson || goal.IsHeld || !task.After.All(goal.IsMet), $"Task {task.Name} of goal {goal.Id} is pending and waits for nothing.");
            verdict.Check(task.State != TaskState.Pending || !task.After.Any(goal.IsHopeless), $"Task {task.Name} of goal {goal.Id} is pending and can never run.");
            verdict.Check(task.State != TaskState.Cancelled || !task.IsDoomed || task.After.Any(goal.IsHopeless), $"Task {task.Name} of goal {goal.Id} is doomed, and nothing dooms it any more.");
        }
        verdict.Check(goal.Counts.Open > 0 || goal.IsStuck, $"Goal {goal.Id} is active with nothing left to do.");
    }
}
