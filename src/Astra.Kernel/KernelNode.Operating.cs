using Astra.Kernel.Actors;
using Astra.Kernel.Journal;
using Astra.Kernel.Metrics;
using Astra.Kernel.Scheduling;

namespace Astra.Kernel;

/// <summary>The node as whoever runs it sees it: notices, commits, figures, actors.</summary>
public sealed partial class KernelNode
{
    /// <summary>Told about the node's own troubles, on a thread of the kernel: return quickly.</summary>
    public Action<KernelNotice>? OnNotice
    {
        get => _actors.Notices.Subscriber;
        set => _actors.Notices.Subscriber = value;
    }

    /// <summary>Told of every commit of this node, on the turn that made it: return quickly. What traces are made from.</summary>
    public Action<Commit>? OnCommit
    {
        get => _actors.Commits.Subscriber;
        set => _actors.Commits.Subscriber = value;
    }

    public KernelMetrics Metrics => _parts.Metrics;

    /// <summary>For operators: the node's actors by path.</summary>
    public ActorOperator Actors => _actors.System.Operator;

    /// <summary>The tree of actors as it is now.</summary>
    public ActorSnapshot InspectActors() => _actors.System.Inspect();

    public async ValueTask<NodeSummary> SummariseAsync()
    {
        var scheduler = await _parts.Scheduler.AskAsync<SchedulerSummary>(Scheduling.Summarise.Instance, CatchUpTimeout);
        return Summarise(scheduler);
    }

    /// <summary>The node with its figures, for metrics and live screens. Costs one turn of the scheduler and one look at
    /// every actor.</summary>
    /// <param name="actorsListed">How many of the deepest and of the busiest actors to name.</param>
    public async ValueTask<NodeSample> SampleAsync(int actorsListed = 0)
    {
        var census = await _parts.Scheduler.AskAsync<SchedulerCensus>(TakeCensus.Instance, CatchUpTimeout);
        return new NodeSample
        {
            At = _ports.Clock.Elapsed, Summary = Summarise(census.Summary), Counters = _parts.Metrics.Snapshot(), Tenants = census.Tenants, ShardGroups = census.ShardGroups,
            TasksWithoutWorker = census.WithoutWorker, TasksNotDue = census.NotDue, ProjectionLag = _actors.Projected.Lag,
            DiedLastHour = _parts.Metrics.DiedLastHour(_ports.Clock.Elapsed), Actors = _actors.System.Operator.Count(actorsListed), ActorDeadLetters = _actors.System.DeadLetters.Count,
        };
    }

    private NodeSummary Summarise(SchedulerSummary scheduler) => new(
        _parts.Self, _map.LocalShards.Count, _parts.Load.ActiveCount, scheduler.ReadyCount, scheduler.RunningCount, _parts.Load.Backlog, scheduler.Workers, _map.Nodes)
    {
        GraphVisits = _parts.Load.GraphVisits,
        TenantsWaiting = scheduler.TenantsWaiting, LongestTask = scheduler.LongestTask, WaitAtMost = scheduler.WaitAtMost, IsDraining = scheduler.IsDraining,
    };
}
