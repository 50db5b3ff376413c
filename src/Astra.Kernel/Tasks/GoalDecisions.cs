using Astra.Kernel.Journal;

namespace Astra.Kernel.Tasks;

/// <summary>Turns a decision into an entry of the log. The entry is not durable yet; whoever records defers every effect
/// until it is.</summary>
internal interface IRecorder
{
    JournalEntry Record(Goal goal, TaskNode? task, KernelEvent kernelEvent, TaskState? from, TaskCommand? command, TaskState? to);
}

/// <summary>
/// What happens to a goal's tasks when somebody asks for something: looks the move up in the transition table, records
/// it, applies it, and follows what it unblocks, dooms or ends.
/// </summary>
internal sealed class GoalDecisions(IRecorder recorder, KernelLimits limits)
{
    public void Claim(Goal goal, TaskNode node, WorkerId worker, string workerName, Guid? workerProcess) =>
        Move(goal, node, TaskCommand.Claim, new KernelEvent.TaskClaimed(worker, workerName, workerProcess));

    public Transition Complete(Goal goal, TaskNode node, ReadOnlyMemory<byte> output) =>
        Move(goal, node, TaskCommand.Complete, new KernelEvent.TaskCompleted(output));

    /// <summary>Transient failures are tried again while the task has attempts left; the others end it here.</summary>
    public Transition Fail(Goal goal, TaskNode node, Failure failure, Func<int, DateTimeOffset> dueAfter)
    {
        var isLast = node.FailureCount + 1 >= node.Spec.AttemptCountMax;
        return failure.Kind == FailureKind.Transient && !isLast
            ? Move(goal, node, TaskCommand.Retry, new KernelEvent.TaskRetried(failure, dueAfter(node.FailureCount + 1)))
            : Move(goal, node, TaskCommand.Exhaust, new KernelEvent.TaskDied(failure));
    }

    /// <summary>The worker is gone or silent. A task that takes one worker after another down with it is poison.</summary>
    public Transition Expire(Goal goal, TaskNode node, string reason) =>
        node.ExpiryCount + 1 >= limits.ExpiryCountMax
            ? Move(goal, node, TaskCommand.Exhaust, new KernelEvent.TaskDied(new Failure(
                FailureKind.Poison, $"It lost {node.ExpiryCount + 1} workers, the last time because: {reason}", $"poison:{node.Spec.Executor}/{node.Spec.Kind}")))
            : Move(goal, node, TaskCommand.Expire, new KernelEvent.TaskExpired(reason));

    /// <summary>Its deadline has passed: nobody wants it any more, and no attempt would do better.</summary>
    public Transition Lapse(Goal goal, TaskNode node) =>
        Move(goal, node, TaskCommand.Lapse, new KernelEvent.TaskDied(new Failure(
            FailureKind.Permanent, $"Its deadline passed at {node.Spec.Extras.Deadline:u} before it had ended.", $"deadline:{node.Spec.Executor}/{node.Spec.Kind}")));

    public Transition Cancel(Goal goal, TaskNode node, string reason) =>
        Move(goal, node, TaskCommand.Cancel, new KernelEvent.TaskCancelled(reason));

    public void CancelGoal(Goal goal, string reason)
    {
        foreach (var node in goal.Graph.Tasks.Where(node => !node.State.IsFinal()).OrderBy(node => node.Order).ToList())
            Step(goal, node, TaskCommand.Cancel, new KernelEvent.TaskCancelled(reason));
        recorder.RecordGoal(goal, new KernelEvent.GoalCancelled(reason));
    }

    public void Pause(Goal goal, string by, string? reason) => recorder.RecordGoal(goal, new KernelEvent.GoalPaused(by, reason));

    public void Resume(Goal goal, string by) => recorder.RecordGoal(goal, new KernelEvent.GoalResumed(by));

    /// <summary>Gives a dead task fresh attempts and brings back what its death had doomed, unless that still waits for
    /// something else that is dead.</summary>
    public void Redrive(Goal goal, TaskNode dead, string by)
    {
        if (goal.State != GoalState.Active)
            recorder.RecordGoal(goal, new KernelEvent.GoalReopened(by));

        var back = new List<TaskNode> { dead };
        Step(goal, dead, TaskCommand.Redrive, new KernelEvent.TaskRedriven(by));
        for (var i = 0; i < back.Count; i++)
        {
            foreach (var (dependent, _) in back[i].Dependents)
            {
                if (dependent.State == TaskState.Ready && dependent.OpenDependencies > 0)
                    Step(goal, dependent, TaskCommand.Block, new KernelEvent.TaskBlocked());
                if (dependent is { State: TaskState.Cancelled, DoomedBy: not null } && !IsHopeless(goal, dependent))
                {
                    Step(goal, dependent, TaskCommand.Redrive, new KernelEvent.TaskRedriven(by));
                    back.Add(dependent);
                }
            }
        }
        foreach (var node in back)
            if (node is { State: TaskState.Pending, OpenDependencies: 0 })
                Step(goal, node, TaskCommand.Unblock, new KernelEvent.TaskUnblocked());
    }

