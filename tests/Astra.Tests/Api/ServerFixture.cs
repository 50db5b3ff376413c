using Astra.Testing.Governance;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography;
using Astra.Agents;
using Astra.Agents.Replaying;
using Astra.Gateway;
using Astra.Governance;
using Astra.Hosting;
using Astra.Kernel;
using Astra.Kernel.Controls;
using Astra.Kernel.InMemory;
using Astra.Llm.Config;
using Astra.Llm.Money;
using Astra.Kernel.Timers;
using Astra.Postgres;
using Astra.Sdk;
using Astra.Tests.Profiles;
using Astra.Tools.Catalog;
using Astra.Tools.Sandboxes;
using Microsoft.AspNetCore.Builder;

namespace Astra.Tests.Api;

/// <summary>A database in memory and the sandbox of a test: what several servers share.</summary>
internal sealed class ServerWorld
{
    public InMemoryStore Store { get; } = new(new SystemClock(), TimeSpan.FromSeconds(10));

    /// <summary>The durable ports, where they are not memory.</summary>
    public PostgresStore? Postgres { get; init; }

    public IAgentStore Agents => Postgres?.Agents ?? (IAgentStore)Store.Agents;

    public InMemoryGovernance Governance { get; } = new(new SystemClock());
    public FakeSandbox Sandbox { get; } = new();
    public KernelLimits Limits { get; init; } = new();
    public FleetSecret Fleet { get; } = new(RandomNumberGenerator.GetBytes(32));
    public TenantId Home { get; init; } = new(Guid.NewGuid());

    /// <summary>Null serves none.</summary>
    public ModelDesk? Models { get; init; }

    public GoalTapes? Tapes { get; init; }

    /// <summary>Null keeps none.</summary>
    public MoneyParts? Money { get; init; }

    public IBudgets Budgets { get; init; } = NoBudgets.Instance;

    /// <summary>Beside the shell.</summary>
    public IReadOnlyList<ToolDefinition> Tools { get; init; } = [];

    public InMemoryProfiles Profiles => field ??= new InMemoryProfiles(Agents);
}

/// <summary>A whole server over memory: the real kernel, the real agent host, a real listener.</summary>
internal sealed class ServerFixture : IAsyncDisposable
{
    private readonly ThreadPoolDispatcher _dispatcher = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("astra-api-").FullName;
    private readonly List<IDisposable> _clients = [];
    private readonly ServerWorld _world;
    private readonly HttpBus _bus;
    private readonly KernelNode _node;
    private readonly AgentHost _host;
    private readonly WebApplication _app;

    private ServerFixture(ServerWorld world, string nodeId, IReadOnlyCollection<Agent> agents, GatewayOptions? options = null, GoalTraces? traces = null)
    {
        _world = world;
        var port = FreePort();
        Address = new Uri($"http://127.0.0.1:{port}");
        var clock = new SystemClock();
        var randomness = new SystemRandomness();
        _bus = new HttpBus(world.Fleet, TimeProvider.System);
        var catalog = new ToolCatalog().Add(ShellForm.Definition, new ShellForm());
        foreach (var tool in world.Tools)
            catalog.Add(tool);
        _node = new KernelNode(
            new KernelPorts(
                clock, randomness, new IdSource(clock, randomness), _dispatcher, world.Postgres?.Journal ?? (IJournal)world.Store.Journal,
                world.Postgres?.Projection ?? (IProjection)world.Store.Projection, world.Postgres?.Leases ?? (IShardLeases)world.Store.Leases, _bus, world.Agents)
            {
                Controls = world.Postgres?.Controls ?? (IControls)world.Store.Controls, Schedules = world.Postgres?.Schedules ?? (ISchedules)world.Store.Schedules, ReadSubmission = new Submissions(catalog).ReadAsync, VotesNeeded = catalog.VotesNeeded,
            },
            world.Limits with { RetryDelayMin = TimeSpan.FromMilliseconds(1), RetryDelayMax = TimeSpan.FromMilliseconds(5), LeaseRenewalInterval = TimeSpan.FromMilliseconds(100) },
            new NodeRegistration(new NodeId(nodeId), Address.ToString(), Guid.NewGuid()));
        var tools = new ToolGate(catalog, () => world.Sandbox, subject => new ToolGrants { Tools = subject.ProfileTools ?? ["*"] }, new ToolGateOptions { OnRun = traces is null ? null : traces.Ran });
        _node.OnCommit = traces is null ? null : traces.Committed;
        var artifacts = new FileArtifacts(_directory);
        var progress = new ProgressFeed();
        _host = new AgentHost(new AgentHostParts
        {
            Node = _node, Agents = agents, Catalog = catalog, Tools = tools, Artifacts = artifacts, Progress = progress, Slots = 8, Records = world.Tapes, Models = world.Models is { } served ? new RouterEndpoints(served.Router) : null,
            Profiles = new ProfileParts(world.Profiles, world.Models is { } desk ? new RouterModels(desk.Router, world.Budgets) : null),
        });
        _app = Astra.Gateway.Gateway.Build(
            (options ?? new GatewayOptions { StartedAt = DateTimeOffset.UtcNow }) with
            {
                Listen = new IPEndPoint(IPAddress.Loopback, port), Version = "test",
                KeepAlivePeriod = TimeSpan.FromMilliseconds(50), KeyCheckPeriod = TimeSpan.FromMilliseconds(50),
            },
            new GatewayParts
            {
                Node = _node, Bus = _bus, Keys = world.Governance, Tenants = world.Governance, Agents = world.Agents, Profiles = world.Profiles, HomeTenant = world.Home, Models = world.Models, Money = world.Money,
                Replay = world.Tapes is null ? null : new GoalReplay(_host, artifacts, world.Tapes),
                Catalog = catalog, Tools = tools, Artifacts = artifacts, Progress = progress,
                RequestStop = () => StopRequested.TrySetResult(),
                OnError = (what, e, _) =>
                {
                    Errors.Enqueue($"{what}: {e}");
                    TestContext.Current.TestOutputHelper?.WriteLine($"{what}: {e}");
                },
            });
    }

