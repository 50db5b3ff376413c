using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading.Channels;
using Astra.Hosting;
using Astra.Sdk;

namespace Astra.Tests.CommandLine;

/// <summary>A server as the command line sees it: goals in memory, moved by the test. It outlives the commands that
/// start and stop it, as a database does.</summary>
public sealed partial class FakeServer : IAstraClient
{
    private readonly ConcurrentDictionary<Guid, Goal> _goals = new();
    private readonly ConcurrentDictionary<string, Guid> _keys = new();
    private int _seq;

    /// <summary>Runs when a goal is submitted: the test's own agent.</summary>
    public Action<Goal> Agent { get; set; } = goal => goal.Complete();

    public List<GoalSubmission> Submissions { get; } = [];
    public List<string?> IdempotencyKeys { get; } = [];
    public List<string> Calls { get; } = [];
    public string? AcceptedKey { get; set; }
    public bool IsRunning { get; private set; }
    public int StartCount { get; private set; }
    public ServerOptions? Options { get; private set; }
    public bool RefusesToCancel { get; set; }
    public Exception? StartFailure { get; set; }
    public Guid LatestGoal => _goals.Values.MaxBy(goal => goal.Number)!.Id;

    public Goal this[Guid id] => Find(id);

    public IServerHost NewHost(ServerOptions options) => new Host(this, options);

    public IServerLink Connect(Uri address, string key) => new Link(this, key);

    public Task<GoalView> SubmitAsync(GoalSubmission submission, string? idempotencyKey = null, CancellationToken cancellationToken = default)
    {
        Submissions.Add(submission);
        IdempotencyKeys.Add(idempotencyKey);
        if (idempotencyKey is not null && _keys.TryGetValue(idempotencyKey, out var known))
            return Task.FromResult(Find(known).View);
        var goal = new Goal(this, submission, _goals.Count);
        _goals[goal.Id] = goal;
        if (idempotencyKey is not null)
            _keys[idempotencyKey] = goal.Id;
        Agent(goal);
        return Task.FromResult(goal.View);
    }

    public Task<GoalView> GetGoalAsync(Guid goal, CancellationToken cancellationToken = default) => Task.FromResult(Find(goal).View);

    public Task<Page<GoalView>> ListGoalsAsync(
        GoalState? state = null, string? agent = null, string? cursor = null, int limit = 50, CancellationToken cancellationToken = default)
    {
        Calls.Add($"list {state} {agent} {cursor} {limit}");
        var goals = _goals.Values.Select(goal => goal.View).Where(goal => state is null || goal.State == state).ToList();
        return Task.FromResult(new Page<GoalView>(goals, null));
    }

    public Task<GoalView> CancelGoalAsync(Guid goal, string? reason = null, CancellationToken cancellationToken = default)
    {
        if (RefusesToCancel)
            throw new AstraException(503, "Service Unavailable", "Not now.");
        Find(goal).End(GoalState.Cancelled, reason: reason);
        return GetGoalAsync(goal, cancellationToken);
    }

    public Task<PlanView> GetPlanAsync(Guid goal, CancellationToken cancellationToken = default) => Task.FromResult(Find(goal).Plan);

    public Task<PlanSteps> GetPlanStepsAsync(Guid goal, CancellationToken cancellationToken = default) => Task.FromResult(
        new PlanSteps(goal, Find(goal).View.Revision, [.. Find(goal).Plan.Tasks.Select(task => new AddStep { Name = task.Name, Executor = task.Executor })], []));

    public Task<PlanView> EditPlanAsync(Guid goal, PlanPatch patch, long? revision, CancellationToken cancellationToken = default)
    {
        Calls.Add($"edit {revision} {string.Join(",", patch.Edits.Select(edit => edit.GetType().Name))} {patch.Reason}");
        return revision is { } expected && expected != Find(goal).View.Revision
            ? throw new AstraException(412, "Precondition Failed", $"The plan is at revision {Find(goal).View.Revision}, not {expected}; look at it again.")
            : GetPlanAsync(goal, cancellationToken);
    }

    public Task<PlanView> GetPlanAtAsync(Guid goal, long revision, CancellationToken cancellationToken = default) => GetPlanAsync(goal, cancellationToken);

