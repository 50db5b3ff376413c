using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Astra.Sdk;

/// <summary>A server over HTTP. Safe to use from many threads; keep one.</summary>
public sealed partial class AstraClient : IAstraClient, IDisposable
{
    private readonly ServerRequests _requests;
    private readonly TimeProvider _machine;

    /// <param name="address">For instance http://127.0.0.1:7777.</param>
    /// <param name="handler">What sends the requests; by default a pool of connections of its own.</param>
    public AstraClient(Uri address, string apiKey, HttpMessageHandler? handler = null, TimeProvider? machine = null)
    {
        _requests = new ServerRequests(address, apiKey, handler);
        _machine = machine ?? TimeProvider.System;
        Artifacts = new RemoteArtifacts(_requests);
    }

    public Uri Address => _requests.Address;

    /// <summary>The files that goals leave, on the server.</summary>
    public IArtifactStore Artifacts { get; }

    public Task<GoalView> SubmitAsync(GoalSubmission submission, string? idempotencyKey = null, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<GoalView>(HttpMethod.Post, "goals", submission, cancellationToken, headers =>
        {
            if (idempotencyKey is not null)
                headers.Add("Idempotency-Key", idempotencyKey);
        });

    public Task<GoalView> GetGoalAsync(Guid goal, CancellationToken cancellationToken = default) =>
        GetAsync<GoalView>($"goals/{goal}", cancellationToken);

    public Task<Page<GoalView>> ListGoalsAsync(GoalState? state = null, string? agent = null, string? cursor = null, int limit = 50, CancellationToken cancellationToken = default) =>
        GetAsync<Page<GoalView>>($"goals?limit={limit}{Query("state", state?.ToString().ToLowerInvariant())}{Query("agent", agent)}{Query("cursor", cursor)}", cancellationToken);

    public Task<Page<GoalView>> ListChildrenAsync(Guid parent, GoalState? state = null, string? cursor = null, int limit = 50, CancellationToken cancellationToken = default) =>
        GetAsync<Page<GoalView>>($"goals/{parent}/children?limit={limit}{Query("state", state?.ToString().ToLowerInvariant())}{Query("cursor", cursor)}", cancellationToken);

    public Task<GoalView> CancelGoalAsync(Guid goal, string? reason = null, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<GoalView>(HttpMethod.Post, $"goals/{goal}/cancel", new ReasonGiven(reason), cancellationToken);

    public Task<IReadOnlyList<QuarantinedGoalView>> ListQuarantinedAsync(CancellationToken cancellationToken = default) =>
        GetAsync<IReadOnlyList<QuarantinedGoalView>>("quarantine", cancellationToken);

    public Task<GoalView> ReleaseGoalAsync(Guid goal, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<GoalView>(HttpMethod.Post, $"quarantine/{goal}/release", null, cancellationToken);

    public Task<GoalView> DiscardGoalAsync(Guid goal, string reason, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<GoalView>(HttpMethod.Post, $"quarantine/{goal}/discard", new ReasonGiven(reason), cancellationToken);

    public Task<PlanView> GetPlanAsync(Guid goal, CancellationToken cancellationToken = default) =>
        GetAsync<PlanView>($"goals/{goal}/plan", cancellationToken);

    public Task<PlanSteps> GetPlanStepsAsync(Guid goal, CancellationToken cancellationToken = default) =>
        GetAsync<PlanSteps>($"goals/{goal}/plan/steps", cancellationToken);

    public Task<PlanView> EditPlanAsync(Guid goal, PlanPatch patch, long? revision, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<PlanView>(HttpMethod.Patch, $"goals/{goal}/plan", patch, cancellationToken, IfMatch(revision));

    public Task<long> AmendPlanAsync(Guid goal, PlanPatch patch, long? revision = null, CancellationToken cancellationToken = default) =>
        _requests.SendForRevisionAsync(HttpMethod.Patch, $"goals/{goal}/plan", patch, IfMatch(revision), cancellationToken);

    public Task<PlanView> GetPlanAtAsync(Guid goal, long revision, CancellationToken cancellationToken = default) =>
        GetAsync<PlanView>($"goals/{goal}/plan?revision={revision}", cancellationToken);

    public Task<PlanDiff> DiffPlanAsync(Guid goal, long? from = null, long? to = null, CancellationToken cancellationToken = default) =>
        GetAsync<PlanDiff>($"goals/{goal}/plan/diff?{Query("from", from?.ToString())}{Query("to", to?.ToString())}", cancellationToken);

    public Task<PlanChange> ValidatePlanAsync(Guid goal, PlanPatch patch, long? revision = null, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<PlanChange>(HttpMethod.Post, $"goals/{goal}/plan/validate", patch, cancellationToken, IfMatch(revision));

    public Task<PlanChange> ApplyPlanAsync(Guid goal, PlanTarget target, long? revision = null, bool isDryRun = false, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<PlanChange>(HttpMethod.Put, $"goals/{goal}/plan?dryRun={isDryRun}", target, cancellationToken, IfMatch(revision));

    public Task<PlanChange> RollbackPlanAsync(Guid goal, PlanRollback rollback, long? revision = null, bool isDryRun = false, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<PlanChange>(HttpMethod.Post, $"goals/{goal}/plan/rollback?dryRun={isDryRun}", rollback, cancellationToken, IfMatch(revision));

    public Task<TaskView> GetTaskAsync(Guid task, CancellationToken cancellationToken = default) =>
        GetAsync<TaskView>($"tasks/{task}", cancellationToken);

    public Task<WhyView> WhyAsync(Guid id, CancellationToken cancellationToken = default) =>
        GetAsync<WhyView>($"why/{id}", cancellationToken);

    public async IAsyncEnumerable<EventView> FollowAsync(Guid goal, long after = 0, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var stream = new EventStream(_requests, goal, after, _machine);
        await foreach (var view in stream.ReadAsync(cancellationToken))
            yield return view;
    }

    /// <summary>One page of the goal's history; `next` is what `after` is for the following page.</summary>
    public Task<Page<EventView>> ListEventsAsync(Guid goal, long after = 0, int limit = 500, CancellationToken cancellationToken = default) =>
        GetAsync<Page<EventView>>($"goals/{goal}/events?after={after}&limit={limit}", cancellationToken);

    public Task<Page<DeadLetterView>> ListDeadLettersAsync(string? cursor = null, int limit = 50, string? group = null, CancellationToken cancellationToken = default) =>
        GetAsync<Page<DeadLetterView>>($"dead-letters?limit={limit}{Query("cursor", cursor)}{Query("group", group)}", cancellationToken);

    public Task<IReadOnlyList<DeadGroupView>> ListDeadGroupsAsync(CancellationToken cancellationToken = default) =>
        GetAsync<IReadOnlyList<DeadGroupView>>("dead-letters/groups", cancellationToken);

    public Task<IReadOnlyList<DeathRateView>> ListDeathRatesAsync(int hours = 24, CancellationToken cancellationToken = default) =>
        GetAsync<IReadOnlyList<DeathRateView>>($"dead-letters/rates?hours={hours}", cancellationToken);

    public Task<Page<FailureEventView>> ListFailureEventsAsync(long after = 0, int limit = 50, CancellationToken cancellationToken = default) =>
        GetAsync<Page<FailureEventView>>($"dead-letters/events?after={after}&limit={limit}", cancellationToken);

    public Task<IReadOnlyList<HookView>> ListHooksAsync(CancellationToken cancellationToken = default) =>
        GetAsync<IReadOnlyList<HookView>>("hooks", cancellationToken);

    public Task<HookDetail> GetHookAsync(Guid hook, CancellationToken cancellationToken = default) =>
        GetAsync<HookDetail>($"hooks/{hook}", cancellationToken);

    public Task<NewHook> AddHookAsync(HookRequest request, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<NewHook>(HttpMethod.Post, "hooks", request, cancellationToken);

    public Task<DeliveryView> TestHookAsync(Guid hook, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<DeliveryView>(HttpMethod.Post, $"hooks/{hook}/test", null, cancellationToken);

    public async Task RemoveHookAsync(Guid hook, CancellationToken cancellationToken = default) =>
        (await _requests.SendAsync(HttpMethod.Delete, $"hooks/{hook}", null, cancellationToken)).Dispose();

    public Task<TaskStoryView> GetStoryAsync(Guid task, CancellationToken cancellationToken = default) =>
        GetAsync<TaskStoryView>($"dead-letters/{task}", cancellationToken);

    public Task<TaskView> FixAsync(Guid task, DeadLetterFix fix, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<TaskView>(HttpMethod.Post, $"dead-letters/{task}/fix", fix, cancellationToken);

    public Task<Page<UnknownEffectView>> ListUnknownEffectsAsync(string? cursor = null, int limit = 50, CancellationToken cancellationToken = default) =>
        GetAsync<Page<UnknownEffectView>>($"effects?limit={limit}{Query("cursor", cursor)}", cancellationToken);

    public Task<TaskView> ResolveEffectAsync(Guid task, EffectResolution resolution, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<TaskView>(HttpMethod.Post, $"effects/{task}/resolve", resolution, cancellationToken);

    public Task<Page<ApprovalRequestView>> ListApprovalsAsync(string? cursor = null, int limit = 50, CancellationToken cancellationToken = default) =>
        GetAsync<Page<ApprovalRequestView>>($"approvals?limit={limit}{Query("cursor", cursor)}", cancellationToken);

    public Task<TaskView> VoteAsync(Guid task, ApprovalVote vote, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<TaskView>(HttpMethod.Post, $"approvals/{task}/votes", vote, cancellationToken);

    public Task<TaskView> ReplayAsync(Guid task, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<TaskView>(HttpMethod.Post, $"dead-letters/{task}/replay", null, cancellationToken);

    public Task<TaskView> DiscardAsync(Guid task, string reason, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<TaskView>(HttpMethod.Post, $"dead-letters/{task}/discard", new ReasonGiven(reason), cancellationToken);

    public Task<Page<AgentView>> ListAgentsAsync(string? cursor = null, int limit = 50, CancellationToken cancellationToken = default) =>
        GetAsync<Page<AgentView>>($"agents?limit={limit}{Query("cursor", cursor)}", cancellationToken);

    public Task<AgentView> GetAgentAsync(string agent, CancellationToken cancellationToken = default) =>
        GetAsync<AgentView>($"agents/{Uri.EscapeDataString(agent)}", cancellationToken);

    public Task<AgentView> RegisterAgentAsync(AgentRegistration registration, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<AgentView>(HttpMethod.Post, "agents", registration, cancellationToken);

    /// <summary>Up to 10,000 in one request; those that are there already stay as they are.</summary>
    public Task<AgentBatchAnswer> CreateAgentsAsync(IReadOnlyList<AgentRegistration> agents, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<AgentBatchAnswer>(HttpMethod.Post, "agents/batch", new AgentBatch(agents), cancellationToken);

    public async Task RemoveAgentAsync(string agent, CancellationToken cancellationToken = default) =>
        (await _requests.SendAsync(HttpMethod.Delete, $"agents/{Uri.EscapeDataString(agent)}", null, cancellationToken)).Dispose();

    public Task<JsonElement?> SendAsync(string agent, JsonElement message, CancellationToken cancellationToken = default) =>
        _requests.SendForAnyAsync($"agents/{Uri.EscapeDataString(agent)}/messages", message, cancellationToken);

    public Task<IReadOnlyList<ApiKeyView>> ListApiKeysAsync(CancellationToken cancellationToken = default) =>
        GetAsync<IReadOnlyList<ApiKeyView>>("api-keys", cancellationToken);

    public Task<NewApiKey> CreateApiKeyAsync(ApiKeyRequest request, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<NewApiKey>(HttpMethod.Post, "api-keys", request, cancellationToken);

    public async Task RevokeApiKeyAsync(Guid key, CancellationToken cancellationToken = default) =>
        (await _requests.SendAsync(HttpMethod.Delete, $"api-keys/{key}", null, cancellationToken)).Dispose();

    public Task<NewApiKey> CreateTenantAsync(TenantRequest request, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<NewApiKey>(HttpMethod.Post, "tenants", request, cancellationToken);

    public Task<ActorTreeView> GetActorsAsync(string under = "/", int depth = 2, int limit = 20, string? node = null, CancellationToken cancellationToken = default) =>
        GetAsync<ActorTreeView>($"actors?depth={depth}&limit={limit}{Query("under", under)}{Query("node", node)}", cancellationToken);

    public Task<ActorView> RestartActorAsync(string path, string? node = null, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<ActorView>(HttpMethod.Post, $"actors/restart?{Query("node", node)}", new ActorCommand(path), cancellationToken);

    public Task<ActorView> StopActorAsync(string path, string? node = null, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<ActorView>(HttpMethod.Post, $"actors/stop?{Query("node", node)}", new ActorCommand(path), cancellationToken);

    public Task<VitalsView> GetVitalsAsync(string? node = null, CancellationToken cancellationToken = default) =>
        GetAsync<VitalsView>($"vitals?{Query("node", node)}", cancellationToken);

    public Task<StatusView> GetStatusAsync(CancellationToken cancellationToken = default) =>
        GetAsync<StatusView>("status", cancellationToken);

    /// <summary>Returns when the server has agreed to stop, not when it is gone.</summary>
    public async Task StopServerAsync(CancellationToken cancellationToken = default) =>
        (await _requests.SendAsync(HttpMethod.Post, "server/stop", null, cancellationToken)).Dispose();

    public void Dispose() => _requests.Dispose();

    private Task<T> GetAsync<T>(string path, CancellationToken cancellationToken) =>
        _requests.SendAsync<T>(HttpMethod.Get, path, null, cancellationToken);

    private static Action<System.Net.Http.Headers.HttpRequestHeaders> IfMatch(long? revision) => headers =>
    {
        if (revision is not null)
            headers.Add("If-Match", $"\"{revision}\"");
    };

    private static string Query(string name, string? value) => value is null ? "" : $"&{name}={Uri.EscapeDataString(value)}";
}

/// <summary>The body of a cancel or a discard.</summary>
public sealed record ReasonGiven(string? Reason);
