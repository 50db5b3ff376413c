using Astra.Kernel.Actors;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Shards;

/// <summary>Asked of a shard: what has become of these? It tells <paramref name="By"/> when those that are active end.
/// Answered with <see cref="GoalsSeen"/> once that is durable.</summary>
internal sealed record SeeGoals(IReadOnlyList<(TenantId Tenant, GoalId Goal)> Goals, ShardId? By);

/// <param name="Standings">Of those that are in memory; the others have ended before, or never were.</param>
internal sealed record GoalsSeen(IReadOnlyList<GoalStanding> Standings);

/// <summary>To a shard that wanted to hear of it.</summary>
internal sealed record GoalsEnded(ShardId Shard, IReadOnlyList<GoalStanding> Standings);

/// <summary>From a shard: what has become of the goals that mine wait for?</summary>
internal sealed record LookAtGoals(ShardId Shard, ActorRef Waiting, IReadOnlyList<(TenantId Tenant, GoalId Goal)> Goals);

/// <summary>From a shard: one of my goals has ended, and that is durable.</summary>
internal sealed record TellGoalEnded(GoalStanding Ended, IReadOnlyList<ShardId> Watchers);

/// <summary>From a shard to itself: it is time to look again.</summary>
internal sealed record GoalsDue
{
    public static readonly GoalsDue Instance = new();
}

/// <summary>Finds goals wherever they are: with the owner of their shard, or, when they have ended, in the rows.</summary>
internal sealed class GoalLookup(ShardDoor door, IProjection projection)
{
    /// <returns>Those that exist.</returns>
    public async ValueTask<Answer<IReadOnlyList<GoalStanding>>> FindAsync(ShardId shard, IReadOnlyList<(TenantId Tenant, GoalId Goal)> goals, ShardId? by)
    {
        // The owner first: what is not in its memory when it looks is in the rows by then, or is not at all.
        var live = await door.SeeAsync(shard, new SeeGoals(goals, by));
        if (live.Refusal is { } refusal)
            return refusal;
        var found = live.Value.Standings.ToList();
        try
        {
            foreach (var (tenant, goal) in goals.Except(found.Select(standing => (standing.Tenant, standing.Goal))))
                if (await projection.FindGoalAsync(tenant, goal, CancellationToken.None) is { } row)
                    found.Add(GoalStanding.Of(row));
        }
        catch (Exception e)
        {
            return new Refusal(RefusalKind.Unavailable, $"The database did not answer ({e.Message}). Try again in a moment.", TimeSpan.FromSeconds(1));
        }
        return found;
    }
}

/// <summary>Carries questions and news about goals between shards, of this node and of others. It keeps nothing: whatever it
/// loses is asked again.</summary>
internal sealed class GoalWatch(GoalLookup lookup, ShardDoor door) : Actor
{
    protected internal override ValueTask ReceiveAsync(object message, ActorTurn turn)
    {
        switch (message)
        {
            case LookAtGoals look:
                // Side by side: a shard whose owner does not answer must not hold up the others.
                foreach (var ofShard in look.Goals.GroupBy(goal => goal.Goal.Shard))
                    _ = LookAsync(look, ofShard.Key, [.. ofShard]);
                break;
            case TellGoalEnded told:
                foreach (var watcher in told.Watchers)
                    door.Tell(new GoalsEnded(watcher, [told.Ended]));
                break;
        }
        return default;
    }

    private async Task LookAsync(LookAtGoals look, ShardId shard, IReadOnlyList<(TenantId Tenant, GoalId Goal)> goals)
    {
        var found = await lookup.FindAsync(shard, goals, look.Shard);
        if (found.IsOk && found.Value.Where(standing => standing.State != GoalState.Active).ToList() is { Count: > 0 } ended)
            look.Waiting.TrySend(new GoalsEnded(look.Shard, ended));
    }
}
