using Astra.Agents;
using Astra.Kernel;
using Astra.Kernel.Tasks;
using Astra.Kernel.Workers;
using Astra.Sdk;

namespace Astra.Gateway;

/// <summary>What a remote worker says about one of its attempts: how it ended, what it did to the world, what it asks for
/// meanwhile. Each is answered with one frame.</summary>
internal sealed class AttemptFrames(FrameSocket<WorkerFrame, ServerFrame> socket, GatewayParts parts, WorkerLink link, HeldTasks held)
{
    public Task AnswerAsync(WorkerFrame frame) => frame switch
    {
        WorkerFrame.Complete complete =>
            ReportAsync(new TaskAttempt(complete.TaskId, complete.Attempt), new TaskReport.Completed(complete.Output, complete.Edits ?? [], Words.Clean(complete.Outcome))),
        WorkerFrame.Suspend suspend => ReportAsync(new TaskAttempt(suspend.TaskId, suspend.Attempt), new TaskReport.Suspended(suspend.After, suspend.Edits ?? [])),
        WorkerFrame.Fail fail =>
            ReportAsync(new TaskAttempt(fail.TaskId, fail.Attempt), new TaskReport.Failed(fail.Kind, Words.Clean(fail.Reason)!, Words.Clean(fail.Fingerprint) ?? "")),
        WorkerFrame.Release release => ReleaseAsync(new TaskAttempt(release.TaskId, release.Attempt), release.Reason),
        WorkerFrame.EffectIntent intent =>
            RecordEffectAsync(new TaskAttempt(intent.TaskId, intent.Attempt), attempt => link.IntendAsync(attempt, Words.Clean(intent.What)!)),
        WorkerFrame.EffectOutcome outcome => RecordEffectAsync(
            new TaskAttempt(outcome.TaskId, outcome.Attempt),
            attempt => link.SettleAsync(attempt, WorkMapping.ToKernel(outcome.Outcome), WorkMapping.ToBytes(outcome.Output))),
        WorkerFrame.CallTool call => CallToolAsync(call),
        WorkerFrame.SubmitGoal submit => SubmitGoalAsync(submit),
        _ => Task.CompletedTask,
    };

    private async Task CallToolAsync(WorkerFrame.CallTool call) =>
        socket.TrySend(held.Find(call.TaskId, call.Attempt) is { } caller ? await ToolFrames.CallAsync(parts, caller, call) : ToolFrames.NotHeld(call));

    private async Task SubmitGoalAsync(WorkerFrame.SubmitGoal submit) =>
        socket.TrySend(held.Find(submit.TaskId, submit.Attempt) is { } parent
            ? await GoalFrames.SubmitAsync(parts.Node, link, parent.Assignment, submit)
            : GoalFrames.NotHeld(submit));

    private async Task ReportAsync(TaskAttempt attempt, TaskReport report)
    {
        if (held.Find(attempt) is not { } task)
        {
            socket.TrySend(new ServerFrame.Late(attempt.TaskId, attempt.Attempt, HeldTasks.NotHeld));
            return;
        }
        task.IsReported = true;
        var answer = await WorkReports.SendAsync(link, task.Assignment, report);
        if (answer.Refusal is { Kind: RefusalKind.Invalid or RefusalKind.Conflict } bad)
        {
            task.IsReported = false;
            socket.TrySend(new ServerFrame.Refused(attempt.TaskId, attempt.Attempt, bad.Reason));
            return;
        }

        // Any other refusal ends the attempt here. The link has waited for a shard that was on its way; one that is
        // still not back has another owner, which issues the task anew.
        End(attempt, answer.Refusal);
    }

    private async Task ReleaseAsync(TaskAttempt attempt, string? said)
    {
        var reason = Words.Clean(said) is { Length: > 0 } given ? given : "its worker gave it back";
        if (held.Find(attempt) is not { } task)
        {
            End(attempt, new Refusal(RefusalKind.Late, HeldTasks.NotHeld));
            return;
        }
        task.IsReported = true;
        End(attempt, (await link.ReleaseAsync(ToKernel(attempt), reason)).Refusal);
    }

    private void End(TaskAttempt attempt, Refusal? late)
    {
        held.Drop(attempt);
        socket.TrySend(late is not null
            ? new ServerFrame.Late(attempt.TaskId, attempt.Attempt, late.Reason)
            : new ServerFrame.Accepted(attempt.TaskId, attempt.Attempt));
    }

    private async Task RecordEffectAsync(TaskAttempt attempt, Func<AttemptId, ValueTask<Answer<Kernel.Tasks.TaskState>>> record)
    {
        var answer = held.Find(attempt) is null
            ? new Refusal(RefusalKind.Late, HeldTasks.NotHeld)
            : await record(ToKernel(attempt));
        socket.TrySend(answer.Refusal is { } refusal
            ? new ServerFrame.EffectRefused(attempt.TaskId, attempt.Attempt, refusal.Reason, WorkMapping.IsPassing(refusal))
            : new ServerFrame.EffectRecorded(attempt.TaskId, attempt.Attempt));
    }

    private static AttemptId ToKernel(TaskAttempt attempt) => new(new TaskId(attempt.TaskId), attempt.Attempt);
}
