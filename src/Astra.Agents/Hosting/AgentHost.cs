using System.Runtime.InteropServices;
using Astra.Agents.Replaying;
using Astra.Kernel;
using Astra.Kernel.Approvals;
using Astra.Kernel.Workers;
using Astra.Sdk;
using Astra.Tools.Catalog;
using KernelTaskState = Astra.Kernel.Tasks.TaskState;

namespace Astra.Agents;

/// <summary>What the host is made of.</summary>
public sealed record AgentHostParts
{
    public required KernelNode Node { get; init; }
    public required IReadOnlyCollection<Agent> Agents { get; init; }
    public required ToolCatalog Catalog { get; init; }
    public required ToolGate Tools { get; init; }
    public required FileArtifacts Artifacts { get; init; }
    public required ProgressFeed Progress { get; init; }

    /// <summary>Null runs no agents that are profiles.</summary>
    public ProfileParts? Profiles { get; init; }

    /// <summary>Null where there are none.</summary>
    public IAttemptModels? Models { get; init; }

    /// <summary>Null keeps nothing of what tools answer.</summary>
    public IToolRecords? Records { get; init; }

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
public sealed class AgentHost : IMessageWorker, IAsyncDisposable
{
    private const string ToolPrefix = "tool:";

    private static readonly string ProfileExecutor = AgentRunner.ExecutorOf(AgentProfile.Class);