    public Task<PlanDiff> DiffPlanAsync(Guid goal, long? from = null, long? to = null, CancellationToken cancellationToken = default) =>
        Task.FromResult(new PlanDiff(goal, from ?? 1, to ?? Find(goal).View.Revision, [], [], [new StepChange("report", [new FieldChange("priority", AstraJson.ToElement(0), AstraJson.ToElement(10))])]));

    public Task<PlanChange> ValidatePlanAsync(Guid goal, PlanPatch patch, long? revision = null, CancellationToken cancellationToken = default)
    {
        Calls.Add($"validate {revision} {string.Join(",", patch.Edits)}");
        return Task.FromResult(new PlanChange(goal, Find(goal).View.Revision + 1, patch.Edits));
    }

    public Task<PlanChange> ApplyPlanAsync(Guid goal, PlanTarget target, long? revision = null, bool isDryRun = false, CancellationToken cancellationToken = default)
    {
        Calls.Add($"apply {revision} {string.Join(",", target.Steps.Select(step => step.Name))} dry {isDryRun}");
        return Task.FromResult(new PlanChange(goal, Find(goal).View.Revision + 1, target.Steps));
    }

    public Task<PlanChange> RollbackPlanAsync(Guid goal, PlanRollback rollback, long? revision = null, bool isDryRun = false, CancellationToken cancellationToken = default)
    {
        Calls.Add($"rollback {rollback.Revision} {rollback.Reason} dry {isDryRun}");
        return Task.FromResult(new PlanChange(goal, Find(goal).View.Revision + 1, [new RemoveStep("new")]));
    }

    public Task<TaskView> GetTaskAsync(Guid task, CancellationToken cancellationToken = default) =>
        Task.FromResult(_goals.Values.SelectMany(goal => goal.Plan.Tasks).FirstOrDefault(view => view.Id == task) ?? throw NotFound("task", task));

    public Task<WhyView> WhyAsync(Guid id, CancellationToken cancellationToken = default) => Task.FromResult(
        new WhyView(id, "goal", "waiting: tenant slots 4/4", new Dictionary<string, string> { ["running"] = "4" }));

    public async IAsyncEnumerable<EventView> FollowAsync(Guid goal, long after = 0, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (var happened in Find(goal).Events(cancellationToken))
        {
            if (happened.Seq > after)
                yield return happened;
        }
    }

    public Task<Page<DeadLetterView>> ListDeadLettersAsync(string? cursor = null, int limit = 50, string? group = null, CancellationToken cancellationToken = default) =>
        Task.FromResult(new Page<DeadLetterView>(
            [.. _goals.Values.SelectMany(goal => goal.Plan.Tasks
                .Where(task => task.State is TaskState.Dead)
                .Select(task => new DeadLetterView(task, goal.View.Title, goal.View.Agent, "fingerprint")))],
            null));

    public async Task<IReadOnlyList<DeadGroupView>> ListDeadGroupsAsync(CancellationToken cancellationToken = default) =>
        [.. (await ListDeadLettersAsync(cancellationToken: cancellationToken)).Items.GroupBy(dead => dead.Fingerprint).Select(group => new DeadGroupView(
            "0123456789ab", group.Key, group.Count(), DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch, [], ["agent:auditor"], "no [luck]", group.First().Task.Id))];

    public Task<IReadOnlyList<DeathRateView>> ListDeathRatesAsync(int hours = 24, CancellationToken cancellationToken = default)
    {
        Calls.Add($"rates {hours}");
        return Task.FromResult<IReadOnlyList<DeathRateView>>([new DeathRateView(DateTimeOffset.UnixEpoch, "inspect", "tool:unpack@2", 3)]);
    }

    public Task<Page<FailureEventView>> ListFailureEventsAsync(long after = 0, int limit = 50, CancellationToken cancellationToken = default) =>
        Task.FromResult(new Page<FailureEventView>([], null));

    public Task<IReadOnlyList<HookView>> ListHooksAsync(CancellationToken cancellationToken = default) => Task.FromResult<IReadOnlyList<HookView>>([Hook]);

    public Task<HookDetail> GetHookAsync(Guid hook, CancellationToken cancellationToken = default) => Task.FromResult(new HookDetail(Hook, [Delivery]));

    public Task<NewHook> AddHookAsync(HookRequest request, CancellationToken cancellationToken = default)
    {
        Calls.Add($"hook {request.Url} {string.Join(',', request.Kinds ?? [])}");
        return Task.FromResult(new NewHook(Hook with { Url = request.Url }, "whsec_c2VjcmV0"));
    }

