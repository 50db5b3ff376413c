using Astra.Kernel;
using Astra.Kernel.Tasks;
using Xunit;

namespace Astra.Testing.Contracts;

/// <summary>A store whose rows a test writes as the projector does, and the words for that.</summary>
public abstract class RowsContract : StoreContract
{
    private IReadOnlyDictionary<ShardId, Epoch> _epochs = null!;

    protected TenantId Tenant { get; } = Sample.Tenant();

    protected GoalRow NewGoal(int shard) => Sample.Goal(Tenant, Sample.GoalId(shard));

    /// <summary>Every field that may be empty is.</summary>
    protected static TaskRow Minimal(TaskRow task) => task with
    {
        Spec = new TaskSpec { Name = task.Spec.Name, Executor = "agent:a" },
        After = [],
        State = TaskState.Ready,
        DueAt = null,
        StartedAt = null,
        Worker = null,
        WorkerName = null,
    };

    protected async ValueTask<IReadOnlyDictionary<ShardId, Epoch>> EpochsAsync() => _epochs ??= await OwnEverythingAsync();

    protected async ValueTask<ProjectionOutcome> ProjectAsync(int shard, long watermark, GoalRow[] goals, TaskRow[] tasks, params RemovedTask[] removed)
    {
        var epochs = await EpochsAsync();
        return Assert.Single(await Store.Projection.ProjectAsync(
            [new ShardProjection(new ShardId(shard), epochs[new ShardId(shard)], watermark, goals, tasks, removed)], None));
    }

    protected async ValueTask ProjectAsync(int shard, long watermark, GoalRow[] goals, TaskRow[] tasks, TaskRowChange change)
    {
        var epochs = await EpochsAsync();
        var image = new ShardProjection(new ShardId(shard), epochs[new ShardId(shard)], watermark, goals, tasks, []) { Changes = [.. tasks.Select(_ => change)] };
        Assert.False(Assert.Single(await Store.Projection.ProjectAsync([image], None)).IsFenced);
    }

    protected async ValueTask<ShardSnapshot> LoadAsync(int shard) => Assert.Single(await Store.Projection.LoadAsync([new ShardId(shard)], None));
}
