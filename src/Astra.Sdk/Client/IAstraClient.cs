using System.Text.Json;

namespace Astra.Sdk;

/// <summary>A server, as a client sees it. Every refusal is an <see cref="AstraException"/> that says what to do.</summary>
public partial interface IAstraClient
{
    Task<GoalView> SubmitAsync(GoalSubmission submission, string? idempotencyKey = null, CancellationToken cancellationToken = default);
    Task<GoalView> GetGoalAsync(Guid goal, CancellationToken cancellationToken = default);
    Task<Page<GoalView>> ListGoalsAsync(GoalState? state = null, string? agent = null, string? cursor = null, int limit = 50, CancellationToken cancellationToken = default);

    /// <summary>The goals whose parent a goal is, the newest first.</summary>
    Task<Page<GoalView>> ListChildrenAsync(Guid parent, GoalState? state = null, string? cursor = null, int limit = 50, CancellationToken cancellationToken = default);

    Task<GoalView> CancelGoalAsync(Guid goal, string? reason = null, CancellationToken cancellationToken = default);

    /// <summary>Goals that the tables refuse, the latest first.</summary>
    Task<IReadOnlyList<QuarantinedGoalView>> ListQuarantinedAsync(CancellationToken cancellationToken = default);

    /// <summary>Has the goal's rows made anew; refused with the reason when the tables still do not take them.</summary>
    Task<GoalView> ReleaseGoalAsync(Guid goal, CancellationToken cancellationToken = default);

    /// <summary>Gives a goal in quarantine up.</summary>
    Task<GoalView> DiscardGoalAsync(Guid goal, string reason, CancellationToken cancellationToken = default);

    Task<PlanView> GetPlanAsync(Guid goal, CancellationToken cancellationToken = default);

    /// <summary>The plan as the steps that would make it.</summary>
    Task<PlanSteps> GetPlanStepsAsync(Guid goal, CancellationToken cancellationToken = default);

    /// <param name="revision">What If-Match compares; null edits whatever is there.</param>
    Task<PlanView> EditPlanAsync(Guid goal, PlanPatch patch, long? revision, CancellationToken cancellationToken = default);

    /// <summary>Edits a plan without reading it back: for plans that are much larger than their edits.</summary>
    /// <returns>The revision that the edit has made.</returns>
    Task<long> AmendPlanAsync(Guid goal, PlanPatch patch, long? revision = null, CancellationToken cancellationToken = default);

    /// <summary>The plan as it was just before the edit that followed a revision.</summary>
    Task<PlanView> GetPlanAtAsync(Guid goal, long revision, CancellationToken cancellationToken = default);

    /// <summary>What has changed between two revisions; from the one before the present to the present when they are null.</summary>
    Task<PlanDiff> DiffPlanAsync(Guid goal, long? from = null, long? to = null, CancellationToken cancellationToken = default);

    /// <summary>Whether an edit would be taken; changes nothing.</summary>
    Task<PlanChange> ValidatePlanAsync(Guid goal, PlanPatch patch, long? revision = null, CancellationToken cancellationToken = default);

    /// <summary>Makes whatever edits lead from the present plan to these steps.</summary>
    Task<PlanChange> ApplyPlanAsync(Guid goal, PlanTarget target, long? revision = null, bool isDryRun = false, CancellationToken cancellationToken = default);

    /// <summary>Takes edits back, as far as what they changed has not started.</summary>
    Task<PlanChange> RollbackPlanAsync(Guid goal, PlanRollback rollback, long? revision = null, bool isDryRun = false, CancellationToken cancellationToken = default);

    Task<TaskView> GetTaskAsync(Guid task, CancellationToken cancellationToken = default);
    Task<WhyView> WhyAsync(Guid id, CancellationToken cancellationToken = default);

    /// <summary>The goal's events after <paramref name="after"/>, then live ones until it ends; reconnects by itself.</summary>
    IAsyncEnumerable<EventView> FollowAsync(Guid goal, long after = 0, CancellationToken cancellationToken = default);

    /// <param name="group">The short id of a group or its fingerprint; null for all.</param>
    Task<Page<DeadLetterView>> ListDeadLettersAsync(string? cursor = null, int limit = 50, string? group = null, CancellationToken cancellationToken = default);
    Task<IReadOnlyList<DeadGroupView>> ListDeadGroupsAsync(CancellationToken cancellationToken = default);

    /// <summary>How many tasks were given up in each of the last hours, by kind and executor.</summary>
    Task<IReadOnlyList<DeathRateView>> ListDeathRatesAsync(int hours = 24, CancellationToken cancellationToken = default);

    /// <summary>New groups and hours with deaths, in the order in which they were noticed.</summary>
    Task<Page<FailureEventView>> ListFailureEventsAsync(long after = 0, int limit = 50, CancellationToken cancellationToken = default);
    Task<IReadOnlyList<HookView>> ListHooksAsync(CancellationToken cancellationToken = default);
    Task<HookDetail> GetHookAsync(Guid hook, CancellationToken cancellationToken = default);

    /// <summary>The answer has the secret, which is shown this once.</summary>
    Task<NewHook> AddHookAsync(HookRequest request, CancellationToken cancellationToken = default);

    /// <summary>Sends a message right now, once, and says what came of it.</summary>
    Task<DeliveryView> TestHookAsync(Guid hook, CancellationToken cancellationToken = default);
    Task RemoveHookAsync(Guid hook, CancellationToken cancellationToken = default);
    Task<TaskStoryView> GetStoryAsync(Guid task, CancellationToken cancellationToken = default);
    Task<TaskView> FixAsync(Guid task, DeadLetterFix fix, CancellationToken cancellationToken = default);
    Task<Page<UnknownEffectView>> ListUnknownEffectsAsync(string? cursor = null, int limit = 50, CancellationToken cancellationToken = default);
    Task<TaskView> ResolveEffectAsync(Guid task, EffectResolution resolution, CancellationToken cancellationToken = default);

