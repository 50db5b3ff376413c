using Astra.Kernel.Approvals;
using Astra.Kernel.Effects;
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

    /// <summary>What has been done has taken effect: a completion settles an effect that is still open.</summary>
    public Transition Complete(Goal goal, TaskNode node, ReadOnlyMemory<byte> output, string? outcome = null)
    {
        if (node is { State: TaskState.Running, HasOpenIntent: true })
            Note(goal, node, new KernelEvent.EffectSettled(EffectState.Sent, output, By: null));
        return Move(goal, node, TaskCommand.Complete, new KernelEvent.TaskCompleted(output, outcome));
    }

    /// <summary>Takes a running task from its worker: it gets something to wait for, and the attempt is over.</summary>
    public void Suspend(Goal goal, TaskNode node)
    {
        var (command, kernelEvent) = WithoutGuessing(node, TaskCommand.Suspend, new KernelEvent.TaskSuspended());
        Step(goal, node, command, kernelEvent);
    }

    /// <summary>Transient failures are tried again while the task has attempts left and the goal has retries left; the
    /// others end it here.</summary>
    public Transition Fail(Goal goal, TaskNode node, Failure failure, Func<TaskSpec, int, DateTimeOffset> dueAfter)
    {
        var isLast = node.FailureCount + 1 >= node.Spec.AttemptCountMax && !Mutants.UnboundedRetries;
        if ((failure.Kind != FailureKind.Transient && !Mutants.PermanentFailureRetried) || isLast)
            return Mutants.DeadLetterDropped ? Cancel(goal, node, failure.Reason) : Move(goal, node, TaskCommand.Exhaust, new KernelEvent.TaskDied(failure));
        return goal.Extras.HasUsedItsRetries
            ? Move(goal, node, TaskCommand.Exhaust, new KernelEvent.TaskDied(failure with
            {
                Reason = $"{failure.Reason} (Not tried again: the goal has used up the {goal.Extras.RetriesMax} retries of all its tasks together.)",
            }))
            : Move(goal, node, TaskCommand.Retry, new KernelEvent.TaskRetried(failure, dueAfter(node.Spec, node.FailureCount + 1)));
    }

    /// <summary>The attempt is over through nobody's fault: it was given back, or its server has changed and its worker has
    /// not been heard of since. That says nothing about the task.</summary>
    public Transition Release(Goal goal, TaskNode node, string reason) =>
        Move(goal, node, TaskCommand.Expire, new KernelEvent.TaskReleased(reason));

    /// <summary>The attempt has submitted a goal for another agent.</summary>
    public void Delegate(Goal goal, TaskNode node, string name, ulong digest) => Note(goal, node, new KernelEvent.GoalDelegated(name, digest));

    /// <summary>Durable before the attempt acts on the outside world.</summary>
    public void Intend(Goal goal, TaskNode node, string what) => Note(goal, node, new KernelEvent.EffectIntended(what));

    /// <summary>The attempt says how it went.</summary>
    public void Settle(Goal goal, TaskNode node, EffectState outcome, ReadOnlyMemory<byte> output) =>
        Note(goal, node, new KernelEvent.EffectSettled(outcome, output, By: null));

    /// <summary>A person has found out. What was sent was the work; what was not is tried again.</summary>
    public void Resolve(Goal goal, TaskNode node, EffectState outcome, ReadOnlyMemory<byte> output, string by)
    {
        Note(goal, node, new KernelEvent.EffectSettled(outcome, output, by));
        if (outcome == EffectState.Sent)
            Move(goal, node, TaskCommand.Resolve, new KernelEvent.TaskCompleted(output));
        else
            Settle(goal, node);
    }

    /// <summary>Somebody agrees. With the last vote that was needed the task waits no more for people.</summary>
    public void Approve(Goal goal, TaskNode node, string digest, string by, string? reason)
    {
        Note(goal, node, new KernelEvent.ApprovalVoted(IsFor: true, digest, by, reason));
        Settle(goal, node);
    }

    /// <summary>One no is enough, and is not asked again.</summary>
    public void Deny(Goal goal, TaskNode node, string digest, string by, string? reason)
    {
        Note(goal, node, new KernelEvent.ApprovalVoted(IsFor: false, digest, by, reason));
        Cancel(goal, node, Approval.DenialOf(by, reason));
    }

    /// <summary>A person changes what a dead letter will be tried again with.</summary>
    public void Fix(Goal goal, TaskNode node, string? executor, ReadOnlyMemory<byte>? input, string by) =>
        Note(goal, node, new KernelEvent.TaskFixed(executor, input, by));

    /// <summary>The worker is gone or silent. A task that takes one worker after another down with it is poison.</summary>
    public Transition Expire(Goal goal, TaskNode node, string reason) =>
        node.ExpiryCount + 1 >= (node.Spec.Extras.WorkersLostMax ?? limits.ExpiryCountMax) && !Mutants.PoisonUnnoticed
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
        foreach (var node in goal.Graph.Tasks.Where(node => !node.State.IsFinal() && !(Mutants.CancelLeavesRunning && node.State == TaskState.Running)).OrderBy(node => node.Order).ToList())
            Step(goal, node, TaskCommand.Cancel, new KernelEvent.TaskCancelled(reason));
        recorder.RecordGoal(goal, new KernelEvent.GoalCancelled(reason));
    }

    public void Pause(Goal goal, string by, string? reason) => recorder.RecordGoal(goal, new KernelEvent.GoalPaused(by, reason));

    public void Resume(Goal goal, string by) => recorder.RecordGoal(goal, new KernelEvent.GoalResumed(by));

    /// <summary>Nothing outside of its graph stands in the goal's way any more.</summary>
    public void Begin(Goal goal)
    {
        foreach (var node in goal.Graph.Tasks.Where(node => node is { State: TaskState.Pending, OpenDependencies: 0 }).OrderBy(node => node.Order).ToList())
            Step(goal, node, TaskCommand.Unblock, new KernelEvent.TaskUnblocked());
    }

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
            foreach (var edge in back[i].Dependents)
            {
                var dependent = edge.Node;
                if (dependent.State == TaskState.Ready && dependent.OpenDependencies > 0 && !Mutants.RedriveLeavesReady)
                    Step(goal, dependent, TaskCommand.Block, new KernelEvent.TaskBlocked());
                if (dependent is { State: TaskState.Cancelled, DoomedBy: not null } && !IsHopeless(goal, dependent) && !Mutants.RedriveLeavesDoomed)
                {
                    Step(goal, dependent, TaskCommand.Redrive, new KernelEvent.TaskRedriven(by));
                    back.Add(dependent);
                }
            }
        }
        // Whoever died of its deadline may have been waiting, and what it waited for may have gone another way meanwhile.
        foreach (var node in back)
            if (node.State == TaskState.Pending)
                Settle(goal, node);
        EndIfDone(goal);
    }

    /// <summary>A task's place has changed by an edit: it waits again, waits no more, or can never run.</summary>
    public void Settle(Goal goal, TaskNode node)
    {
        if (node.State == TaskState.Ready && node.OpenDependencies > 0)
            Step(goal, node, TaskCommand.Block, new KernelEvent.TaskBlocked());
        if (node.State == TaskState.Pending && node.OpenDependencies == 0)
            Step(goal, node, TaskCommand.Unblock, new KernelEvent.TaskUnblocked());
        else if (node.State == TaskState.Pending && IsHopeless(goal, node))
        {
            GiveUp(goal, node);
            Follow(goal, node);
        }
    }

    /// <summary>Ends a goal that has nothing left to do. Its last tasks decide: a death that some later task has taken
    /// into account does not fail the goal, and neither does a way that was not taken.</summary>
    public void EndIfDone(Goal goal)
    {
        if (goal.State != GoalState.Active || goal.Counts.Open > (Mutants.GoalEndsEarly ? 1 : 0))
            return;
        var last = goal.Graph.Tasks.Where(node => node.Dependents.Count == 0).OrderBy(node => node.Order).ToList();
        var done = last.Where(node => node.State == TaskState.Completed).ToList();
        var isBestEffort = goal.DeadTaskPolicy == DeadTaskPolicy.Skip;
        var bad = isBestEffort && done.Count == 0
            ? last.FirstOrDefault(node => node.State == TaskState.Dead) ?? goal.Graph.Tasks.Where(node => node.State == TaskState.Dead).MinBy(node => node.Order)
            : null;
        bad ??= last.FirstOrDefault(node => node.State != TaskState.Completed && !node.IsSkipped && !(isBestEffort && node.State == TaskState.Dead));
        if (bad is null)
            recorder.RecordGoal(goal, new KernelEvent.GoalCompleted(done.Count == 1 ? done[0].Output : default));
        else if (goal.DeadTaskPolicy != DeadTaskPolicy.Wait || goal.Counts.Dead == 0)
            recorder.RecordGoal(goal, new KernelEvent.GoalFailed(Describe(bad)));
    }

    private static string Describe(TaskNode bad) => bad.State == TaskState.Dead
        ? $"Task {bad.Spec.Name} died: {bad.Failure?.Reason}"
        : $"Task {bad.Spec.Name} was cancelled: {bad.Reason}";

    private Transition Move(Goal goal, TaskNode node, TaskCommand command, KernelEvent kernelEvent)
    {
        (command, kernelEvent) = WithoutGuessing(node, command, kernelEvent);
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

    // Whatever else would become of an attempt that ends between intent and outcome, it is not tried again and not given
    // up: nobody knows whether it took effect, and the machine does not guess.
    private static (TaskCommand Command, KernelEvent Event) WithoutGuessing(TaskNode node, TaskCommand command, KernelEvent kernelEvent) =>
        node is { State: TaskState.Running, HasOpenIntent: true } && !Mutants.EffectGuessed && command is TaskCommand.Retry or TaskCommand.Exhaust or TaskCommand.Expire or TaskCommand.Suspend or TaskCommand.Lapse
            ? (TaskCommand.Suspend, new KernelEvent.EffectLost(Unknown(node, kernelEvent)))
            : (command, kernelEvent);

    private static Failure Unknown(TaskNode node, KernelEvent ending)
    {
        var how = ending switch
        {
            KernelEvent.TaskRetried retried => retried.Failure.Reason,
            KernelEvent.TaskDied died => died.Failure.Reason,
            KernelEvent.TaskExpired expired => expired.Reason,
            KernelEvent.TaskReleased released => released.Reason,
            _ => "something else was put in front of it",
        };
        return new Failure(FailureKind.UnknownEffect, $"Attempt {node.Attempt} ended between saying what it would do and how it went: {how}", $"effect:{node.Spec.Executor}/{node.Spec.Kind}");
    }

    /// <summary>Something about a task that is not a move.</summary>
    private void Note(Goal goal, TaskNode node, KernelEvent kernelEvent) =>
        goal.Apply(recorder.Record(goal, node, kernelEvent, null, null, null), kernelEvent);

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
            foreach (var edge in node.Dependents)
            {
                var dependent = edge.Node;
                if (dependent.State != TaskState.Pending)
                    continue;
                if (node.Judge(edge, goal.DeadTaskPolicy) is DependencyVerdict.Doom or DependencyVerdict.Skip)
                {
                    GiveUp(goal, dependent);
                    if (!Mutants.CascadeForgetsOne)
                        open.Enqueue(dependent);
                }
                else if (dependent.OpenDependencies == 0 && !(Mutants.LostUnblock && StableHash.Of(dependent.Id.Value, "") % 50 == 0))
                    Step(goal, dependent, TaskCommand.Unblock, new KernelEvent.TaskUnblocked());
            }
        }
    }

    private static bool IsHopeless(Goal goal, TaskNode node) =>
        WhatPrevents(goal, node, DependencyVerdict.Doom) is not null || WhatPrevents(goal, node, DependencyVerdict.Skip) is not null;

    /// <summary>It will never run. A failure among what it waits for weighs more than a way that was not taken.</summary>
    private void GiveUp(Goal goal, TaskNode node)
    {
        if (WhatPrevents(goal, node, DependencyVerdict.Doom) is { } doom)
            Step(goal, node, TaskCommand.Doom, new KernelEvent.TaskDoomed(doom.Id));
        else
            Step(goal, node, TaskCommand.Doom, new KernelEvent.TaskSkipped(WhatPrevents(goal, node, DependencyVerdict.Skip)!.Id));
    }

    private static TaskNode? WhatPrevents(Goal goal, TaskNode node, DependencyVerdict verdict)
    {
        foreach (var edge in node.After)
            if (edge.Node.Judge(edge, goal.DeadTaskPolicy) == verdict)
                return edge.Node;
        return null;
    }
}

internal static class RecorderExtensions
{
    public static void RecordGoal(this IRecorder recorder, Goal goal, KernelEvent kernelEvent) =>
        goal.Apply(recorder.Record(goal, null, kernelEvent, null, null, null), kernelEvent);
}