    private readonly AgentHostParts _parts;
    private readonly AgentRunner _runner;
    private readonly TaskPool _pool;
    private readonly MessagePool _messages = new();

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
            .. _parts.Profiles is null ? [] : (string[])[ProfileExecutor],
            RecordedStep.Executor,
        ];
        _link.SetResult(_parts.Node.Connect(new WorkerOffer("in-process", Tenant: null, executors, _parts.Slots, IsInProcess: true, TakesMessages: true) { Capabilities = _parts.Capabilities }, this));
    }

    public void Assign(Assignment assignment) => _pool.Start(new PooledTask(
        new TaskAttempt(assignment.Task.Value, assignment.Attempt),
        assignment.Spec.LeaseDuration,
        revoked => RunAsync(assignment, revoked),
        (report, _) => ReportAsync(assignment, report)));

    public void Revoke(TaskId task, int attempt, string reason) => _pool.Revoke(new TaskAttempt(task.Value, attempt));

    public void Deliver(MessageCall call) => _messages.Start(call.Id, async cancelled =>
        call.End(WorkMapping.ToKernel(await _runner.ReceiveAsync(call.Class, WorkMapping.ToTurn(call), cancelled))));

    public void Cancel(MessageCall call, string reason) => _messages.Cancel(call.Id);

    /// <summary>Takes nothing more and gives what runs some time to end.</summary>
    public async Task DrainAsync(TimeSpan timeMax)
    {
        if (!_link.Task.IsCompletedSuccessfully)
            return;
        (await _link.Task).Drain();
        await Task.WhenAny(Task.WhenAll(_pool.WhenEmptyAsync(), _messages.WhenEmptyAsync()), Task.Delay(timeMax));
    }

    public async ValueTask DisposeAsync()
    {
        _messages.CancelAll();
        await _pool.DisposeAsync();
        if (_link.Task.IsCompletedSuccessfully)
            await (await _link.Task).DisposeAsync();
    }

    /// <summary>A step once more, for a replay: nobody is told how it goes. Null when no agent of this process does it.</summary>
    /// <param name="profile">The digest of the profile that the goal was planned with, where there is one.</param>
    internal async ValueTask<TaskReport?> RunAgainAsync(
        Assignment assignment, string? profile, IToolGate tools, IArtifactStore artifacts, IEffectLedger effects, CancellationToken cancelled)
    {
        var runner = _parts.Profiles is { } profiles && assignment.Spec.Executor == ProfileExecutor
            ? new AgentRunner([new ProfileAgent(profiles with { Models = profiles.Models is { } models ? TapedModels.Replayed(models, tools) : null }, _parts.Catalog, assignment) { PlannedWith = profile }])
            : _runner.Agents.Any(agent => AgentRunner.ExecutorOf(agent.Name) == assignment.Spec.Executor) ? _runner : null;
        return runner is null ? null
            : await runner.RunAsync(WorkMapping.ToWire(assignment), tools, artifacts, effects, static _ => { }, cancelled, models: ModelsOf(assignment, cancelled));
    }

    private async ValueTask<TaskReport> RunAsync(Assignment assignment, CancellationToken revoked)
    {
        if (assignment.Spec.Executor == RecordedStep.Executor)
            return RecordedStep.Run(AstraJson.Parse(assignment.Spec.Input.Span));
        var isProfile = _parts.Profiles is not null && assignment.Spec.Executor == ProfileExecutor;
        var subject = new ToolSubject(
            assignment.Tenant, isProfile ? ProfileAgent.AgentOf(assignment) : assignment.Agent, assignment.Goal, assignment.GoalInput, new AttemptId(assignment.Task, assignment.Attempt))
        {
            Approved = ApprovedCallOf(assignment),
        };
        // A tool that a profile's plan makes a step of is the profile's call, too.
        var tools = _parts.Profiles is { } profiles && (isProfile || IsToolOfAgent(assignment)) ? new ProfileGate(_parts.Tools, profiles.Profiles, subject) : _parts.Tools.For(subject);
        var effects = new LinkEffects(_link.Task, new AttemptId(assignment.Task, assignment.Attempt));
        if (!assignment.Spec.Executor.StartsWith(ToolPrefix, StringComparison.Ordinal))
        {
            // What an agent has left running asks no models any more, at this goal's cost, when its attempt is over.
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(revoked);
            try
            {
                return await (isProfile ? new AgentRunner([new ProfileAgent(Recorded(_parts.Profiles!, assignment), _parts.Catalog, assignment)]) : _runner).RunAsync(
                    WorkMapping.ToWire(assignment), Recorded(tools, assignment, isProfile), _parts.Artifacts.For(assignment.Tenant), effects, text => Publish(assignment, text), revoked,
                    new LinkGoals(_parts.Node, _link.Task, assignment), ModelsOf(assignment, ended.Token));
            }
            finally
            {
                await ended.CancelAsync();
            }
        }

        var label = assignment.Spec.Executor[ToolPrefix.Length..];
        var input = AstraJson.Parse(assignment.Spec.Input.Span);
        return _parts.Catalog.Find(label)?.Definition.Effects == ToolEffects.Outside
            ? await ToolStep.RunOutsideAsync(tools, label, input, effects, WorkMapping.EffectOf(assignment), revoked)
            : await ToolStep.RunAsync(tools, label, input, revoked);
    }

    /// <summary>What a step that is a tool's call would do, if people have agreed to exactly that.</summary>
    private static ApprovedCall? ApprovedCallOf(Assignment assignment) =>
        assignment.Spec is { Extras.Approval: not null } spec && spec.Executor.StartsWith(ToolPrefix, StringComparison.Ordinal) && !Approval.IsMissing(assignment.Task, spec)
            ? new ApprovedCall(spec.Executor[ToolPrefix.Length..], AstraJson.Parse(spec.Input.Span)) : null;

    private static bool IsToolOfAgent(Assignment assignment) => assignment.Agent is not null && assignment.Spec.Executor.StartsWith(ToolPrefix, StringComparison.Ordinal);

    private IModelEndpoint? ModelsOf(Assignment assignment, CancellationToken ended) => _parts.Models?.Of(
        new ModelPayer(assignment.Tenant, assignment.Agent ?? assignment.Spec.Executor[AgentRunner.ExecutorOf("").Length..], assignment.Goal, assignment.Task, assignment.Attempt), assignment.Spec.Kind, ended);

    private IToolGate Recorded(IToolGate tools, Assignment assignment, bool isProfile) =>
        _parts.Records is { } records ? new RecordingGate(tools, records, assignment, keepsFailures: isProfile) : tools;

    private ProfileParts Recorded(ProfileParts profiles, Assignment assignment) =>
        _parts.Records is { } records && profiles.Models is { } models ? profiles with { Models = TapedModels.Recording(models, records, assignment) } : profiles;

    private void Publish(Assignment assignment, string text) => _parts.Progress.Publish(
        assignment.Tenant,
        new ProgressLine(assignment.Goal, assignment.Task, assignment.Spec.Name, assignment.Attempt, TimeProvider.System.GetUtcNow(), text));

    private async ValueTask<ReportAnswer> ReportAsync(Assignment assignment, TaskReport report) =>
        ReportAnswers.Of(await WorkReports.SendAsync(await _link.Task, assignment, report));

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
    public static ValueTask<Answer<KernelTaskState>> SendAsync(WorkerLink link, Assignment assignment, TaskReport report)
    {
        var attempt = new AttemptId(assignment.Task, assignment.Attempt);
        return report switch
        {
            TaskReport.Completed done when assignment.Spec.Extras.FanOut.IsEmpty => CompleteAsync(link, attempt, done, done.Edits),
            TaskReport.Completed done => FanOutAsync(link, assignment, attempt, done),
            TaskReport.Suspended waits => SuspendAsync(link, assignment, attempt, waits),
            TaskReport.Failed failed => link.FailAsync(attempt, WorkMapping.ToKernel(failed.Kind, failed.Reason, failed.Fingerprint)),
            _ => throw new ArgumentException("A dropped attempt is not reported.", nameof(report)),
        };
    }

    private static ValueTask<Answer<KernelTaskState>> CompleteAsync(WorkerLink link, AttemptId attempt, TaskReport.Completed done, IReadOnlyList<PlanEdit> edits)
    {
        var graph = PlanEditing.ToGraph(edits);
        if (graph.Refusal is { } refusal)
            return ValueTask.FromResult<Answer<KernelTaskState>>(refusal);
        if (done.Outcome is { } outcome && !StepDependency.IsOutcome(outcome))
            return ValueTask.FromResult<Answer<KernelTaskState>>(new Refusal(RefusalKind.Invalid, $"'{outcome}' cannot be an outcome: it means something of its own."));
        return link.CompleteAsync(attempt, WorkMapping.ToBytes(done.Output), graph.Value, done.Outcome);
    }

    private static ValueTask<Answer<KernelTaskState>> SuspendAsync(WorkerLink link, Assignment assignment, AttemptId attempt, TaskReport.Suspended waits) =>
        PlanEditing.ToGraph([.. waits.Edits, new SuspendStep(assignment.Spec.Name, waits.After)]) is { Refusal: { } refusal }
            ? ValueTask.FromResult<Answer<KernelTaskState>>(refusal)
            : link.SuspendAsync(attempt, [.. waits.After.Select(WorkMapping.ToKernel)], PlanEditing.ToGraph(waits.Edits).Value);

    /// <summary>The parts are in the commit that completes the step. What does not fit would not fit the next time either.</summary>
    private static async ValueTask<Answer<KernelTaskState>> FanOutAsync(WorkerLink link, Assignment assignment, AttemptId attempt, TaskReport.Completed done)
    {
        try
        {
            var parts = FanOuts.Expand(FanOuts.Parse(assignment.Spec.Extras.FanOut), assignment.Spec.Name, assignment.Spec.Extras.Group is not null, done.Output);
            var answer = await CompleteAsync(link, attempt, done, [.. done.Edits, .. parts]);
            return answer.Refusal is { Kind: RefusalKind.Invalid or RefusalKind.Conflict or RefusalKind.NotFound } bad
                ? await link.FailAsync(attempt, WorkMapping.ToKernel(FailureKind.Permanent, $"Its output cannot be fanned out: {bad.Reason}", null))
                : answer;
        }
        catch (PermanentFailureException e)
        {
            return await link.FailAsync(attempt, WorkMapping.ToKernel(FailureKind.Permanent, e.Message, null));
        }
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