    public Task<DeliveryView> TestHookAsync(Guid hook, CancellationToken cancellationToken = default) => Task.FromResult(Delivery);

    public Task RemoveHookAsync(Guid hook, CancellationToken cancellationToken = default) => Task.CompletedTask;

    private static HookView Hook { get; } = new(Guid.Empty, "https://example.org/hook", [HookKinds.NewGroup], "key:admin", DateTimeOffset.UnixEpoch, 1, 0);

    private static DeliveryView Delivery { get; } = new("msg_1", HookKinds.Test, DeliveryState.Delivered, 1, DateTimeOffset.UnixEpoch, Status: 204);

    public async Task<TaskStoryView> GetStoryAsync(Guid task, CancellationToken cancellationToken = default) => new(
        await GetTaskAsync(task, cancellationToken), "a goal", "auditor", "fingerprint",
        [new AttemptView(1, "worker-1", DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddSeconds(2), "task_died", new TaskFailure(FailureKind.Permanent, "no [luck]", "fingerprint"), null, null)],
        [new InterventionView(DateTimeOffset.UnixEpoch.AddHours(1), "task_fixed", "ada")]);

    public Task<TaskView> FixAsync(Guid task, DeadLetterFix fix, CancellationToken cancellationToken = default)
    {
        Calls.Add($"fix {fix.Executor} {fix.Input}");
        return GetTaskAsync(task, cancellationToken);
    }

    public async Task<Page<UnknownEffectView>> ListUnknownEffectsAsync(string? cursor = null, int limit = 50, CancellationToken cancellationToken = default) => new(
        [.. (await ListDeadLettersAsync(cancellationToken: cancellationToken)).Items.Select(dead => new UnknownEffectView(dead.Task, dead.GoalTitle, dead.Agent))], null);

    public Task<TaskView> ResolveEffectAsync(Guid task, EffectResolution resolution, CancellationToken cancellationToken = default)
    {
        Calls.Add($"resolve {resolution.Outcome} {resolution.Output}");
        return GetTaskAsync(task, cancellationToken);
    }

    public Task<TaskView> ReplayAsync(Guid task, CancellationToken cancellationToken = default) => GetTaskAsync(task, cancellationToken);

    public Task<TaskView> DiscardAsync(Guid task, string reason, CancellationToken cancellationToken = default) => GetTaskAsync(task, cancellationToken);

    public Task<Page<AgentView>> ListAgentsAsync(string? cursor = null, int limit = 50, CancellationToken cancellationToken = default)
    {
        Calls.Add($"agents {cursor} {limit}");
        return Task.FromResult(new Page<AgentView>([Auditor], null));
    }

    public Task<AgentView> GetAgentAsync(string agent, CancellationToken cancellationToken = default) =>
        agent == Auditor.Name ? Task.FromResult(Auditor with { State = AstraJson.ToElement(new { count = 2 }) }) : throw new AstraException(404, "Not found", $"There is no agent {agent} here.");

    public Task<AgentView> RegisterAgentAsync(AgentRegistration registration, CancellationToken cancellationToken = default)
    {
        Calls.Add($"register {registration.Name} {registration.Class} {registration.IdleSeconds} {registration.Description}");
        return Task.FromResult(Auditor with { Name = registration.Name, Class = registration.Class ?? registration.Name });
    }

    public Task RemoveAgentAsync(string agent, CancellationToken cancellationToken = default)
    {
        Calls.Add($"remove {agent}");
        return Task.CompletedTask;
    }

    public Task<JsonElement?> SendAsync(string agent, JsonElement message, CancellationToken cancellationToken = default)
    {
        Calls.Add($"send {agent} {message.GetRawText()}");
        return Task.FromResult<JsonElement?>(message.ValueKind == JsonValueKind.Null ? null : message);
    }

    private static readonly AgentView Auditor = new()
    {
        Name = "auditor", Class = "auditor", Description = "Audits [packages].", RegisteredAt = DateTimeOffset.UnixEpoch, WorkerCount = 1, StateVersion = 3,
        StateSavedAt = DateTimeOffset.UnixEpoch,
    };

    public Task<ActorTreeView> GetActorsAsync(string under = "/", int depth = 2, int limit = 20, string? node = null, CancellationToken cancellationToken = default)
    {
        Calls.Add($"actors {under} {depth} {limit} {node}");
        return Task.FromResult(new ActorTreeView(node ?? "node-1", Actors));
    }

