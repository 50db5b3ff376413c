using Astra.Chaos.Audit;
using Astra.Chaos.Load;
using Astra.Chaos.Processes;
using Astra.Sdk;
using Npgsql;

namespace Astra.Chaos;

/// <summary>Everything that a run is made of: database, servers, workers, what lies between them, load and receiver.</summary>
internal sealed class World : IAsyncDisposable
{
    private const string Database = "chaos";
    private const int WorkerSlots = 12;
    private const long WorkerMemoryMax = 160L << 20;
    private static readonly TimeSpan StartTimeMax = TimeSpan.FromSeconds(120);

    private readonly ChaosOptions _options;
    private readonly Stack<IAsyncDisposable> _owned = new();

    private World(ChaosOptions options, string directory) => (_options, Directory) = (options, directory);

    public string Directory { get; }
    public string LedgerPath => Path.Combine(Directory, "ledger.jsonl");
    public SmallDisk Disk { get; private set; } = null!;
    public PostgresProcess Postgres { get; private set; } = null!;

    /// <summary>Between each server and the database.</summary>
    public List<Proxy> DatabaseLinks { get; } = [];

    /// <summary>Between everybody and each server.</summary>
    public List<Proxy> ServerLinks { get; } = [];

    public List<ServerProcess> Servers { get; } = [];
    public List<WorkerProcess> Workers { get; } = [];
    public List<PythonWorkerProcess> Pythons { get; } = [];
    public ClockShim? Clock { get; private set; }
    public string? ClockProblem { get; private set; }
    public EffectReceiver Receiver { get; private set; } = null!;
    public DatabaseView View { get; private set; } = null!;
    public Ledger Ledger { get; private set; } = null!;
    public Caller Caller { get; private set; } = null!;
    public LoadClient Load { get; private set; } = null!;
    public string Key { get; private set; } = "";

    public static async Task<World> MakeAsync(ChaosOptions options, string directory, Action<string> say, CancellationToken cancellationToken)
    {
        var world = new World(options, directory);
        try
        {
            await world.MakeAsync(say, cancellationToken);
            return world;
        }
        catch
        {
            await world.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        while (_owned.TryPop(out var owned))
            await owned.DisposeAsync();
    }

    /// <summary>Waits for a server to answer by itself, past its proxy.</summary>
    public async Task<bool> IsReadyAsync(ServerProcess server, CancellationToken cancellationToken)
    {
        try
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(TimeSpan.FromSeconds(2));
            using var answer = await _http.GetAsync(new Uri(server.Address, "/ready"), patience.Token);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>A series of a server's /metrics, summed up over its labels; null when it does not answer.</summary>
    public async Task<double?> ReadMetricAsync(ServerProcess server, string prefix, CancellationToken cancellationToken)
    {
        try
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(TimeSpan.FromSeconds(2));
            var text = await _http.GetStringAsync(new Uri(server.Address, "/metrics"), patience.Token);
            return text.Split('\n').Where(line => line.StartsWith(prefix, StringComparison.Ordinal)).Sum(line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], System.Globalization.CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    private readonly HttpClient _http = new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(2), PooledConnectionLifetime = TimeSpan.FromSeconds(1) });

    private async Task MakeAsync(Action<string> say, CancellationToken cancellationToken)
    {
        var ports = Ports.Free(2 + _options.Servers);
        Disk = Owned(await SmallDisk.MakeAsync(Path.Combine(Directory, "disk"), (512L + 40 * _options.Minutes) << 20, cancellationToken));
        Postgres = Owned(await PostgresProcess.MakeAsync(Path.Combine(Disk.Path, "postgres"), Path.Combine(Directory, "postgres.log"), ports[0], cancellationToken));
        await File.WriteAllTextAsync(Path.Combine(Directory, "postgres.log"), "", cancellationToken);
        Postgres.Start();
        await CreateDatabaseAsync(cancellationToken);
        View = Owned(new DatabaseView(NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Postgres.ConnectionString()) { Database = Database, MaxPoolSize = 4, CommandTimeout = 60 })));
        Receiver = Owned(new EffectReceiver(ports[1]));
        (Clock, ClockProblem) = await ClockShim.MakeAsync(Directory, cancellationToken);

