using Astra.Kernel.Approvals;
using Astra.Kernel.Effects;
using Astra.Kernel.Journal;

namespace Astra.Kernel.Tasks;

/// <summary>What an event makes of one task of the goal, and of those that wait for it.</summary>
internal sealed partial class Goal
{
    private void ApplyToTask(TaskNode node, JournalEntry entry, KernelEvent kernelEvent)
    {
        MarkDirty(node);
        switch (kernelEvent)
        {
            case KernelEvent.TaskRewired rewired:
                Connect(node, rewired.After);
                node.OpenDependencies = TaskGraph.CountOpen(node);
                return;
            case KernelEvent.TaskExtended extended:
                if (!Graph.TryExtend(node, Edges(extended.After)))
                    throw new InvalidDataException($"The log holds a cycle in goal {Id}, at task {node.Id}.");
                node.OpenDependencies = TaskGraph.CountOpen(node);
                return;
            case KernelEvent.TaskReplaced replaced:
                Graph.Respecify(node, replaced.Spec);
                CountVotes(node);
                // What a row was made with never changes in place, so it is made anew.
                _removedTasks.Add(new RemovedTask(Tenant, node.Id));
                return;
            case KernelEvent.TaskPrioritised prioritised:
                node.Spec = node.Spec with { Priority = prioritised.Priority };
                return;
            case KernelEvent.EffectIntended or KernelEvent.EffectSettled:
                ApplyToEffect(node, entry, kernelEvent);
                return;
            case KernelEvent.ApprovalVoted voted:
                ApplyVote(node, entry, voted);
                return;
            case KernelEvent.GoalDelegated delegated:
                node.Spec = node.Spec with { Extras = node.Spec.Extras with { Delegations = [.. node.Spec.Extras.Delegations ?? [], new Delegation(delegated.Name, delegated.Digest)] } };
                return;
            case KernelEvent.TaskFixed made:
                node.Spec = node.Spec with
                {
                    Executor = made.Executor ?? node.Spec.Executor,
                    Input = made.Input ?? node.Spec.Input,
                    Extras = node.Spec.Extras with
                    {
                        FixCount = node.Spec.Extras.FixCount + 1, Approval = node.Spec.Extras.Approval is { } asked ? asked with { AskedBy = made.By } : null,
                    },
                };
                CountVotes(node);
                return;
            case KernelEvent.TaskClaimed claimed:
                (node.Attempt, node.StartedAt, node.DueAt) = (entry.Attempt, entry.At, null);
                (node.Worker, node.WorkerName, node.WorkerProcess) = (claimed.Worker, claimed.WorkerName, claimed.WorkerProcess);
                break;
            case KernelEvent.TaskCompleted completed:
                (node.Output, node.Failure) = (completed.Output, null);
                if (completed.Outcome is { } outcome)
                    node.Spec = node.Spec with { Extras = node.Spec.Extras with { Outcome = outcome } };
                break;
            case KernelEvent.TaskRetried retried:
                (node.Failure, node.DueAt) = (retried.Failure, retried.DueAt);
                node.FailureCount++;
                if (Extras.RetriesMax is not null)
                    Extras = Extras with { RetriesUsed = Extras.RetriesUsed + 1 };
                break;
            case KernelEvent.EffectLost lost:
                ApplyToEffect(node, entry, lost);
                break;
            case KernelEvent.TaskDied died:
                node.Failure = died.Failure;
                // A deadline that passes is no attempt that failed.
                if (entry.Command != TaskCommand.Lapse)
                    node.FailureCount++;
                break;
            case KernelEvent.TaskExpired:
                node.ExpiryCount++;
                break;
            case KernelEvent.TaskCancelled cancelled:
                node.Reason = cancelled.Reason;
                break;
            case KernelEvent.TaskDoomed doomed:
                node.DoomedBy = doomed.By;
                node.Reason = $"It waits for {Graph[doomed.By].Spec.Name}, which will not complete.";
                break;
            case KernelEvent.TaskSkipped skipped:
                var by = Graph[skipped.By];
                node.DoomedBy = skipped.By;
                node.Reason = by.State == TaskState.Completed
                    ? $"Not taken: {by.Spec.Name} ended with {(by.Spec.Extras.Outcome is { } said ? $"the outcome {said}" : "no outcome")}."
                    : $"Not taken: {by.Spec.Name}, which it waits for, was left out.";
                node.Spec = node.Spec with { Extras = node.Spec.Extras with { IsSkipped = true } };
                break;
            case KernelEvent.TaskRedriven:
                if (node.IsSkipped)
                    node.Spec = node.Spec with { Extras = node.Spec.Extras with { IsSkipped = false } };
                (node.FailureCount, node.ExpiryCount, node.DoomedBy, node.Reason, node.EndedAt, node.DueAt) = (0, 0, null, null, null, null);
                if (Extras.RetriesUsed > 0)
                    Extras = Extras with { RetriesUsed = 0 };
                // Whoever asks for it again wants it, late as it is.
                if (node.Spec.Extras.Deadline <= entry.At)
                    node.Spec = node.Spec with { Extras = node.Spec.Extras with { Deadline = null } };
                break;
        }
        Move(node, entry.To!.Value, entry.At);
    }