    public Task<ActorView> RestartActorAsync(string path, string? node = null, CancellationToken cancellationToken = default)
    {
        Calls.Add($"restart {path} {node}");
        return Task.FromResult(Actors with { Path = path });
    }

    public Task<ActorView> StopActorAsync(string path, string? node = null, CancellationToken cancellationToken = default)
    {
        Calls.Add($"stop {path} {node}");
        return path == "/scheduler" ? throw new AstraException(409, "Conflict", "/scheduler cannot be stopped: this node does nothing without it.") : Task.FromResult(Actors with { Path = path });
    }

    public Task<VitalsView> GetVitalsAsync(string? node = null, CancellationToken cancellationToken = default) => Task.FromResult(Vitals(VitalsAsked++));

    public ActorView Actors { get; set; } = NewActor("/");
    public int VitalsAsked { get; private set; }

    /// <summary>Answers the n-th question for vitals, from 0.</summary>
    public Func<int, VitalsView> Vitals { get; set; } = NewVitals;

    public static ActorView NewActor(string path) => new()
    {
        Path = path, State = "running", MailboxDepth = 0, MailboxCapacity = 1024, Processed = 0, Restarts = 0, ChildCount = 0, Children = [],
    };

    /// <summary>Ten of everything a second.</summary>
    public static VitalsView NewVitals(int second) => new()
    {
        NodeId = "node-1", Version = "0.1.0", StartedAt = DateTimeOffset.UnixEpoch, ClockSeconds = 100 + second,
        Counters = new VitalCounters(10 * second, 10 * second, 10 * second, 10 * second, 0, 0, 0, 10 * second, 40 * second, 0.02 * second),
        GoalsActive = 3, TasksReady = 1_234, TasksRunning = 8, TasksNotDue = 0, TasksWithoutWorker = 0, ShardsOwned = 4096, ProjectionBacklog = 0, ProjectionLagSeconds = 0.12,
        DeadLettersLastHour = 5, ResidentBytes = 100 << 20, Tenants = [new TenantVitals(Guid.Empty, 1_200, 8), new TenantVitals(null, 34, 0)], WorkersConnected = 1, Slots = 8, SlotsTaken = 8,
        Workers = [new WorkerVitals("worker-1", 8, 8)], Actors = new ActorTotalsView(4_100, 0, 7, 100_000, 0), MailboxDepthMax = 7, ActorDeadLetters = 0,
        BusiestActors = [NewActor("/scheduler") with { Processed = 1_000 + (50 * second) }, NewActor("/shards/shard-3") with { MailboxDepth = 7, Processed = 20 }],
    };

    public Task<StatusView> GetStatusAsync(CancellationToken cancellationToken = default) => Task.FromResult(new StatusView
    {
        Version = "0.1.0", NodeId = "node-1", StartedAt = DateTimeOffset.UnixEpoch, Database = "private", ShardsOwned = 4096, ShardsTotal = 4096,
        Nodes = [], GoalsActive = 0, TasksReady = 0, TasksRunning = 0, WorkersConnected = 0, SandboxTier = "bubblewrap", ResidentBytes = 100 << 20,
    });

    private long NextSeq() => Interlocked.Increment(ref _seq);

    private Goal Find(Guid id) => _goals.TryGetValue(id, out var goal) ? goal : throw NotFound("goal", id);

    private static AstraException NotFound(string what, Guid id) => new(404, "Not Found", $"There is no {what} {id}; `astra goal list` shows what there is.");

    public sealed class Goal(FakeServer server, GoalSubmission submission, int number)
    {
        private readonly object _gate = new();
        private readonly List<EventView> _events = [];
        private readonly List<TaskView> _tasks = [];
        private readonly List<Channel<EventView>> _followers = [];
        private GoalState _state = GoalState.Active;
        private object? _result;
        private string? _reason;

        public Guid Id { get; } = Guid.CreateVersion7();
        public int Number => number;
        public GoalSubmission Submission => submission;

        public GoalView View
        {
            get
            {
                lock (_gate)
                {
                    return new GoalView
                    {
                        Id = Id, Agent = submission.Agent, Title = submission.Title ?? "untitled", State = _state, Priority = 0, Revision = 1,
                        LastSeq = _events.Count == 0 ? 0 : _events[^1].Seq, CreatedAt = DateTimeOffset.UnixEpoch,
                        Tasks = new(Count(TaskState.Pending), Count(TaskState.Ready), Count(TaskState.Running), Count(TaskState.Completed),
                            Count(TaskState.Cancelled), Count(TaskState.Dead)),
                        Result = _result is null ? null : AstraJson.ToElement(_result), Reason = _reason,
                    };
                }
            }
        }