        for (var number = 1; number <= _options.Servers; number++)
        {
            var link = Owned(new Proxy(Postgres.Port));
            DatabaseLinks.Add(link);
            var server = Owned(new ServerProcess(number, Directory, ports[1 + number], writer => DatabaseUrl(link, writer), Clock));
            Servers.Add(server);
            ServerLinks.Add(Owned(new Proxy(server.Port)));
            server.Start();
            await ReadyAsync(server, cancellationToken);
            if (number == 1 && _options.WatchesWriters)
                await View.WatchWritersAsync(cancellationToken);
        }
        Key = Servers[0].ReadKey() ?? throw new InvalidOperationException($"The first server has made no key; {Servers[0].LogPath} says more.");
        await StartClientsAsync();
        say($"{_options.Servers} servers, {Workers.Count} workers{(Pythons.Count == 0 ? "" : $" and {Pythons.Count} in Python")}, PostgreSQL on {(Disk.Problem is null ? "a small file system of its own" : $"this disk: {Disk.Problem}")}.");
    }

    private async Task StartClientsAsync()
    {
        var keyFile = Path.Combine(Servers[0].DataPath, "admin.key");
        // A server hands its tasks to its own workers only, so each needs some of either kind.
        for (var number = 1; number <= Math.Max(_options.Workers, Servers.Count); number++)
        {
            var worker = Owned(new WorkerProcess(number, Directory, AddressOf(number), keyFile, Receiver.Address, WorkerSlots, WorkerMemoryMax));
            Workers.Add(worker);
            worker.Start();
        }
        for (var number = 1; PythonWorkerProcess.Python is not null && number <= Servers.Count; number++)
        {
            var worker = Owned(new PythonWorkerProcess(number, Directory, AddressOf(number), keyFile));
            Pythons.Add(worker);
            worker.Start();
        }
        Ledger = Owned(new Ledger(LedgerPath));
        Caller = new Caller([.. ServerLinks.Select(link => new AstraClient(AddressOf(link), Key, new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(2), AllowAutoRedirect = false }))]);
        Load = Owned(new LoadClient(Caller, Ledger, _options.Seed, _options.TasksPerSecond, Pythons.Count > 0));
        Load.Start();
        await Task.CompletedTask;
    }

    private Uri AddressOf(int number) => AddressOf(ServerLinks[number % ServerLinks.Count]);

    private static Uri AddressOf(Proxy link) => new($"http://127.0.0.1:{link.Port}");

    private string DatabaseUrl(Proxy link, string writer) =>
        new NpgsqlConnectionStringBuilder(Postgres.ConnectionString(link.Port, $"-c chaos.writer={writer}")) { Database = Database }.ConnectionString;

    private async Task CreateDatabaseAsync(CancellationToken cancellationToken)
    {
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Postgres.ConnectionString()) { Pooling = false });
        for (var since = System.Diagnostics.Stopwatch.StartNew(); ;)
        {
            try
            {
                await using var create = source.CreateCommand($"CREATE DATABASE {Database}");
                await create.ExecuteNonQueryAsync(cancellationToken);
                return;
            }
            catch (NpgsqlException e) when (e is not PostgresException { SqlState: not PostgresErrorCodes.CannotConnectNow } && since.Elapsed < StartTimeMax)
            {
                await Task.Delay(100, cancellationToken);
            }
        }
    }

    private async Task ReadyAsync(ServerProcess server, CancellationToken cancellationToken)
    {
        for (var since = System.Diagnostics.Stopwatch.StartNew(); !await IsReadyAsync(server, cancellationToken);)
        {
            if (since.Elapsed > StartTimeMax)
                throw new InvalidOperationException($"{server.Name} did not become ready; {server.LogPath} says more.");
            await Task.Delay(100, cancellationToken);
        }
    }

    private T Owned<T>(T part)
        where T : IAsyncDisposable
    {
        _owned.Push(part);
        return part;
    }
}