    /// <summary>The ledger's page of a task. An effect that nobody knows about is one more thing the task waits for.</summary>
    private static void ApplyToEffect(TaskNode node, JournalEntry entry, KernelEvent kernelEvent)
    {
        var before = node.Spec.Extras.Effect;
        var effect = kernelEvent switch
        {
            KernelEvent.EffectIntended intended => new EffectRecord(entry.Attempt, EffectState.Intended, intended.What, entry.At, default, null),
            KernelEvent.EffectSettled settled => before! with { State = settled.State, At = entry.At, Output = settled.Output, By = settled.By },
            _ => before! with { State = EffectState.Unknown, At = entry.At },
        };
        node.Spec = node.Spec with { Extras = node.Spec.Extras with { Effect = effect } };
        node.Failure = kernelEvent is KernelEvent.EffectLost lost ? lost.Failure
            : node.Failure is { Kind: FailureKind.UnknownEffect } ? null
            : node.Failure;
        node.OpenDependencies = TaskGraph.CountOpen(node);
    }

    /// <summary>Votes for what the task was before are forgotten with the first for what it is.</summary>
    private static void ApplyVote(TaskNode node, JournalEntry entry, KernelEvent.ApprovalVoted voted)
    {
        if (!voted.IsFor)
            return;
        var approval = node.Spec.Extras.Approval!;
        approval = approval with { Votes = [.. approval.VotesFor(voted.Digest), new Vote(voted.By, voted.Digest, entry.At, voted.Reason)] };
        node.Spec = node.Spec with { Extras = node.Spec.Extras with { Approval = approval } };
        CountVotes(node);
    }

    /// <summary>What the task is has changed, or who has agreed to it.</summary>
    private static void CountVotes(TaskNode node)
    {
        if (node.Spec.Extras.Approval is not null)
            node.OpenDependencies = TaskGraph.CountOpen(node);
    }

    private void Move(TaskNode node, TaskState to, DateTimeOffset at)
    {
        var from = node.State;
        _counts[(int)from]--;
        _counts[(int)to]++;
        node.State = to;
        if (to != TaskState.Running)
            (node.Worker, node.WorkerName, node.WorkerProcess) = (null, null, null);
        if (to.IsFinal())
            node.EndedAt = at;

        CountForDependents(node, from);
    }

    /// <summary>Readiness is a counter: O(out-degree) when a task ends, and a recount when a redrive takes an end back.</summary>
    private static void CountForDependents(TaskNode node, TaskState from)
    {
        if (from.IsFinal() == node.State.IsFinal())
            return;
        foreach (var dependent in node.Dependents)
        {
            if (from.IsFinal())
                dependent.Node.OpenDependencies = TaskGraph.CountOpen(dependent.Node);
            else if (node.IsMet(dependent) || Mutants.UnmetDependencyCounts)
                dependent.Node.OpenDependencies--;
        }
    }
}