        public PlanView Plan
        {
            get
            {
                lock (_gate)
                    return new PlanView(Id, 1, [.. _tasks]);
            }
        }

        public Goal Step(string name, TaskState state, string? reason = null)
        {
            lock (_gate)
            {
                var index = _tasks.FindIndex(task => task.Name == name);
                var before = index < 0 ? (TaskState?)null : _tasks[index].State;
                var task = index < 0
                    ? new TaskView
                    {
                        Id = Guid.CreateVersion7(), GoalId = Id, Name = name, Executor = "agent:auditor", Kind = "", State = state, Priority = 0, Attempt = 1,
                        AttemptCountMax = 3, After = [], CreatedAt = DateTimeOffset.UnixEpoch,
                    }
                    : _tasks[index];
                task = task with { State = state, Failure = reason is null ? null : new TaskFailure(FailureKind.Permanent, reason, "fingerprint") };
                if (index < 0)
                    _tasks.Add(task);
                else
                    _tasks[index] = task;
                Happened(new EventView
                {
                    Seq = server.NextSeq(), At = DateTimeOffset.UnixEpoch, Kind = "task." + state, GoalId = Id, TaskId = task.Id, Task = name,
                    From = before, To = state, Text = reason,
                });
            }

            return this;
        }

        public Goal Complete(object? result = null) => End(GoalState.Completed, result);

        public Goal End(GoalState state, object? result = null, string? reason = null)
        {
            lock (_gate)
            {
                if (_state is not GoalState.Active)
                    return this;
                _state = state;
                _result = result;
                _reason = reason;
                Happened(new EventView { Seq = server.NextSeq(), At = DateTimeOffset.UnixEpoch, Kind = "goal." + state, GoalId = Id });
                foreach (var follower in _followers)
                    follower.Writer.Complete();
            }

            return this;
        }

        public IAsyncEnumerable<EventView> Events(CancellationToken cancellationToken)
        {
            var follower = Channel.CreateUnbounded<EventView>();
            lock (_gate)
            {
                foreach (var happened in _events)
                    follower.Writer.TryWrite(happened);
                if (_state is GoalState.Active)
                    _followers.Add(follower);
                else
                    follower.Writer.Complete();
            }

            server.Followed.TrySetResult(this);
            return follower.Reader.ReadAllAsync(cancellationToken);
        }

        private int Count(TaskState state) => _tasks.Count(task => task.State == state);

        private void Happened(EventView happened)
        {
            _events.Add(happened);
            foreach (var follower in _followers)
                follower.Writer.TryWrite(happened);
        }
    }

    /// <summary>Completes when a command has begun to follow a goal.</summary>
    public TaskCompletionSource<Goal> Followed { get; set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed class Host(FakeServer server, ServerOptions options) : IServerHost
    {
        private readonly TaskCompletionSource _stopRequested = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Uri Address { get; } = new($"http://127.0.0.1:{(options.Port == 0 ? 41234 : options.Port)}/");

        public Task StopRequested => _stopRequested.Task;

        public string? Failure { get; set; }

        public Task StartAsync(CancellationToken cancellationToken)
        {
            if (server.StartFailure is { } failure)
                throw failure;
            server.StartCount++;
            server.IsRunning = true;
            server.Options = options;
            server._stop = () => _stopRequested.TrySetResult();
            server._host = this;
            return Task.CompletedTask;
        }

        public ValueTask DisposeAsync()
        {
            server.IsRunning = false;
            return ValueTask.CompletedTask;
        }
    }

    private Action _stop = () => { };
    private Host? _host;

    /// <summary>The server gives itself up, as when a part of its node fails beyond repair.</summary>
    public void GiveUp(string why)
    {
        _host!.Failure = why;
        _stop();
    }

    private sealed class Link(FakeServer server, string key) : IServerLink
    {
        public IAstraClient Client => server.AcceptedKey is { } accepted && accepted != key
            ? throw new AstraException(401, "Unauthorized", "This key is not known here.")
            : server;

        public Task RequestStopAsync(CancellationToken cancellationToken)
        {
            server._stop();
            return Task.CompletedTask;
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
