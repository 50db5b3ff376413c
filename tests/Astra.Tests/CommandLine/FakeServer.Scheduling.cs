using Astra.Sdk;

namespace Astra.Tests.CommandLine;

// Limits, pauses and schedules: remembered as calls, answered as if they had been done.
public sealed partial class FakeServer
{
    private readonly Dictionary<Guid, ScheduleView> _schedules = [];
    private ControlsView _controls = new([], [], []);

    public Task<GoalView> PauseGoalAsync(Guid goal, string? reason = null, CancellationToken cancellationToken = default) => Called($"pause {reason}", Find(goal).View);

    public Task<GoalView> ResumeGoalAsync(Guid goal, CancellationToken cancellationToken = default) => Called("resume", Find(goal).View);

    public Task<ControlsView> PauseAgentAsync(string agent, string? reason = null, CancellationToken cancellationToken = default) => Called($"pause agent {agent}", _controls);

    public Task<ControlsView> ResumeAgentAsync(string agent, CancellationToken cancellationToken = default) => Called($"resume agent {agent}", _controls);

    public Task<WhyView> WhyAgentAsync(string agent, CancellationToken cancellationToken = default) =>
        Called($"why agent {agent}", new WhyView(Guid.Empty, "agent", $"Agent {agent} is idle.", new Dictionary<string, string>()));

    public Task<ControlsView> GetControlsAsync(CancellationToken cancellationToken = default) => Called("limits", _controls);

    public Task<ControlsView> SetLimitAsync(LimitView limit, CancellationToken cancellationToken = default) =>
        Called("set limit", _controls = _controls with { Limits = [.. _controls.Limits, limit] });

    public Task<ControlsView> RemoveLimitAsync(LimitScope scope, string? name, CancellationToken cancellationToken = default) => Called($"remove limit {scope} {name}", _controls);

    public Task<ControlsView> SetAgentWeightAsync(string agent, int weight, CancellationToken cancellationToken = default) => Called($"weight {agent} {weight}", _controls);

    public Task<WeightView> SetTenantWeightAsync(string tenant, int weight, CancellationToken cancellationToken = default) => Called($"tenant weight {tenant} {weight}", new WeightView(null, weight));

    public async Task<StatusView> DrainAsync(bool draining, CancellationToken cancellationToken = default)
    {
        Calls.Add($"drain {draining}");
        return await GetStatusAsync(cancellationToken) with { Draining = draining };
    }

    public Task<ScheduleView> CreateScheduleAsync(ScheduleRequest schedule, CancellationToken cancellationToken = default)
    {
        var view = new ScheduleView
        {
            Id = Guid.CreateVersion7(), Name = schedule.Name, When = schedule.When, TimeZone = schedule.TimeZone, Misfire = schedule.Misfire, Goal = schedule.Goal,
            CreatedAt = DateTimeOffset.UnixEpoch, NextAt = DateTimeOffset.UnixEpoch.AddDays(1), FiredCount = 0, MissedCount = 0,
        };
        _schedules[view.Id] = view;
        return Called("schedule", view);
    }

    public Task<IReadOnlyList<ScheduleView>> ListSchedulesAsync(CancellationToken cancellationToken = default) => Task.FromResult<IReadOnlyList<ScheduleView>>([.. _schedules.Values]);

    public Task<ScheduleView> GetScheduleAsync(Guid schedule, CancellationToken cancellationToken = default) =>
        Task.FromResult(_schedules.TryGetValue(schedule, out var view) ? view : throw NotFound("schedule", schedule));

    public async Task<ScheduleView> PauseScheduleAsync(Guid schedule, CancellationToken cancellationToken = default) =>
        _schedules[schedule] = await GetScheduleAsync(schedule, cancellationToken) with { PausedBy = "key:admin" };

    public async Task<ScheduleView> ResumeScheduleAsync(Guid schedule, CancellationToken cancellationToken = default) =>
        _schedules[schedule] = await GetScheduleAsync(schedule, cancellationToken) with { PausedBy = null };

    public async Task RemoveScheduleAsync(Guid schedule, CancellationToken cancellationToken = default) => _schedules.Remove((await GetScheduleAsync(schedule, cancellationToken)).Id);

    public async Task<GoalView> RunScheduleAsync(Guid schedule, CancellationToken cancellationToken = default) =>
        await SubmitAsync((await GetScheduleAsync(schedule, cancellationToken)).Goal, null, cancellationToken);
}
