using System.Collections.Concurrent;
using System.Diagnostics;
using Astra.Sdk;

namespace Astra.Benchmarking;

/// <summary>An agent whose steps do nothing but note when they began.</summary>
internal sealed class NoOpAgent : Agent
{
    public const string AgentName = "bench";

    /// <summary>Stopwatch ticks at which the step of each goal began.</summary>
    public ConcurrentDictionary<Guid, long> StartedAt { get; } = [];

    public override string Name => AgentName;

    public override ValueTask<Plan> PlanAsync(PlanningTurn turn, CancellationToken cancellationToken) => ValueTask.FromResult(Plan.Empty);

    public override ValueTask<StepResult> ExecuteAsync(StepTurn turn, CancellationToken cancellationToken)
    {
        StartedAt.TryAdd(turn.Goal.Id, Stopwatch.GetTimestamp());
        return ValueTask.FromResult(StepResult.Done());
    }
}
