using Astra.Kernel;
using Astra.Kernel.Actors;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>
/// The actors of a node, for whoever runs it: figures and failures, never what a message holds. Any node answers for any
/// other that it is asked about by `node`.
/// </summary>
internal sealed class ActorEndpoints(GatewayParts parts, GatewayOptions options, Replies replies)
{
    private const int BusiestMax = 50;
    private const int WorkersMax = 20;
    private const int FailureLengthMax = 300;

    private const string InvalidQuery = "depth is 0 to 64 and limit 0 to 1000.";

    public void Map(IEndpointRouteBuilder api)
    {
        var actors = api.MapGroup("/actors").For(Access.Operator).WithTags("Server");
        actors.MapGet("", Look).Produces<ActorTreeView>().WithSummary("A part of a node's tree of actors, bounded: what is not listed is summed up.");
        actors.MapPost("/restart", Restart).Produces<ActorView>(StatusCodes.Status202Accepted).WithSummary("A new incarnation with the same mailbox.");
        actors.MapPost("/stop", Stop).Produces<ActorView>(StatusCodes.Status202Accepted).WithSummary("Its current message is finished, those waiting become dead letters.");
        api.MapGet("/vitals", (Delegate)Vitals).For(Access.Operator).WithTags("Server").Produces<VitalsView>().WithSummary("A node's figures at this moment; rates are differences of two answers.");
    }

    private async Task<IResult> Look(string? under, int? depth, int? limit, string? node)
    {
        if (depth is < 0 or > ActorQuery.DepthMax || limit is < 0 or > ActorQuery.ChildrenLimit)
            return Problems.Of(StatusCodes.Status400BadRequest, InvalidQuery);
        if (await ElsewhereAsync(node) is { } elsewhere)
            return elsewhere;
        var standard = new ActorQuery();
        return Of(
            parts.Node.Actors.Look(new ActorQuery(under ?? standard.Under, depth ?? standard.Depth, limit ?? standard.ChildrenMax)),
            branch => Replies.Json(new ActorTreeView(parts.Node.Self.Node.Value, ToView(branch))));
    }

    private async Task<IResult> Restart(ActorCommand command, string? node, HttpContext http) =>
        await ElsewhereAsync(node) ?? Accepted(parts.Node.Actors.Restart(command.Path, http.Principal().Caller.Principal));

    private async Task<IResult> Stop(ActorCommand command, string? node, HttpContext http) =>
        await ElsewhereAsync(node) ?? Accepted(parts.Node.Actors.Stop(command.Path, http.Principal().Caller.Principal));

    private async Task<IResult> Vitals(string? node)
    {
        if (await ElsewhereAsync(node) is { } elsewhere)
            return elsewhere;
        var sample = await parts.Node.SampleAsync(BusiestMax);
        var hooks = parts.Hooks is { } desk ? await desk.Metrics.LookAsync() : null;
        var (summary, counters, actors) = (sample.Summary, sample.Counters, sample.Actors);
        return Replies.Json(new VitalsView
        {
            NodeId = summary.Self.Node.Value,
            Version = options.Version,
            StartedAt = options.StartedAt,
            ClockSeconds = sample.At.TotalSeconds,
            Counters = new VitalCounters(
                counters.Submitted, counters.Started, counters.Completed, counters.Failed, counters.Expired, counters.Died, counters.Refused,
                counters.Commits, counters.Entries, counters.CommitDuration.TotalSeconds),
            GoalsActive = summary.GoalsActive,
            TasksReady = summary.TasksReady,
            TasksRunning = summary.TasksRunning,
            TasksNotDue = sample.TasksNotDue,
            TasksWithoutWorker = sample.TasksWithoutWorker,
            ShardsOwned = summary.ShardsOwned,
            NodesAlive = summary.Nodes.Count(standing => standing.IsAlive),
            ProjectionBacklog = summary.Backlog,
            ProjectionLagSeconds = sample.ProjectionLag.TotalSeconds,
            DeadLettersLastHour = sample.DiedLastHour,
            HookMessagesWaiting = hooks?.Waiting,
            HookOldestWaitingSeconds = hooks?.OldestAge.TotalSeconds,
            ResidentBytes = Environment.WorkingSet,
            Tenants = [.. sample.Tenants.Select(load => new TenantVitals(load.Tenant?.Value, load.Ready, load.Running))],
            WorkersConnected = summary.Workers.Count,
            Slots = summary.Workers.Sum(worker => worker.Slots),
            SlotsTaken = summary.Workers.Sum(worker => worker.SlotsTaken),
            Workers = [.. summary.Workers.OrderByDescending(worker => worker.SlotsTaken).Take(WorkersMax).Select(worker => new WorkerVitals(worker.Name, worker.Slots, worker.SlotsTaken))],
            Actors = ToView(actors.Totals),
            MailboxDepthMax = actors.MailboxDepthMax,
            ActorDeadLetters = sample.ActorDeadLetters,
            BusiestActors = [.. actors.Deepest.Concat(actors.Busiest).DistinctBy(branch => branch.Path).Select(ToView)],
        });
    }

    /// <returns>Null when this node is meant.</returns>
    private async Task<IResult?> ElsewhereAsync(string? node)
    {
        if (string.IsNullOrEmpty(node) || node == parts.Node.Self.Node.Value)
            return null;
        return (await parts.Node.SummariseAsync()).Nodes.FirstOrDefault(standing => standing.Node.Node.Value == node) switch
        {
            null => Problems.Of(StatusCodes.Status404NotFound, $"There is no node {node} in this fleet; `astra status --json` lists those there are."),
            { IsAlive: false } => Problems.Of(StatusCodes.Status503ServiceUnavailable, $"Node {node} does not renew its lease; nobody can ask it anything."),
            var standing => replies.Of(new Refusal(RefusalKind.Elsewhere, $"This is another node's: {node}.", Address: standing.Node.Address)),
        };
    }

    private IResult Accepted(Answer<ActorBranch> answer) => Of(answer, branch => Replies.Json(ToView(branch), StatusCodes.Status202Accepted));

    private IResult Of(Answer<ActorBranch> answer, Func<ActorBranch, IResult> onBranch) =>
        answer.Refusal is { } refusal ? replies.Of(refusal) : onBranch(answer.Value);

    private static ActorView ToView(ActorBranch branch) => new()
    {
        Path = branch.Path,
        State = branch.State.ToString().ToLowerInvariant(),
        MailboxDepth = branch.MailboxDepth,
        MailboxCapacity = branch.MailboxCapacityMax,
        Processed = branch.ProcessedCount,
        Restarts = branch.RestartCount,
        LastFailure = branch.LastFailure is { } failure ? Sentence(failure) : null,
        MessageAgeSeconds = branch.MessageAge?.TotalSeconds,
        ChildCount = branch.ChildCount,
        Children = [.. branch.Children.Select(ToView)],
        Unlisted = branch.Unlisted.ActorCount > 0 ? ToView(branch.Unlisted) : null,
    };

    private static ActorTotalsView ToView(ActorTotals totals) =>
        new(totals.ActorCount, totals.NotRunningCount, totals.MailboxDepth, totals.ProcessedCount, totals.RestartCount);

    private static string Sentence(Exception failure)
    {
        var sentence = $"{failure.GetType().Name}: {FailureCause.Sentence(failure)}";
        return sentence.Length <= FailureLengthMax ? sentence : $"{sentence[..FailureLengthMax]}…";
    }
}
