using Astra.Kernel.Actors;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Shards;

/// <summary>
/// What a shard's goals have to do with goals of other shards, both ways: which goals they wait for, and which shards want
/// to hear when one of its own has ended.
/// </summary>
/// <remarks>What a goal comes after, and whose child it is, stands in its own submission, and that the other has ended is
/// an entry of its own log: nothing else has to survive. Who wants to hear is kept in memory only. It is said anew with
/// every look, so a word that is lost, or forgotten by an owner that crashed, costs one interval and never a goal.</remarks>
internal sealed class GoalWaits(ShardId shard, ShardGoals goals, GoalCascades cascades, NodeParts parts)
{
    private readonly Dictionary<(TenantId Tenant, GoalId Goal), HashSet<GoalId>> _waiting = [];
    private readonly Dictionary<(TenantId Tenant, GoalId Goal), HashSet<ShardId>> _watchers = [];
    private readonly List<(TenantId Tenant, GoalId Goal)> _unseen = [];
    private bool _isLookPlanned;

    /// <summary>An active goal: submitted, loaded or reopened.</summary>
    public void Add(Goal goal)
    {
        foreach (var on in WaitsFor(goal))
        {
            if (!_waiting.TryGetValue((goal.Tenant, on), out var waiting))
            {
                _waiting[(goal.Tenant, on)] = waiting = [];
                _unseen.Add((goal.Tenant, on));
            }
            waiting.Add(goal.Id);
        }
    }

    /// <summary>Asks about what is new, and plans to ask about everything again.</summary>
    public void Look(ActorTurn turn)
    {
        if (_unseen.Count > 0)
            Ask(_unseen, turn);
        _unseen.Clear();
        if (_waiting.Count == 0 || _isLookPlanned)
            return;
        _isLookPlanned = true;
        turn.Schedule(parts.Limits.GoalWatchInterval, GoalsDue.Instance);
    }

    public void LookAgain(ActorTurn turn)
    {
        _isLookPlanned = false;
        if (_waiting.Count > 0 && !Mutants.LostWordNotAskedAgain)
            Ask(_waiting.Keys, turn);
    }

    /// <summary>What other shards say of their goals.</summary>
    public void Take(IReadOnlyList<GoalStanding> standings)
    {
        foreach (var standing in standings)
        {
            if (standing.State == GoalState.Active || !_waiting.TryGetValue((standing.Tenant, standing.Goal), out var waiting))
                continue;
            foreach (var goal in waiting.OrderBy(id => id.Value).Select(id => goals.Find(standing.Tenant, id)).OfType<Goal>().ToList())
            {
                cascades.OnPredecessorEnded(goal, standing);
                cascades.OnParentEnded(goal, standing);
                // A parent that has failed may be taken up again, and be cancelled then.
                if (standing.State != GoalState.Failed || goal.Extras.Parent != standing.Goal)
                    Forget(goal, standing.Goal);
            }
        }
    }

    /// <summary>Answers which of these are in memory, as they are now, and remembers who wants to hear of the others' end.</summary>
    public GoalsSeen See(SeeGoals question)
    {
        var seen = new List<GoalStanding>();
        foreach (var (tenant, id) in question.Goals)
        {
            if (goals.Find(tenant, id) is not { } goal)
                continue;
            seen.Add(GoalStanding.Of(goal.ToRow()));
            if (goal.State != GoalState.Active || question.By is not { } by)
                continue;
            if (!_watchers.TryGetValue((tenant, id), out var watchers))
                _watchers[(tenant, id)] = watchers = [];
            watchers.Add(by);
        }
        return new GoalsSeen(seen);
    }

    /// <summary>What an entry about a goal causes once it is durable.</summary>
    public Action? EffectOf(Goal goal, JournalEntry entry)
    {
        switch (entry.Kind)
        {
            case EventKind.GoalReopened:
                Add(goal);
                return null;
            case EventKind.GoalCompleted or EventKind.GoalFailed or EventKind.GoalCancelled:
                foreach (var on in WaitsFor(goal).ToList())
                    Forget(goal, on);
                if (!_watchers.Remove((goal.Tenant, goal.Id), out var watchers))
                    return null;
                (GoalState State, string? Reason) ended = entry.Event switch
                {
                    KernelEvent.GoalCancelled cancelled => (GoalState.Cancelled, cancelled.Reason),
                    KernelEvent.GoalFailed failed => (GoalState.Failed, failed.Reason),
                    _ => (GoalState.Completed, null),
                };
                var told = new TellGoalEnded(new GoalStanding(goal.Tenant, goal.Id, ended.State, ended.Reason, goal.Extras.Depth), [.. watchers.Order()]);
                return () => parts.GoalWatch.TrySend(told);
            default:
                return null;
        }
    }

    public void GiveBackRoom()
    {
        _waiting.GiveBackRoom();
        _watchers.GiveBackRoom();
        _unseen.GiveBackRoom();
    }

    private void Ask(IEnumerable<(TenantId Tenant, GoalId Goal)> about, ActorTurn turn) =>
        parts.GoalWatch.TrySend(new LookAtGoals(shard, turn.Self, [.. about.OrderBy(asked => asked.Goal.Value)]));

    private void Forget(Goal goal, GoalId on)
    {
        if (_waiting.TryGetValue((goal.Tenant, on), out var waiting) && waiting.Remove(goal.Id) && waiting.Count == 0)
            _waiting.Remove((goal.Tenant, on));
    }

    private static IEnumerable<GoalId> WaitsFor(Goal goal)
    {
        var on = (goal.Extras.After ?? []).Where(dependency => dependency.IsOpen).Select(dependency => dependency.On);
        return goal.Extras is { Parent: { } parent, OnCancelledParent: not CascadePolicy.GoOn } ? on.Append(parent) : on;
    }
}
