using Astra.Kernel;
using Astra.Kernel.InMemory;
using Astra.Kernel.Tasks;

namespace Astra.Simulation;

/// <summary>When all is quiet: the rows are the log replayed, the log in the store is the log that was watched.</summary>
internal sealed class RowsAudit(SimulationRun run)
{
    private readonly InMemoryStore _store = run.Store.Store;

    public void Check()
    {
        run.Verdict.Watch(CheckLogAsync);
        run.Verdict.Watch(CheckRowsAsync);
        run.Verdict.Watch(CheckAgentsAsync);
    }

    private async Task CheckLogAsync()
    {
        var shards = FewShards.Of(run.Options.ShardCount);
        var tails = await _store.Journal.ReadTailsAsync([.. shards.Select(shard => new ShardPosition(shard, 0))], CancellationToken.None);
        for (var i = 0; i < shards.Count; i++)
            run.Verdict.Check(tails[i].Count == run.Journal.LastSeqs.GetValueOrDefault(shards[i].Value), $"Shard {shards[i]} has {tails[i].Count} entries; {run.Journal.LastSeqs.GetValueOrDefault(shards[i].Value)} were seen committed.");
    }

    private async Task CheckAgentsAsync()
    {
        foreach (var (tenant, agent) in run.Agents.All)
            run.Agents.CheckRow(tenant, agent, await _store.Agents.LoadAsync(tenant, agent, CancellationToken.None));
    }

    private async Task CheckRowsAsync()
    {
        foreach (var goal in run.Journal.Goals.Values)
        {
            var rows = await _store.Projection.LoadGoalAsync(goal.Tenant, goal.Id, CancellationToken.None);
            run.Verdict.Check(rows is not null, $"The tables do not show goal {goal.Id}.");
            run.Verdict.Check(rows!.Goal.LastSeq == goal.LastSeq, $"The tables show goal {goal.Id} as of entry {rows.Goal.LastSeq}; the log is at {goal.LastSeq}.");
            run.Verdict.Check(rows.Goal.Result.Span.SequenceEqual(goal.State == GoalState.Completed ? goal.Result.Span : default), $"The tables show another result of goal {goal.Id}.");
            run.Replies.Shown(rows, shownBefore: 0);
        }
    }
}
