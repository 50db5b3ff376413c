using System.Net;
using System.Reflection;
using Astra.Agents;
using Astra.Auditor;
using Astra.Commands;
using Astra.Gateway;
using Astra.Governance;
using Astra.Agents.Replaying;
using Astra.Kernel;
using Astra.Llm;
using Astra.Llm.Recording;
using Astra.Llm.Config;
using Astra.Llm.Money;
using Astra.Postgres;
using Astra.Postgres.Cluster;
using Astra.Tools.Catalog;
using Astra.Tools.Sandboxes;
using Astra.Tools.Webhooks;
using Microsoft.AspNetCore.Builder;

namespace Astra.Hosting;

/// <summary>
/// A whole Astra in this process: the database, the kernel's node, the agents and the gateway in front of them. What is
/// started last is stopped first.
/// </summary>
public sealed class AstraServer(ServerOptions options) : IServerHost
{
    private const string HomeTenantName = "default";

    private static readonly TimeSpan DrainTimeMax = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan KeepingPeriod = TimeSpan.FromMinutes(1);

    private readonly ServerLog _log = new(options.Log, options.IsJsonLog);
    private readonly TaskCompletionSource _stopRequested = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Stack<Func<ValueTask>> _started = new();
    private Task _keeping = Task.CompletedTask;
    private Uri? _address;
    private volatile string? _failure;

    public static string Version { get; } =
        typeof(AstraServer).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    public Uri Address => _address ?? throw new InvalidOperationException("The server has no address before it has started.");

    public Task StopRequested => _stopRequested.Task;

    public string? Failure => _failure;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var progress = new LogProgress(Say);
        var cages = Sandboxes.ProbeAsync(cancellationToken);
        var catalog = BuiltIn.Catalog();
        var (store, node, bus) = await OpenNodeAsync(catalog, progress, cancellationToken);
        var report = await cages;
        Say($"sandbox: {report.TierName}");

        var home = await store.Tenants.EnsureAsync(HomeTenantName, cancellationToken);
        await AdminKey.EnsureAsync(options.DataDirectory, home, store.ApiKeys, TimeProvider.System.GetUtcNow(), cancellationToken);

