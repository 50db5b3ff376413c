using Astra.Kernel.Shards;
using Astra.Kernel.Tasks;

namespace Astra.Kernel;

/// <summary>Goals that the tables refuse. They live on with their owner; a person decides what becomes of them.</summary>
public sealed partial class KernelNode
{
    private const int QuarantinedMax = 1_000;

    /// <summary>The latest first.</summary>
    public async ValueTask<Answer<IReadOnlyList<QuarantineRow>>> ListQuarantinedAsync(TenantId tenant, int countMax) =>
        await CatchUpAsync() is { } refusal ? refusal : await FromDatabaseAsync(() => _ports.Projection.ListQuarantinedAsync(tenant, countMax, CancellationToken.None));

    /// <summary>Has the goal's rows made anew. When the tables still refuse them it stays where it is, and the answer says why.</summary>
    public async ValueTask<Answer<GoalRow>> ReleaseGoalAsync(Caller caller, GoalId goal)
    {
        var released = await _door.AskAsync<GoalRow>(goal.Shard, new ShardRequest.ReleaseGoal(caller, goal));
        if (!released.IsOk)
            return released;
        var left = await ListQuarantinedAsync(caller.Tenant, QuarantinedMax);
        if (left.Refusal is { } unknown)
            return unknown;
        return left.Value.FirstOrDefault(row => row.Goal == goal) is { } still
            ? new Refusal(RefusalKind.Conflict, $"The tables still refuse goal {goal} ({still.Reason}), so it stays in quarantine. A newer version may take it; otherwise discard it.")
            : released;
    }

    /// <summary>Gives the goal up: whatever of it is not over is cancelled, and the tables forget it.</summary>
    public ValueTask<Answer<GoalRow>> DiscardGoalAsync(Caller caller, GoalId goal, string reason) =>
        _door.AskAsync<GoalRow>(goal.Shard, new ShardRequest.DiscardGoal(caller, goal, Clean(reason)));
}