    /// <summary>A task's place has changed by an edit: it waits again, waits no more, or can never run.</summary>
    public void Settle(Goal goal, TaskNode node)
    {
        if (node.State == TaskState.Ready && node.OpenDependencies > 0)
            Step(goal, node, TaskCommand.Block, new KernelEvent.TaskBlocked());
        if (node.State == TaskState.Pending && node.OpenDependencies == 0)
            Step(goal, node, TaskCommand.Unblock, new KernelEvent.TaskUnblocked());
        else if (node.State == TaskState.Pending && HopelessDependency(goal, node) is { } doomedBy)
        {
            Step(goal, node, TaskCommand.Doom, new KernelEvent.TaskDoomed(doomedBy.Id));
            Follow(goal, node);
        }
    }

    /// <summary>Ends a goal that has nothing left to do. Its last tasks decide: a death that some later task has taken
    /// into account does not fail the goal.</summary>
    public void EndIfDone(Goal goal)
    {
        if (goal.State != GoalState.Active || goal.Counts.Open > 0)
            return;
        var last = goal.Graph.Tasks.Where(node => node.Dependents.Count == 0).OrderBy(node => node.Order).ToList();
        var bad = last.FirstOrDefault(node => node.State != TaskState.Completed);
        if (bad is null)
            recorder.RecordGoal(goal, new KernelEvent.GoalCompleted(last.Count == 1 ? last[0].Output : default));
        else if (goal.DeadTaskPolicy == DeadTaskPolicy.Doom || goal.Counts.Dead == 0)
            recorder.RecordGoal(goal, new KernelEvent.GoalFailed(Describe(bad)));
    }

    private static string Describe(TaskNode bad) => bad.State == TaskState.Dead
        ? $"Task {bad.Spec.Name} died: {bad.Failure?.Reason}"
        : $"Task {bad.Spec.Name} was cancelled: {bad.Reason}";

    private Transition Move(Goal goal, TaskNode node, TaskCommand command, KernelEvent kernelEvent)
    {
        var transition = TaskTransitions.Of(node.State, command);
        if (transition.IsMove)
        {
            Step(goal, node, command, kernelEvent);
            // What it had waited for may have been redriven while it ran: then a lost attempt is not followed by another yet.
            if (node.State == TaskState.Ready)
                Settle(goal, node);
            Follow(goal, node);
            EndIfDone(goal);
        }
        return transition;
    }

    /// <summary>One move of one task, without its consequences.</summary>
    private void Step(Goal goal, TaskNode node, TaskCommand command, KernelEvent kernelEvent)
    {
        var from = node.State;
        var to = TaskTransitions.Of(from, command).To
            ?? throw new InvalidOperationException($"Task {node.Id} is {from}, and {command} is not a move from there.");
        goal.Apply(recorder.Record(goal, node, kernelEvent, from, command, to), kernelEvent);
    }

    /// <summary>What waited for a task that has just ended: runs now, or never will. Iterative, because a chain of
    /// 100,000 doomed tasks is a legal graph.</summary>
    private void Follow(Goal goal, TaskNode ended)
    {
        if (!ended.State.IsFinal())
            return;
        var open = new Queue<TaskNode>([ended]);
        while (open.TryDequeue(out var node))
        {
            foreach (var (dependent, kind) in node.Dependents)
            {
                if (dependent.State != TaskState.Pending)
                    continue;
                if (node.IsHopeless(kind, goal.DeadTaskPolicy))
                {
                    Step(goal, dependent, TaskCommand.Doom, new KernelEvent.TaskDoomed(node.Id));
                    open.Enqueue(dependent);
                }
                else if (dependent.OpenDependencies == 0)
                    Step(goal, dependent, TaskCommand.Unblock, new KernelEvent.TaskUnblocked());
            }
        }
    }

    private static bool IsHopeless(Goal goal, TaskNode node) => HopelessDependency(goal, node) is not null;

    private static TaskNode? HopelessDependency(Goal goal, TaskNode node)
    {
        foreach (var edge in node.After)
            if (edge.Node.IsHopeless(edge.Kind, goal.DeadTaskPolicy))
                return edge.Node;
        return null;
    }
}

internal static class RecorderExtensions
{
    public static void RecordGoal(this IRecorder recorder, Goal goal, KernelEvent kernelEvent) =>
        goal.Apply(recorder.Record(goal, null, kernelEvent, null, null, null), kernelEvent);
}