        var traces = Trace(node);
        node.OnCommit += Owned(new TroubleLog(_log, node.Self.Node, TimeProvider.System)).Committed;
        var gate = new ToolGate(catalog, () => Sandboxes.Open(report), BuiltIn.AuthorityOf(home), new ToolGateOptions
        {
            Astra = BuiltIn.AstraInsideACage(),
            NeverReadable = [options.DataDirectory],
            OnRun = traces is null ? null : traces.Ran,
        });
        var artifacts = new FileArtifacts(options.DataDirectory);
        var feed = new ProgressFeed();
        var recorder = Owned(new Recorder(store.Recordings, TimeProvider.System, Say));
        var replays = new ReplaySessions();
        var tapes = new GoalTapes(recorder, store.Recordings, replays, TimeProvider.System, options.RecordingsKept);
        var (hooks, courier) = await OpenHooksAsync(store, node.Self.Node, cancellationToken);
        ModelDesk? desk = null;
        var money = Owned(await MoneyHost.OpenAsync(
            store, node.Self.Node.Value, options.DataDirectory, Environment.GetEnvironmentVariable("CREDENTIALS_DIRECTORY"), new ProviderPlaces(() => desk?.Config).IsRemote, courier.Hear, Say,
            cancellationToken));
        if (traces is not null)
            money.Usage.OnRecord += traces.Asked;
        var models = desk = await OpenModelsAsync(home, money, cancellationToken);
        models.Router.Record(recorder, replays);
        var host = new AgentHost(new AgentHostParts
        {
            Node = node, Agents = [new AuditorAgent(), .. options.Agents], Catalog = catalog, Tools = gate, Artifacts = artifacts, Progress = feed, Records = tapes,
            Profiles = new ProfileParts(store.Profiles, new RouterModels(models.Router, money.Ledger)), Models = new RouterEndpoints(models.Router),
        });
        await BuiltIn.RegisterAgentsAsync(host.Agents, home, store.Agents, cancellationToken);
        var gateway = Gateway.Gateway.Build(
            new GatewayOptions
            {
                Listen = new IPEndPoint(IPAddress.Parse(options.ListenAddress), Address.Port),
                Version = Version,
                Database = options.DatabaseUrl is null ? "private" : "external",
                SandboxTier = report.TierName,
                MetricsAreOpen = options.MetricsAreOpen,
                StartedAt = TimeProvider.System.GetUtcNow(),
            },
            new GatewayParts
            {
                Node = node, Bus = bus, Keys = store.ApiKeys, Tenants = store.Tenants, Agents = store.Agents, Profiles = store.Profiles, HomeTenant = home, Hooks = hooks, Money = money.Parts, Models = models,
                Replay = new GoalReplay(host, artifacts, tapes),
                Catalog = catalog, Tools = gate, Artifacts = artifacts, Progress = feed,
                DatabaseProblem = token => ProblemOfAsync(store, token),
                DatabaseCommits = async token => await store.CountCommitsAsync(token),
                RequestStop = () => _stopRequested.TrySetResult(),
                OnError = (where, error, ids) => _log.Error($"error in {where}: {(options.Verbose ? error : Notices.KindOf(error))}", ids with { Node = node.Self.Node.Value }),
            });
        await ListenAsync(gateway, cancellationToken);
        // The first shards are at work before the last ones are loaded.
        host.Start();
        _started.Push(() => StopWorkAsync(host, node));
        await node.StartAsync();
        courier.Start();
        _keeping = KeepAsync(store, money.Metrics);
        Say($"listening on {Address}");
    }

    public async ValueTask DisposeAsync()
    {
        _stopRequested.TrySetResult();
        await _stopping.CancelAsync();
        await _keeping;
        while (_started.TryPop(out var stop))
            await stop();
        _stopping.Dispose();
    }

    private async Task<(PostgresStore, KernelNode, HttpBus)> OpenNodeAsync(ToolCatalog catalog, IProgress<string> progress, CancellationToken cancellationToken)
    {
        var held = Owned(DataDirectoryLock.Acquire(options.DataDirectory));
        var cluster = options.DatabaseUrl is null ? Owned(await PrivateCluster.StartAsync(held, progress, cancellationToken)) : null;
        var store = Owned(await PostgresStore.OpenAsync(
            new PostgresOptions { Cluster = cluster, ConnectionString = options.DatabaseUrl }, progress, cancellationToken));

        var port = options.Port == 0 ? Gateway.Gateway.FindFreePort(IPAddress.Parse(options.ListenAddress)) : options.Port;
        _address = new Uri($"http://{Reachable(options.ListenAddress)}:{port}");
        var clock = new SystemClock();
        var randomness = new SystemRandomness();
        var bus = Owned(new HttpBus(new FleetSecret(await store.ReadFleetSecretAsync(cancellationToken)), TimeProvider.System));
        var ports = new KernelPorts(
            clock, randomness, new IdSource(clock, randomness), Owned(new ThreadPoolDispatcher()), store.Journal, store.Projection, store.Leases, bus,
            store.Agents)
        {
            Controls = store.Controls, Schedules = store.Schedules, ReadSubmission = new Submissions(catalog).ReadAsync, VotesNeeded = catalog.VotesNeeded,
        };
        var node = Owned(new KernelNode(ports, LimitsOf(options), new NodeRegistration(held.Node, _address.ToString().TrimEnd('/'), Guid.NewGuid())));
        node.OnNotice = notice => Hear(notice, node.Self.Node);
        store.Projection.OnQuarantined = (tenant, goal) => _log.Warn(Notices.Quarantined(goal), new LogIds { Node = node.Self.Node.Value, Tenant = tenant.Value, Goal = goal.Value, Shard = goal.Shard.Value });
        return (store, node, bus);
    }

    private static KernelLimits LimitsOf(ServerOptions options) => new()
    {
        AgentGoalsPerSecond = options.AgentGoalsPerSecond,
        AgentGoalsBurst = Math.Max(1, (int)(options.AgentGoalsPerSecond * ServerOptions.AgentGoalsBurstPerRate)),
    };

    private async ValueTask<(HookDesk, HookCourier)> OpenHooksAsync(PostgresStore store, NodeId node, CancellationToken cancellationToken)
    {
        var secrets = new HookSecrets(await store.ReadFleetSecretAsync(cancellationToken));
        var sender = Owned(new WebhookSender(secrets, new AddressRules(options.HookNetworks), TimeProvider.System));
        var metrics = Owned(new HookMetrics(store.Hooks));
        var courier = Owned(new HookCourier(store.Hooks, sender, metrics, TimeProvider.System, notice => _log.Warn(notice.Sentence, Notices.Ids(notice) with { Node = node.Value })));
        store.Projection.OnDeaths = courier.Hear;
        return (new HookDesk(store.Hooks, secrets, sender, metrics, TimeProvider.System), courier);
    }

    private async ValueTask<ModelDesk> OpenModelsAsync(TenantId home, MoneyHost money, CancellationToken cancellationToken)
    {
        var router = new ModelRouter(
            home, new SecretProviderKeys(money.Secrets), money.Ledger, money.Prices, money.Usage, new SystemRandomness(), TimeProvider.System, AddressRules.IsPublic);
        var file = new ModelConfigFile(options.ModelsFile ?? Path.Combine(options.DataDirectory, ModelConfigFile.Name));
        var desk = Owned(new ModelDesk(router, file, options.FindsModels ? new LocalServers() : null, Say));
        await desk.StartAsync(cancellationToken);
        return desk;
    }

    /// <summary>Null when nobody asked for traces: then nothing is made for them anywhere.</summary>
    private GoalTraces? Trace(KernelNode node)
    {
        if (options.Traces is not { } asked)
            return null;
        Owned(new TraceExport(asked.Collector, asked.IsGrpc, Version, node.Self.Node.Value));
        if (asked.Collector is not null || MetricExport.Variables.Any(name => Environment.GetEnvironmentVariable(name) is { Length: > 0 }))
            Owned(new MetricExport(asked.Collector, asked.IsGrpc, Version, node.Self.Node.Value));
        var traces = Owned(new GoalTraces());
        node.OnCommit += traces.Committed;
        Say($"traces go to {asked.Collector?.ToString() ?? "the collector that OTEL_EXPORTER_OTLP_ENDPOINT names"}");
        return traces;
    }

    private async Task ListenAsync(WebApplication gateway, CancellationToken cancellationToken)
    {
        try
        {
            await gateway.StartAsync(cancellationToken);
            _started.Push(() => StopListeningAsync(gateway));
        }
        catch (IOException e)
        {
            await gateway.DisposeAsync();
            throw new CommandException($"Port {Address.Port} on {options.ListenAddress} is taken by another program; stop that, or choose another with --port.", cause: e);
        }
    }

    /// <summary>Stopped before it is disposed: a request that runs meanwhile is answered, and not torn down under its feet.</summary>
    private static async ValueTask StopListeningAsync(WebApplication gateway)
    {
        try
        {
            await gateway.StopAsync();
        }
        catch (OperationCanceledException)
        {
            // Somebody took longer than a stop may; what is left of it ends with the next line.
        }
        await gateway.DisposeAsync();
    }

    /// <summary>While the server still listens: what other nodes hand on to it until they know better is not lost.</summary>
    private static async ValueTask StopWorkAsync(AgentHost host, KernelNode node)
    {
        var handedOver = node.HandOverAsync(DrainTimeMax);
        await host.DrainAsync(DrainTimeMax);
        await host.DisposeAsync();
        await handedOver;
    }

    /// <summary>Looks after what grows: the segments of the log, what is recorded of goals, and memory.</summary>
    private async Task KeepAsync(PostgresStore store, MoneyMetrics metrics)
    {
        var segments = new SegmentKeeper(store.Segments, options.HistoryKept, TimeProvider.System, Say);
        var recordings = new RecordingKeeper(store.Recordings, options.RecordingsKept, TimeProvider.System, metrics.CountForgotten);
        using var timer = new PeriodicTimer(KeepingPeriod);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token))
            {
                await TryAsync("the log's segments", segments.LookAsync);
                await TryAsync("recordings of goals", recordings.LookAsync);
                NativeHeap.GiveBack();
            }
        }
        catch (OperationCanceledException)
        {
            // The server stops.
        }

        async Task TryAsync(string what, Func<CancellationToken, ValueTask> look)
        {
            try
            {
                await look(_stopping.Token);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                Say($"{what} could not be looked after, and will be later: {e.Message}");
            }
        }
    }

    private static async ValueTask<string?> ProblemOfAsync(PostgresStore store, CancellationToken cancellationToken)
    {
        try
        {
            await store.PingAsync(cancellationToken);
            return null;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            return $"The database does not answer: {e.Message}";
        }
    }

    private void Hear(KernelNotice notice, NodeId node)
    {
        // Said where the rows were refused: the kernel's notice does not know whose goal it is.
        if (notice is KernelNotice.GoalQuarantined)
            return;
        var (sentence, ids) = (Notices.Sentence(notice), Notices.Ids(notice) with { Node = node.Value });
        if (notice is not KernelNotice.NodeFailed)
        {
            _log.Warn(sentence, ids);
            return;
        }
        _log.Error(sentence, ids);
        _failure = sentence;
        _stopRequested.TrySetResult();
    }

    private T Owned<T>(T part)
    {
        _started.Push(part switch
        {
            IAsyncDisposable asynchronous => asynchronous.DisposeAsync,
            IDisposable disposable => () =>
            {
                disposable.Dispose();
                return default;
            },
            _ => () => default,
        });
        return part;
    }

    private void Say(string line) => _log.Say(line);

    /// <summary>Where clients on this machine and other nodes go when the server listens everywhere.</summary>
    private static string Reachable(string listenAddress) => listenAddress switch
    {
        "0.0.0.0" or "::" => Dns.GetHostName(),
        var v6 when v6.Contains(':') => $"[{v6}]",
        var address => address,
    };

    /// <summary>Progress&lt;T&gt; would report later, on another thread, and out of order.</summary>
    private sealed class LogProgress(Action<string> say) : IProgress<string>
    {
        public void Report(string value) => say(value);
    }
}
