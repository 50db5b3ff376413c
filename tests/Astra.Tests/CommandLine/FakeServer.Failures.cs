using Astra.Sdk;

namespace Astra.Tests.CommandLine;

// Dead letters, effects that nobody knows the end of, and hooks.
public sealed partial class FakeServer
{
    public Task<Page<DeadLetterView>> ListDeadLettersAsync(string? cursor = null, int limit = 50, string? group = null, CancellationToken cancellationToken = default) =>
        Task.FromResult(new Page<DeadLetterView>(
            [.. _goals.Values.SelectMany(goal => goal.Plan.Tasks
                .Where(task => task.State is TaskState.Dead)
                .Select(task => new DeadLetterView(task, goal.View.Title, goal.View.Agent, "fingerprint")))],
            null));

    public async Task<IReadOnlyList<DeadGroupView>> ListDeadGroupsAsync(CancellationToken cancellationToken = default) =>
        [.. (await ListDeadLettersAsync(cancellationToken: cancellationToken)).Items.GroupBy(dead => dead.Fingerprint).Select(group => new DeadGroupView(
            "0123456789ab", group.Key, group.Count(), DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch, [], ["agent:auditor"], "no [luck]", group.First().Task.Id))];

    public Task<IReadOnlyList<DeathRateView>> ListDeathRatesAsync(int hours = 24, CancellationToken cancellationToken = default) =>
        Called<IReadOnlyList<DeathRateView>>($"rates {hours}", [new DeathRateView(DateTimeOffset.UnixEpoch, "inspect", "tool:unpack@2", 3)]);

    public Task<Page<FailureEventView>> ListFailureEventsAsync(long after = 0, int limit = 50, CancellationToken cancellationToken = default) =>
        Task.FromResult(new Page<FailureEventView>([], null));

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

    public Task<IReadOnlyList<HookView>> ListHooksAsync(CancellationToken cancellationToken = default) => Task.FromResult<IReadOnlyList<HookView>>([Hook]);

    public Task<HookDetail> GetHookAsync(Guid hook, CancellationToken cancellationToken = default) => Task.FromResult(new HookDetail(Hook, [Delivery]));

    public Task<NewHook> AddHookAsync(HookRequest request, CancellationToken cancellationToken = default) =>
        Called($"hook {request.Url} {string.Join(',', request.Kinds ?? [])}", new NewHook(Hook with { Url = request.Url }, "whsec_c2VjcmV0"));

    public Task<DeliveryView> TestHookAsync(Guid hook, CancellationToken cancellationToken = default) => Task.FromResult(Delivery);

    public Task RemoveHookAsync(Guid hook, CancellationToken cancellationToken = default) => Task.CompletedTask;

    private static HookView Hook { get; } = new(Guid.Empty, "https://example.org/hook", [HookKinds.NewGroup], "key:admin", DateTimeOffset.UnixEpoch, 1, 0);

    private static DeliveryView Delivery { get; } = new("msg_1", HookKinds.Test, DeliveryState.Delivered, 1, DateTimeOffset.UnixEpoch, Status: 204);
}
