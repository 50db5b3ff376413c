using System.Runtime.InteropServices;
using Astra.Kernel;
using Astra.Kernel.Workers;
using Astra.Sdk;
using Astra.Tools.Catalog;
using KernelTaskState = Astra.Kernel.Tasks.TaskState;

namespace Astra.Agents;

/// <summary>What the host is made of.</summary>
public sealed record AgentHostParts
{
    public required KernelNode Node { get; init; }
    public required PlanEditing Editing { get; init; }
    public required IReadOnlyCollection<Agent> Agents { get; init; }
    public required ToolCatalog Catalog { get; init; }
    public required ToolGate Tools { get; init; }
    public required FileArtifacts Artifacts { get; init; }
    public required ProgressFeed Progress { get; init; }

    /// <summary>What the machine has beside the agents and tools; its system and processor if nobody says more.</summary>
    public IReadOnlyCollection<string> Capabilities { get; init; } =
        [$"os:{(OperatingSystem.IsMacOS() ? "macos" : OperatingSystem.IsLinux() ? "linux" : "other")}", $"arch:{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}"];

    /// <summary>How many tasks run at once. Most of them wait for a sandbox, so there are more than cores.</summary>
    public int Slots { get; init; } = Environment.ProcessorCount * 2;
}

/// <summary>
/// Runs agents and tool steps in the server's own process, for every tenant. To the kernel it is a worker like any
/// other: it holds leases, sends heartbeats, and its late reports are refused.
/// </summary>
public sealed class AgentHost : IWorker, IAsyncDisposable
{
    private const string ToolPrefix = "tool:";

    private readonly AgentHostParts _parts;
    private readonly AgentRunner _runner;
    private readonly TaskPool _pool;

    // The kernel may assign before Connect has returned the link.
    private readonly TaskCompletionSource<WorkerLink> _link = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public AgentHost(AgentHostParts parts)
    {
        _parts = parts;
        _runner = new AgentRunner(parts.Agents);
        _pool = new TaskPool(HeartbeatAsync);
    }

    public IReadOnlyCollection<Agent> Agents => _runner.Agents;

    /// <summary>From here on tasks are taken.</summary>
    public void Start()
    {
        string[] executors =
        [
            .. _runner.Agents.Select(agent => AgentRunner.ExecutorOf(agent.Name)),
            .. _parts.Catalog.Labels.Select(label => $"{ToolPrefix}{label}"),
        ];
        _link.SetResult(_parts.Node.Connect(new WorkerOffer("in-process", Tenant: null, executors, _parts.Slots, IsInProcess: true) { Capabilities = _parts.Capabilities }, this));
    }

    public void Assign(Assignment assignment) => _pool.Start(new PooledTask(
        new TaskAttempt(assignment.Task.Value, assignment.Attempt),
        assignment.Spec.LeaseDuration,
        revoked => RunAsync(assignment, revoked),
        (report, _) => ReportAsync(assignment, report)));

    public void Revoke(TaskId task, int attempt, string reason) => _pool.Revoke(new TaskAttempt(task.Value, attempt));

    /// <summary>Takes nothing more and gives what runs some time to end.</summary>
    public async Task DrainAsync(TimeSpan timeMax)
    {
        if (!_link.Task.IsCompletedSuccessfully)
            return;
        (await _link.Task).Drain();
        await Task.WhenAny(_pool.WhenEmptyAsync(), Task.Delay(timeMax));
    }

    public async ValueTask DisposeAsync()
    {
        await _pool.DisposeAsync();
        if (_link.Task.IsCompletedSuccessfully)
            await (await _link.Task).DisposeAsync();
    }

    private async ValueTask<TaskReport> RunAsync(Assignment assignment, CancellationToken revoked)
    {
        var tools = _parts.Tools.For(new ToolSubject(assignment.Tenant, assignment.Agent, assignment.Goal, assignment.GoalInput));
        if (assignment.Spec.Executor.StartsWith(ToolPrefix, StringComparison.Ordinal))
            return await ToolStep.RunAsync(tools, assignment.Spec.Executor[ToolPrefix.Length..], AstraJson.Parse(assignment.Spec.Input.Span), revoked);
        return await _runner.RunAsync(WorkMapping.ToWire(assignment), tools, _parts.Artifacts.For(assignment.Tenant), text => Publish(assignment, text), revoked);
    }

    private void Publish(Assignment assignment, string text) => _parts.Progress.Publish(
        assignment.Tenant,
        new ProgressLine(assignment.Goal, assignment.Task, assignment.Spec.Name, assignment.Attempt, TimeProvider.System.GetUtcNow(), text));

    private async ValueTask<ReportAnswer> ReportAsync(Assignment assignment, TaskReport report) =>
        ReportAnswers.Of(await WorkReports.SendAsync(await _link.Task, _parts.Editing, assignment, report));

    private async ValueTask<IReadOnlyList<TaskAttempt>> HeartbeatAsync(IReadOnlyList<TaskAttempt> attempts, CancellationToken cancellationToken)
    {
        var link = await _link.Task.WaitAsync(cancellationToken);
        var lost = await link.HeartbeatAsync([.. attempts.Select(attempt => new AttemptId(new TaskId(attempt.TaskId), attempt.Attempt))]);
        return [.. lost.Select(attempt => new TaskAttempt(attempt.Task.Value, attempt.Attempt))];
    }
}

/// <summary>Takes a worker's report to the kernel.</summary>
public static class WorkReports
{
    public static async ValueTask<Answer<KernelTaskState>> SendAsync(WorkerLink link, PlanEditing editing, Assignment assignment, TaskReport report)
    {
        var attempt = new AttemptId(assignment.Task, assignment.Attempt);
        return report switch
        {
            TaskReport.Completed done => await editing.CommitAsync(
                assignment.Tenant, assignment.Goal, done.Edits, edits => link.CompleteAsync(attempt, WorkMapping.ToBytes(done.Output), edits)),
            TaskReport.Failed failed => await link.FailAsync(attempt, WorkMapping.ToKernel(failed.Kind, failed.Reason, failed.Fingerprint)),
            _ => throw new ArgumentException("A dropped attempt is not reported.", nameof(report)),
        };
    }
}

internal static class ReportAnswers
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(500);

    public static ReportAnswer Of(Answer<KernelTaskState> answer) => answer.Refusal switch
    {
        null => new ReportAnswer.Accepted(),
        { Kind: RefusalKind.Invalid or RefusalKind.Conflict } bad => new ReportAnswer.Refused(bad.Reason),
        { Kind: RefusalKind.Late or RefusalKind.NotFound } => new ReportAnswer.Late(),
        var passing => new ReportAnswer.TryAgain(passing.RetryAfter ?? RetryDelay),
    };
}
