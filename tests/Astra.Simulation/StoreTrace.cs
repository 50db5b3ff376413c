using Astra.Kernel;

namespace Astra.Simulation;

/// <summary>One transaction that took effect: entries of the log, or rows.</summary>
public sealed record StoreStep(IReadOnlyList<ShardAppend> Appends, IReadOnlyList<ShardProjection> Rows);

/// <summary>What a whole world did to its store, in order, so that it can be done to another one. What was fenced or lost is
/// not in here: it changed nothing.</summary>
public sealed class StoreTrace
{
    private readonly List<StoreStep> _steps = [];

    public IReadOnlyList<StoreStep> Steps => _steps;

    internal void Appended(IReadOnlyList<ShardAppend> appends, IReadOnlyList<AppendOutcome> outcomes)
    {
        var committed = appends.Where((_, index) => outcomes[index] == AppendOutcome.Committed).ToList();
        if (committed.Count > 0)
            _steps.Add(new StoreStep(committed, []));
    }

    internal void Projected(IReadOnlyList<ShardProjection> batch, IReadOnlyList<ProjectionOutcome> outcomes)
    {
        var held = batch.Where((_, index) => !outcomes[index].IsFenced).ToList();
        if (held.Count > 0)
            _steps.Add(new StoreStep([], held));
    }
}
