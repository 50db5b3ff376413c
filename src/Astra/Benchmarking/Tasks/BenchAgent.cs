using System.Collections.Concurrent;
using System.Diagnostics;
using Astra.Sdk;

namespace Astra.Benchmarking.Tasks;

/// <summary>An agent whose steps do nothing, or nothing for a while, but note when they began and ended.</summary>
internal sealed class BenchAgent(string name, TimeSpan work = default) : Agent
{
    /// <summary>What the remote worker runs: the public protocol, many slots.</summary>
    public const string Remote = "bench";

    /// <summary>What the server itself runs, in the slots it has by default, for every tenant.</summary>
    public const string Inside = "bench-inside";

    /// <summary>Nobody runs it before a restart.</summary>
    public const string Later = "bench-later";

    /// <summary>Steps of this kind leave their times behind; the others of a goal only the first one.</summary>
    public const string TimedKind = "timed";

    public override string Name => name;

    /// <summary>Stopwatch ticks at which the first step of each goal began.</summary>
    public ConcurrentDictionary<Guid, long> StartedAt { get; } = [];

    /// <summary>Stopwatch ticks at which each timed step began and ended.</summary>
    public ConcurrentDictionary<(Guid Goal, string Step), (long From, long To)> Times { get; } = [];

    /// <summary>Completes with the stopwatch ticks at which the first step of all began.</summary>
    public TaskCompletionSource<long> First { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public override ValueTask<Plan> PlanAsync(PlanningTurn turn, CancellationToken cancellationToken) => ValueTask.FromResult(Plan.Empty);

    public override async ValueTask<StepResult> ExecuteAsync(StepTurn turn, CancellationToken cancellationToken)
    {
        var from = Stopwatch.GetTimestamp();
        First.TrySetResult(from);
        StartedAt.TryAdd(turn.Goal.Id, from);
        if (work > TimeSpan.Zero || work == Timeout.InfiniteTimeSpan)
            await Task.Delay(work, cancellationToken);
        if (turn.Kind == TimedKind)
            Times[(turn.Goal.Id, turn.Name)] = (from, Stopwatch.GetTimestamp());
        return StepResult.Done();
    }
}
