using Astra.Kernel.Effects;
using Astra.Kernel.Journal;
using Astra.Kernel.Shards;
using Astra.Kernel.Tasks;

namespace Astra.Kernel;

/// <summary>The desks for what went wrong: dead letters, and effects that nobody knows about.</summary>
public sealed partial class KernelNode
{
    private const int StoryPage = 5_000;

    /// <summary>Tries a dead letter again, with fresh attempts.</summary>
    public ValueTask<Answer<TaskRow>> RedriveAsync(Caller caller, TaskId task) =>
        OnTaskAsync(caller.Tenant, task, new ShardRequest.Redrive(caller, task));

    /// <summary>Gives a dead letter up, with the reason.</summary>
    public ValueTask<Answer<TaskRow>> DiscardAsync(Caller caller, TaskId task, string reason) =>
        OnTaskAsync(caller.Tenant, task, new ShardRequest.Discard(caller, task, Clean(reason)));

    /// <summary>Changes what a dead letter will be tried again with. Null leaves things as they are.</summary>
    public ValueTask<Answer<TaskRow>> FixAsync(Caller caller, TaskId task, string? executor, ReadOnlyMemory<byte>? input) =>
        OnTaskAsync(caller.Tenant, task, new ShardRequest.Fix(caller, task, executor, input));

    /// <summary>Says what became of an effect after an attempt was lost while it made it.</summary>
    public ValueTask<Answer<TaskRow>> ResolveEffectAsync(Caller caller, TaskId task, EffectState outcome, ReadOnlyMemory<byte> output) =>
        OnTaskAsync(caller.Tenant, task, new ShardRequest.ResolveEffect(caller, task, outcome, output));

    /// <param name="fingerprint">Only those of one cause.</param>
    public async ValueTask<Answer<IReadOnlyList<TitledTask>>> ListDeadTasksAsync(TenantId tenant, string? fingerprint, TaskId? after, int countMax) =>
        await CatchUpAsync() is { } refusal ? refusal : await FromDatabaseAsync(
            () => _ports.Projection.ListDeadTasksAsync(tenant, fingerprint, after, countMax, CancellationToken.None));

    /// <summary>The dead letters by cause, the latest first.</summary>
    public async ValueTask<Answer<IReadOnlyList<DeadGroup>>> ListDeadGroupsAsync(TenantId tenant, int countMax) =>
        await CatchUpAsync() is { } refusal ? refusal : await FromDatabaseAsync(
            () => _ports.Projection.ListDeadGroupsAsync(tenant, countMax, CancellationToken.None));

    /// <summary>How many tasks became dead letters in each of the last hours, the one that is under way included.</summary>
    public async ValueTask<Answer<IReadOnlyList<DeathRate>>> ListDeathRatesAsync(TenantId tenant, int hours, int countMax)
    {
        var now = _ports.Clock.UtcNow;
        var hour = new DateTimeOffset(now.UtcTicks - now.UtcTicks % TimeSpan.TicksPerHour, TimeSpan.Zero);
        return await CatchUpAsync() is { } refusal ? refusal : await FromDatabaseAsync(
            () => _ports.Projection.ListDeathRatesAsync(tenant, hour.AddHours(1 - hours), countMax, CancellationToken.None));
    }

    /// <summary>Tasks that wait for a person to find out what became of their effect.</summary>
    public async ValueTask<Answer<IReadOnlyList<TitledTask>>> ListUnknownEffectsAsync(TenantId tenant, TaskId? after, int countMax) =>
        await CatchUpAsync() is { } refusal ? refusal : await FromDatabaseAsync(
            () => _ports.Projection.ListUnknownEffectsAsync(tenant, after, countMax, CancellationToken.None));

    /// <summary>Every attempt at a task and what people did about it, from the log.</summary>
    public async ValueTask<Answer<TaskStory>> GetStoryAsync(TenantId tenant, TaskId id)
    {
        var task = await GetTaskAsync(tenant, id);
        if (task.Refusal is { } unknown)
            return unknown;
        var goal = await GetGoalAsync(tenant, task.Value.Goal);
        if (goal.Refusal is { } gone)
            return gone;
        var entries = new List<JournalEntry>();
        for (var after = 0L; ;)
        {
            var page = await FromDatabaseAsync(() => _ports.Journal.ReadGoalAsync(tenant, task.Value.Goal, after, StoryPage, CancellationToken.None));
            if (page.Refusal is { } refusal)
                return refusal;
            entries.AddRange(page.Value.Where(entry => entry.Task == id));
            if (page.Value.Count < StoryPage)
                return TaskStory.Of(task.Value, goal.Value, entries);
            after = page.Value[^1].Seq;
        }
    }
}
