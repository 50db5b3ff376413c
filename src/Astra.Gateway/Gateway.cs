using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Astra.Agents;
using Astra.Governance;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Astra.Gateway;

/// <summary>
/// Everything the outside speaks to, as one web application. What it stands in front of is handed in; it has no
/// configuration files, no environment of its own, and writes no log but through <see cref="GatewayParts.OnError"/>.
/// </summary>
public static class Gateway
{
    /// <summary>Workers and streams are told at once that the server stops; this is for the requests that run.</summary>
    private static readonly TimeSpan StopTimeMax = TimeSpan.FromSeconds(5);

    /// <summary>For a server that must know its address before it listens. Somebody may take the port in between; then
    /// listening fails, and says so.</summary>
    public static int FindFreePort(IPAddress address)
    {
        var listener = new TcpListener(address, 0);
        listener.Start();
        try
        {
            return ((IPEndPoint)listener.LocalEndpoint).Port;
        }
        finally
        {
            listener.Stop();
        }
    }

    public static WebApplication Build(GatewayOptions options, GatewayParts parts)
    {
        // One for all who ask, and who is told of a revocation first.
        parts = parts with { Keys = new KnownKeys(parts.Keys, TimeProvider.System) };
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "Astra.Gateway", EnvironmentName = Environments.Production });
        var http2 = new Http2Listener();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = options.RequestBytesMax;
            kestrel.Limits.MaxConcurrentConnections = options.ConnectionsMax;
            kestrel.Limits.RequestHeadersTimeout = options.RequestHeadTimeMax;
            kestrel.Listen(options.Listen, listen =>
            {
                listen.Protocols = HttpProtocols.Http1;
                listen.Use(next => new FirstBytes(next, http2, kestrel.Limits.KeepAliveTimeout, options.RequestHeadTimeMax).ServeAsync);
            });
            kestrel.Listen(http2.EndPoint, listen => listen.Protocols = HttpProtocols.Http2);
        });
        // After Kestrel has added sockets: it adds none where there is a listener already.
        builder.Services.AddSingleton<IConnectionListenerFactory>(http2);
        builder.Services.AddSingleton<IHostLifetime, NoSignals>();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = StopTimeMax);
        builder.Services.Configure<RouteHandlerOptions>(routes => routes.ThrowOnBadRequest = true);
        builder.Services.Configure<JsonOptions>(json => Follow(AstraJson.Options, json.SerializerOptions));
        builder.Services.AddRouting();
        builder.Services.AddOpenApi(ApiDescription.Configure);

        var app = builder.Build();
        var metrics = new Metrics(parts.Node, options.StartedAt, parts.Money?.Metrics, parts.Hooks?.Metrics);
        app.Lifetime.ApplicationStopped.Register(metrics.Dispose);
        var forwarding = new OwnerForwarding();
        app.Lifetime.ApplicationStopped.Register(forwarding.Dispose);
        app.Use(metrics.Http.Count);
        app.UseMiddleware<ProblemsForAll>(parts.OnError);
        if (IPAddress.IsLoopback(options.Listen.Address))
            app.UseMiddleware<HostCheck>();
        app.UseRouting();
        app.UseMiddleware<Authentication>(parts.Keys, parts.HomeTenant);
        app.Use(OwnerForwarding.KeepBody);
        app.UseMiddleware<MovingRequests>(options.MovingTimeMax, app.Lifetime.ApplicationStopping);
        app.UseWhen(MayOpenWebSocket, branch => branch.UseWebSockets(new WebSocketOptions { KeepAliveInterval = TimeSpan.FromSeconds(10), KeepAliveTimeout = TimeSpan.FromSeconds(10) }));
        Map(app, options, parts, metrics, new Replies(forwarding, options.AnswerTimeMax));
        return app;
    }

    /// <summary>Every other request is spared what a handshake takes along. Over HTTP/1.1 it is an upgrade; over HTTP/2, where
    /// the same feature is there and never upgradable, an extended CONNECT. The method is asked first: it costs nothing.</summary>
    private static bool MayOpenWebSocket(HttpContext http) => HttpMethods.IsConnect(http.Request.Method)
        ? http.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true }
        : http.Features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true };

    private static void Map(WebApplication app, GatewayOptions options, GatewayParts parts, Metrics metrics, Replies replies)
    {
        app.MapOpenApi("/openapi.json").For(Access.Anyone);
        parts.Bus.Map(app);
        var api = app.MapGroup("/api/v1");
        var server = new ServerEndpoints(parts, options, metrics);
        server.Map(app, api);
        new ControlEndpoints(parts, replies, server.StatusAsync).Map(api);
        new ScheduleEndpoints(parts.Node, replies).Map(api);
        new ActorEndpoints(parts, options, replies).Map(api);
        new GoalEndpoints(parts.Node, parts.Profiles, new Submissions(parts.Catalog), replies).Map(api);
        new ReplayEndpoints(parts.Node, parts.Replay, replies).Map(api);
        new PlanEndpoints(parts.Node, replies).Map(api);
        new EventEndpoints(parts.Node, parts.Progress, parts.Keys, options, replies, app.Lifetime.ApplicationStopping).Map(api);
        var tasks = new TaskEndpoints(parts.Node, replies);
        tasks.Map(api);
        new DeadLetterEndpoints(parts.Node, parts.Catalog, replies, tasks).Map(api);
        new ApprovalEndpoints(parts.Node, replies, tasks).Map(api);
        new QuarantineEndpoints(parts.Node, replies).Map(api);
        if (parts.Hooks is { } hooks)
            new HookEndpoints(hooks, replies).Map(api);
        if (parts.Money is { } money)
        {
            new BudgetEndpoints(parts, money, TimeProvider.System).Map(api);
            new UsageEndpoints(money, TimeProvider.System).Map(api);
        }
        if (parts.Models is { } models)
        {
            new ModelEndpoints(models.Router, new AttemptCalls(parts.Node, replies)).Map(app);
            new ModelAdminEndpoints(models, parts.HomeTenant).Map(api);
        }
        new ArtifactEndpoints(parts.Node, parts.Artifacts, replies).Map(api);
        var agents = new AgentEndpoints(parts, replies);
        agents.Map(api);
        if (parts.Profiles is { } profiles)
            new ProfileEndpoint(parts, profiles, agents).Map(api);
        new AgentMessageEndpoint(parts.Node, options, replies).Map(api);
        new TenantEndpoints(parts, TimeProvider.System).Map(api);
        new WorkerEndpoint(parts, options, app.Lifetime.ApplicationStopping).Map(api);
    }

    /// <summary>What the framework reads is read as everything else of Astra is.</summary>
    private static void Follow(JsonSerializerOptions astra, JsonSerializerOptions framework)
    {
        framework.PropertyNamingPolicy = astra.PropertyNamingPolicy;
        framework.PropertyNameCaseInsensitive = astra.PropertyNameCaseInsensitive;
        framework.NumberHandling = astra.NumberHandling;
        framework.DefaultIgnoreCondition = astra.DefaultIgnoreCondition;
        framework.RespectNullableAnnotations = astra.RespectNullableAnnotations;
        framework.AllowOutOfOrderMetadataProperties = astra.AllowOutOfOrderMetadataProperties;
        foreach (var converter in astra.Converters)
            framework.Converters.Add(converter);
    }
}