    public Uri Address { get; }
    public TaskCompletionSource StopRequested { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    public System.Collections.Concurrent.ConcurrentQueue<string> Errors { get; } = new();

    public static Task<ServerFixture> StartAsync(params Agent[] agents) => StartAsync(new ServerWorld(), "node", agents);

    public static Task<ServerFixture> StartAsync(ServerWorld world, string nodeId, params Agent[] agents) => StartAsync(new ServerFixture(world, nodeId, agents));

    public static Task<ServerFixture> StartAsync(GatewayOptions options) => StartAsync(new ServerFixture(new ServerWorld(), "node", [], options));

    public static Task<ServerFixture> StartAsync(GoalTraces traces, params Agent[] agents) => StartAsync(new ServerFixture(new ServerWorld(), "node", agents, traces: traces));

    private static async Task<ServerFixture> StartAsync(ServerFixture server)
    {
        await server._node.StartAsync();
        server._host.Start();
        await server._app.StartAsync();
        return server;
    }

    /// <summary>A listener whose node never starts, so that a test serves in its place.</summary>
    public static async Task<ServerFixture> StartWithoutNodeAsync(ServerWorld world, string nodeId)
    {
        var server = new ServerFixture(world, nodeId, []);
        await server._app.StartAsync();
        return server;
    }

    public IBus Bus => _bus;
    public ServerWorld World => _world;
    public TenantId Home => _world.Home;
    public NodeRegistration Registration => _node.Self;
    public FakeSandbox Sandbox => _world.Sandbox;
    public InMemoryGovernance Governance => _world.Governance;

    public Task<string> NewKeyAsync(Role role = Role.OrgAdmin) => NewKeyAsync(_world.Home, role);

    public async Task<string> NewKeyAsync(TenantId tenant, Role role, string name = "test")
    {
        var secret = ApiKeys.NewSecret();
        await _world.Governance.AddAsync(
            new ApiKeyRecord(Guid.NewGuid(), tenant, name, role, DateTimeOffset.UtcNow, null), ApiKeys.HashOf(secret)!, CancellationToken.None);
        return secret;
    }

    public async Task<AstraClient> ClientAsync(TenantId? tenant = null, Role role = Role.OrgAdmin, string name = "test")
    {
        var client = new AstraClient(Address, await NewKeyAsync(tenant ?? _world.Home, role, name));
        _clients.Add(client);
        return client;
    }

    /// <summary>For what the SDK's client would not send.</summary>
    public async Task<HttpClient> RawAsync()
    {
        var client = new HttpClient { BaseAddress = Address };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", await NewKeyAsync());
        _clients.Add(client);
        return client;
    }

    public ValueTask<NodeSummary> SummariseAsync() => _node.SummariseAsync();

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients)
            client.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
        await _host.DisposeAsync();
        await _node.DisposeAsync();
        _bus.Dispose();
        _dispatcher.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    /// <summary>A goal of the agent, from its submission to its end, with a remote worker that runs it meanwhile.</summary>
    public async Task<GoalView> RunRemotelyAsync(Agent agent, CancellationToken cancellationToken)
    {
        var client = await ClientAsync();
        using var stop = new CancellationTokenSource();
        var working = new AstraWorker(Address, await NewKeyAsync(Role.Member)).Add(agent).RunAsync(stop.Token);
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = agent.Name }, cancellationToken: cancellationToken);
        var ended = await client.FinishAsync(goal.Id, cancellationToken);
        await stop.CancelAsync();
        await working.WaitAsync(cancellationToken);
        return ended;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}

internal static class ClientExtensions
{
    /// <summary>Waits for the goal's last event, not for a while.</summary>
    public static async Task<GoalView> FinishAsync(this AstraClient client, Guid goal, CancellationToken cancellationToken)
    {
        await foreach (var _ in client.FollowAsync(goal, 0, cancellationToken))
        {
        }
        return await client.GetGoalAsync(goal, cancellationToken);
    }
}
