using Astra.Agents;
using Astra.Governance;
using Astra.Kernel;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>The server itself: whether it lives, what it counts, and its end.</summary>
internal sealed class ServerEndpoints(GatewayParts parts, GatewayOptions options, Metrics metrics)
{
    public void Map(IEndpointRouteBuilder app, IEndpointRouteBuilder api)
    {
        // Without a key: these tell health and never content, and what asks for them has no key.
        app.MapGet("/health", Health).For(Access.Anyone).ExcludeFromDescription();
        app.MapGet("/ready", (Delegate)Ready).For(Access.Anyone).ExcludeFromDescription();
        app.MapGet("/metrics", (Delegate)ScrapeAsync).For(options.MetricsAreOpen ? Access.Anyone : Access.Operator).ExcludeFromDescription();

        api.MapGet("/status", (Delegate)Status).For(Access.AnyKey).WithTags("Server").Produces<StatusView>().WithSummary("This node and what it knows of the others.");
        api.MapPost("/server/stop", Stop).For(Access.Operator).WithTags("Server").Produces(StatusCodes.Status202Accepted).WithSummary("Stop this node. Returns when it has agreed to.");
    }

    private static IResult Health() => Replies.Json(new { status = "alive" });

    private async Task<IResult> Ready(HttpContext http)
    {
        if (await parts.DatabaseProblem(http.RequestAborted) is { } problem)
            return Problems.Of(StatusCodes.Status503ServiceUnavailable, problem);
        var summary = await parts.Node.SummariseAsync();
        return summary.ShardsOwned > 0
            ? Replies.Json(new { status = "ready", shards = summary.ShardsOwned })
            : Problems.Of(StatusCodes.Status503ServiceUnavailable, "This node owns no shards yet; it gets its share within seconds.");
    }

    private async Task<IResult> Status(HttpContext http) => Replies.Json(await StatusAsync(http.RequestAborted));

    public async Task<StatusView> StatusAsync(CancellationToken cancellationToken)
    {
        var summary = await parts.Node.SummariseAsync();
        return new StatusView
        {
            Version = options.Version,
            NodeId = summary.Self.Node.Value,
            StartedAt = options.StartedAt,
            Database = options.Database,
            ShardsOwned = summary.ShardsOwned,
            ShardsTotal = ShardId.Count,
            Nodes = [.. summary.Nodes.Select(node => new NodeView(node.Node.Node.Value, node.Node.Address, node.ShardCount, node.IsAlive))],
            GoalsActive = summary.GoalsActive,
            TasksReady = summary.TasksReady,
            TasksRunning = summary.TasksRunning,
            WorkersConnected = summary.Workers.Count,
            SandboxTier = options.SandboxTier,
            ResidentBytes = Environment.WorkingSet,
            DatabaseCommits = await parts.DatabaseCommits(cancellationToken),
            Draining = summary.IsDraining,
            TenantsWaiting = summary.TenantsWaiting,
            WaitAtMostSeconds = summary.WaitAtMost?.TotalSeconds,
        };
    }

    private IResult Stop(HttpContext http)
    {
        // The answer leaves before the listener does.
        http.Response.OnCompleted(() =>
        {
            parts.RequestStop();
            return Task.CompletedTask;
        });
        return Replies.Json(new { status = "stopping" }, StatusCodes.Status202Accepted);
    }

    private async Task<IResult> ScrapeAsync() => Results.Text(await metrics.ScrapeAsync(), PrometheusText.ContentType);
}
