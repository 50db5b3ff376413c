using System.Globalization;
using System.Text;
using Astra.Agents;
using Astra.Governance;
using Astra.Kernel;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>The server itself: whether it lives, what it counts, and its end.</summary>
internal sealed class ServerEndpoints(GatewayParts parts, GatewayOptions options, RequestCounts counts)
{
    public void Map(IEndpointRouteBuilder app, IEndpointRouteBuilder api)
    {
        // Without a key: these three tell counts and health and never content, and what asks for them has no key.
        app.MapGet("/health", Health).For(Access.Anyone).ExcludeFromDescription();
        app.MapGet("/ready", (Delegate)Ready).For(Access.Anyone).ExcludeFromDescription();
        app.MapGet("/metrics", Metrics).For(Access.Anyone).ExcludeFromDescription();

        api.MapGet("/status", Status).For(Access.AnyKey).WithTags("Server").Produces<StatusView>().WithSummary("This node and what it knows of the others.");
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

    private async Task<IResult> Status() => Replies.Json(await StatusAsync());

    public async Task<StatusView> StatusAsync()
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

    private async Task<IResult> Metrics()
    {
        var summary = await parts.Node.SummariseAsync();
        var text = new StringBuilder();
        Gauge("astra_shards_owned", "Shards of this node.", summary.ShardsOwned);
        Gauge("astra_nodes_alive", "Nodes of the fleet that live.", summary.Nodes.Count(node => node.IsAlive));
        Gauge("astra_goals_active", "Goals of this node that have not ended.", summary.GoalsActive);
        Gauge("astra_tasks_ready", "Tasks that wait for a worker.", summary.TasksReady);
        Gauge("astra_tasks_running", "Tasks that a worker holds.", summary.TasksRunning);
        Gauge("astra_workers_connected", "Workers connected to this node.", summary.Workers.Count);
        Gauge("astra_worker_slots", "Tasks they take at once.", summary.Workers.Sum(worker => worker.Slots));
        Gauge("astra_worker_slots_taken", "Tasks they have.", summary.Workers.Sum(worker => worker.SlotsTaken));
        Gauge("astra_projection_backlog_entries", "Committed entries that the tables do not show yet.", summary.Backlog);
        Gauge("process_resident_memory_bytes", "Memory of the process.", Environment.WorkingSet);
        Gauge("process_start_time_seconds", "When it started.", options.StartedAt.ToUnixTimeSeconds());
        text.Append("# HELP astra_http_requests_total Requests answered.\n# TYPE astra_http_requests_total counter\n");
        foreach (var (kind, count) in counts.ByKind)
            text.Append(CultureInfo.InvariantCulture, $"astra_http_requests_total{{status=\"{kind}\"}} {count}\n");
        return Results.Text(text.ToString(), "text/plain; version=0.0.4; charset=utf-8");

        void Gauge(string name, string help, long value) =>
            text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
    }
}

/// <summary>Requests by the first digit of their status.</summary>
internal sealed class RequestCounts
{
    private readonly long[] _counts = new long[6];

    public IEnumerable<(string Kind, long Count)> ByKind
    {
        get
        {
            for (var digit = 1; digit <= 5; digit++)
                yield return ($"{digit}xx", Interlocked.Read(ref _counts[digit]));
        }
    }

    public async Task Count(HttpContext http, RequestDelegate next)
    {
        await next(http);
        Interlocked.Increment(ref _counts[Math.Clamp(http.Response.StatusCode / 100, 0, 5)]);
    }
}