    /// <summary>Tasks that wait for people's votes, newest first.</summary>
    Task<Page<ApprovalRequestView>> ListApprovalsAsync(string? cursor = null, int limit = 50, CancellationToken cancellationToken = default);

    /// <summary>Says yes or no to a task, as the key's owner; takes a key with the role orgAdmin.</summary>
    Task<TaskView> VoteAsync(Guid task, ApprovalVote vote, CancellationToken cancellationToken = default);
    Task<TaskView> ReplayAsync(Guid task, CancellationToken cancellationToken = default);
    Task<TaskView> DiscardAsync(Guid task, string reason, CancellationToken cancellationToken = default);

    /// <summary>By name.</summary>
    Task<Page<AgentView>> ListAgentsAsync(string? cursor = null, int limit = 50, CancellationToken cancellationToken = default);
    Task<AgentView> GetAgentAsync(string agent, CancellationToken cancellationToken = default);

    /// <summary>Registers an agent, or describes it anew.</summary>
    Task<AgentView> RegisterAgentAsync(AgentRegistration registration, CancellationToken cancellationToken = default);
    Task RemoveAgentAsync(string agent, CancellationToken cancellationToken = default);

    /// <summary>Sends an agent a message and waits for its answer; null when it has nothing to say. A change of the agent's
    /// state is durable by then. The message gets there at most once: without an answer nobody knows.</summary>
    Task<JsonElement?> SendAsync(string agent, JsonElement message, CancellationToken cancellationToken = default);

    /// <summary>The tenant's keys, revoked ones included; takes a key with the role orgAdmin, as do the next two.</summary>
    Task<IReadOnlyList<ApiKeyView>> ListApiKeysAsync(CancellationToken cancellationToken = default);

    /// <summary>The answer has the secret, which is shown this once.</summary>
    Task<NewApiKey> CreateApiKeyAsync(ApiKeyRequest request, CancellationToken cancellationToken = default);

    /// <summary>Returns when no server takes the key any more.</summary>
    Task RevokeApiKeyAsync(Guid key, CancellationToken cancellationToken = default);

    /// <param name="limit">Of each actor's children at most so many are listed; the others are summed up.</param>
    /// <param name="node">Another node of the fleet; null is the one that is asked.</param>
    Task<ActorTreeView> GetActorsAsync(string under = "/", int depth = 2, int limit = 20, string? node = null, CancellationToken cancellationToken = default);

    /// <summary>Returns when the command was accepted, with the actor as it was then.</summary>
    Task<ActorView> RestartActorAsync(string path, string? node = null, CancellationToken cancellationToken = default);

    /// <summary>Returns when the command was accepted, with the actor as it was then.</summary>
    Task<ActorView> StopActorAsync(string path, string? node = null, CancellationToken cancellationToken = default);

    Task<VitalsView> GetVitalsAsync(string? node = null, CancellationToken cancellationToken = default);
    Task<StatusView> GetStatusAsync(CancellationToken cancellationToken = default);

    Task<GoalView> PauseGoalAsync(Guid goal, string? reason = null, CancellationToken cancellationToken = default);
    Task<GoalView> ResumeGoalAsync(Guid goal, CancellationToken cancellationToken = default);
    Task<ControlsView> PauseAgentAsync(string agent, string? reason = null, CancellationToken cancellationToken = default);
    Task<ControlsView> ResumeAgentAsync(string agent, CancellationToken cancellationToken = default);
    Task<WhyView> WhyAgentAsync(string agent, CancellationToken cancellationToken = default);
    Task<ControlsView> GetControlsAsync(CancellationToken cancellationToken = default);
    Task<ControlsView> SetLimitAsync(LimitView limit, CancellationToken cancellationToken = default);
    Task<ControlsView> RemoveLimitAsync(LimitScope scope, string? name, CancellationToken cancellationToken = default);
    Task<ControlsView> SetAgentWeightAsync(string agent, int weight, CancellationToken cancellationToken = default);

    /// <summary>Takes the key of whoever runs the server.</summary>
    Task<WeightView> SetTenantWeightAsync(string tenant, int weight, CancellationToken cancellationToken = default);

    /// <summary>Takes the key of whoever runs the server.</summary>
    Task<StatusView> DrainAsync(bool draining, CancellationToken cancellationToken = default);

    Task<ScheduleView> CreateScheduleAsync(ScheduleRequest schedule, CancellationToken cancellationToken = default);
    Task<IReadOnlyList<ScheduleView>> ListSchedulesAsync(CancellationToken cancellationToken = default);
    Task<ScheduleView> GetScheduleAsync(Guid schedule, CancellationToken cancellationToken = default);
    Task<ScheduleView> PauseScheduleAsync(Guid schedule, CancellationToken cancellationToken = default);
    Task<ScheduleView> ResumeScheduleAsync(Guid schedule, CancellationToken cancellationToken = default);
    Task RemoveScheduleAsync(Guid schedule, CancellationToken cancellationToken = default);

    /// <summary>Submits the schedule's goal now.</summary>
    Task<GoalView> RunScheduleAsync(Guid schedule, CancellationToken cancellationToken = default);
}

/// <summary>The server said no. <see cref="Exception.Message"/> is the server's own sentence.</summary>
public class AstraException(int status, string title, string message, TimeSpan? retryAfter = null) : Exception(message)
{
    public int Status { get; } = status;
    public string Title { get; } = title;
    public TimeSpan? RetryAfter { get; } = retryAfter;
}
