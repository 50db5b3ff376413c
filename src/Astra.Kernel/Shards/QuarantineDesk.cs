using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Shards;

/// <summary>
/// A shard's goals in quarantine. The tables have refused them, so their rows are not complete; they live on in memory and
/// in the log, until a person lets them out or gives them up.
/// </summary>
internal sealed class QuarantineDesk(ShardGoals goals, ShardLog log, GoalDecisions decisions)
{
    /// <summary>Of goals that were given up, whatever the log still says of them is passed over.</summary>
    private readonly HashSet<(TenantId, GoalId)> _discarded = [];

    /// <summary>A shard comes to life: its goals in quarantine are read back from their histories.</summary>
    public IEnumerable<Goal> Restore(ActivateShard activate)
    {
        foreach (var held in activate.Snapshot.HeldBack)
            if (held.IsDiscarded)
                _discarded.Add((held.Tenant, held.Goal));
        foreach (var history in activate.Histories)
        {
            if (history.Count == 0 || history[0].Event is not KernelEvent.GoalSubmitted submitted)
                continue;
            var goal = Goal.Begin(history[0], submitted);
            foreach (var entry in history.Skip(1))
                goal.Apply(entry, entry.Event);
            // Whatever was released before has come back since.
            (goal.IsQuarantined, goal.IsReleasing) = (true, false);
            yield return goal;
        }
    }

    public bool IsGivenUp(JournalEntry entry) => _discarded.Contains((entry.Tenant, entry.Goal));

    /// <summary>A goal whose whole history is behind the watermark begins in the tail.</summary>
    public static void Mark(Goal goal, ShardSnapshot snapshot) =>
        goal.IsQuarantined |= snapshot.HeldBack.Any(held => held.Goal == goal.Id && held.Tenant == goal.Tenant);

    public Answer<GoalRow> Release(ShardRequest.ReleaseGoal release) => On(release.Tenant, release.Goal, goal =>
    {
        log.RecordGoal(goal, new KernelEvent.GoalReleased(release.Caller.Principal));
        return goal.ToRow();
    });

    public Answer<GoalRow> Discard(ShardRequest.DiscardGoal discard) => On(discard.Tenant, discard.Goal, goal =>
    {
        if (goal.State == GoalState.Active)
            decisions.CancelGoal(goal, discard.Reason);
        log.RecordGoal(goal, new KernelEvent.GoalDiscarded(discard.Reason, discard.Caller.Principal));
        return goal.ToRow();
    });

    /// <summary>What the tables made of an image.</summary>
    public void OnProjected(Projected projected)
    {
        foreach (var (tenant, id) in projected.Released)
            if (goals.Find(tenant, id) is { } released)
                released.IsQuarantined = false;
        foreach (var id in projected.Quarantined)
            if (goals.Find(id) is { } refused)
                refused.IsQuarantined = true;
    }

    private Answer<GoalRow> On(TenantId tenant, GoalId id, Func<Goal, GoalRow> then) => goals.Find(tenant, id) switch
    {
        null => new Refusal(RefusalKind.NotFound, $"There is no goal {id} in quarantine here."),
        { IsQuarantined: false } or { IsDiscarded: true } => new Refusal(RefusalKind.Conflict, $"Goal {id} is not in quarantine."),
        var goal => then(goal),
    };
}
