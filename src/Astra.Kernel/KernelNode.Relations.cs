using Astra.Kernel.Shards;
using Astra.Kernel.Tasks;

namespace Astra.Kernel;

/// <summary>What goals have to do with goals that are there already.</summary>
public sealed partial class KernelNode
{
    // A shard that moves is back within seconds, and whoever submits should not have to know that it is another goal's.
    private static readonly TimeSpan LookupPatience = TimeSpan.FromSeconds(5);

    /// <summary>The children of a goal of this node's, newest first, as the rows show them: those that live on other nodes
    /// may be a moment behind.</summary>
    public async ValueTask<Answer<IReadOnlyList<GoalRow>>> ListChildrenAsync(TenantId tenant, GoalId parent, GoalState? state, GoalId? after, int countMax)
    {
        if ((await GetGoalAsync(tenant, parent)).Refusal is { } unknown)
            return unknown;
        return await CatchUpAsync() is { } refusal ? refusal : await FromDatabaseAsync(
            () => _ports.Projection.ListChildrenAsync(tenant, parent, state, after, countMax, CancellationToken.None));
    }

    private async ValueTask<Answer<GoalRow>> SubmitRelatedAsync(ShardId shard, Caller caller, GoalRequest request, ulong digest, TimeSpan lookedAt)
    {
        var related = await RelateAsync(caller.Tenant, request);
        return related.Refusal is { Kind: RefusalKind.Unavailable } unavailable
            ? unavailable
            : await SubmitAsync(shard, caller, related.IsOk ? related.Value : request, digest, lookedAt, related.Refusal);
    }

    private Refusal? Check(GoalRequest request) => GoalRequestRules.Check(request, _limits) ?? CheckRelations(request.Extras);

    private Refusal? CheckRelations(GoalExtras extras)
    {
        if (extras.After is not { } after)
            return null;
        if (after.Count == 0 || after.Count > _limits.GoalDependenciesMax)
            return new Refusal(RefusalKind.Invalid, $"A goal comes after 1 to {_limits.GoalDependenciesMax} others, if after any, and {after.Count} were named.");
        return after.Select(dependency => dependency.On).Distinct().Count() < after.Count
            ? new Refusal(RefusalKind.Invalid, "A goal was named twice among those that have to end first; say it once.")
            : null;
    }

    /// <summary>Finds what the goal names, wherever it lives, and works out how deep it stands. Only what exists can be
    /// named, and only before the goal itself exists: that is why goals never wait in a circle. What belongs to another
    /// tenant does not exist.</summary>
    private async ValueTask<Answer<GoalRequest>> RelateAsync(TenantId tenant, GoalRequest request)
    {
        var extras = request.Extras with { Depth = 0 };
        if (extras is { After: null, Parent: null })
            return request with { Extras = extras };

        var named = (extras.After ?? []).Select(dependency => dependency.On);
        if (extras.Parent is { } inTheFamily)
            named = named.Append(inTheFamily);
        var found = new Dictionary<GoalId, GoalStanding>();
        foreach (var ofShard in named.Distinct().GroupBy(goal => goal.Shard).OrderBy(ofShard => ofShard.Key))
        {
            var since = _ports.Clock.Elapsed;
            Answer<IReadOnlyList<GoalStanding>> answer;
            while ((answer = await _actors.Lookup.FindAsync(ofShard.Key, [.. ofShard.Select(goal => (tenant, goal))], by: null)).Refusal is { } refusal)
            {
                if (_ports.Clock.Elapsed - since >= LookupPatience)
                    return refusal with { Kind = RefusalKind.Unavailable };
                await _door.DelayAsync(refusal.RetryAfter ?? TimeSpan.FromMilliseconds(100));
            }
            foreach (var standing in answer.Value)
                found[standing.Goal] = standing;
            foreach (var missing in ofShard.Where(goal => !found.ContainsKey(goal)))
                return new Refusal(RefusalKind.NotFound, $"There is no goal {missing} here; a goal names only goals that exist already.");
        }

        if (extras.Parent is { } parent)
        {
            if (found[parent].State != GoalState.Active)
                return new Refusal(RefusalKind.Conflict, $"Goal {parent} has ended ({found[parent].State.ToString().ToLowerInvariant()}) and gets no children any more.");
            if (found[parent].Depth + 1 > _limits.GoalDepthMax)
                return new Refusal(RefusalKind.Conflict, $"Goal {parent} has {found[parent].Depth} ancestors, and a goal has at most {_limits.GoalDepthMax}: goals that hand goals on for ever never end.");
            extras = extras with { Depth = found[parent].Depth + 1 };
        }
        return request with { Extras = extras with { After = extras.After is { } after ? [.. after.Select(dependency => dependency with { Ended = null })] : null } };
    }
}
