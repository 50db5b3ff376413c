namespace Astra.Sdk;

// Pauses, limits, weights, draining and schedules.
public sealed partial class AstraClient
{
    public Task<GoalView> PauseGoalAsync(Guid goal, string? reason = null, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<GoalView>(HttpMethod.Post, $"goals/{goal}/pause", new ReasonGiven(reason), cancellationToken);

    public Task<GoalView> ResumeGoalAsync(Guid goal, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<GoalView>(HttpMethod.Post, $"goals/{goal}/resume", null, cancellationToken);

    public Task<ControlsView> PauseAgentAsync(string agent, string? reason = null, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<ControlsView>(HttpMethod.Post, $"agents/{Uri.EscapeDataString(agent)}/pause", new ReasonGiven(reason), cancellationToken);

    public Task<ControlsView> ResumeAgentAsync(string agent, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<ControlsView>(HttpMethod.Post, $"agents/{Uri.EscapeDataString(agent)}/resume", null, cancellationToken);

    public Task<WhyView> WhyAgentAsync(string agent, CancellationToken cancellationToken = default) =>
        GetAsync<WhyView>($"agents/{Uri.EscapeDataString(agent)}/why", cancellationToken);

    public Task<ControlsView> GetControlsAsync(CancellationToken cancellationToken = default) => GetAsync<ControlsView>("limits", cancellationToken);

    public Task<ControlsView> SetLimitAsync(LimitView limit, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<ControlsView>(HttpMethod.Put, "limits", limit, cancellationToken);

    public Task<ControlsView> RemoveLimitAsync(LimitScope scope, string? name, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<ControlsView>(HttpMethod.Delete, $"limits/{scope.ToString().ToLowerInvariant()}{(name is null ? "" : $"/{Uri.EscapeDataString(name)}")}", null, cancellationToken);

    public Task<ControlsView> SetAgentWeightAsync(string agent, int weight, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<ControlsView>(HttpMethod.Put, $"agents/{Uri.EscapeDataString(agent)}/weight", new WeightRequest(weight), cancellationToken);

    public Task<WeightView> SetTenantWeightAsync(string tenant, int weight, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<WeightView>(HttpMethod.Put, $"tenants/{Uri.EscapeDataString(tenant)}/weight", new WeightRequest(weight), cancellationToken);

    public Task<StatusView> DrainAsync(bool draining, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<StatusView>(HttpMethod.Post, "drain", new DrainRequest(draining), cancellationToken);

    public Task<ScheduleView> CreateScheduleAsync(ScheduleRequest schedule, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<ScheduleView>(HttpMethod.Post, "schedules", schedule, cancellationToken);

    public Task<IReadOnlyList<ScheduleView>> ListSchedulesAsync(CancellationToken cancellationToken = default) =>
        GetAsync<IReadOnlyList<ScheduleView>>("schedules", cancellationToken);

    public Task<ScheduleView> GetScheduleAsync(Guid schedule, CancellationToken cancellationToken = default) =>
        GetAsync<ScheduleView>($"schedules/{schedule}", cancellationToken);

    public Task<ScheduleView> PauseScheduleAsync(Guid schedule, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<ScheduleView>(HttpMethod.Post, $"schedules/{schedule}/pause", null, cancellationToken);

    public Task<ScheduleView> ResumeScheduleAsync(Guid schedule, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<ScheduleView>(HttpMethod.Post, $"schedules/{schedule}/resume", null, cancellationToken);

    public async Task RemoveScheduleAsync(Guid schedule, CancellationToken cancellationToken = default) =>
        (await _requests.SendAsync(HttpMethod.Delete, $"schedules/{schedule}", null, cancellationToken)).Dispose();

    public Task<GoalView> RunScheduleAsync(Guid schedule, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<GoalView>(HttpMethod.Post, $"schedules/{schedule}/run", null, cancellationToken);
}
