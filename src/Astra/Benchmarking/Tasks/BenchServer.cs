using System.Diagnostics;
using Astra.Hosting;
using Astra.Sdk;

namespace Astra.Benchmarking.Tasks;

/// <summary>
/// The server that is measured, with a database of its own or one that was named, a worker that speaks the public
/// protocol to it, and an agent inside it. All of them, and PostgreSQL, share the cores.
/// </summary>
internal sealed class BenchServer : IAsyncDisposable
{
    // As many as the protocol allows one worker: with steps that do nothing, slots are how much may be under way to and
    // from a commit.
    private const int WorkerSlots = 1_000;

    private readonly Surroundings _surroundings;
    private readonly DataDirectory _data;
    private readonly string? _databaseUrl;
    private readonly CancellationTokenSource _ended = new();
    private readonly BenchAgent _later = new(BenchAgent.Later, Timeout.InfiniteTimeSpan);
    private ServerSession? _session;
    private AstraClient? _operator;
    private Task _working = Task.CompletedTask;

    private BenchServer(Surroundings surroundings, DataDirectory data, string? databaseUrl) =>
        (_surroundings, _data, _databaseUrl) = (surroundings, data, databaseUrl);

    public BenchAgent Remote { get; } = new(BenchAgent.Remote);
    public BenchAgent Inside { get; } = new(BenchAgent.Inside, FairWorkload.Work);
    public IAstraClient Client => _session!.Client;
    public AstraClient Operator => _operator!;

    public static async Task<BenchServer> StartAsync(Surroundings surroundings, DataDirectory data, string? databaseUrl, CancellationToken cancellationToken)
    {
        var server = new BenchServer(surroundings, data, databaseUrl);
        await server.OpenAsync([server.Inside], cancellationToken);
        var worker = new AstraWorker(server._session!.File.Address, data.ReadAdminKey()!) { Slots = WorkerSlots, DrainTimeMax = TimeSpan.Zero }.Add(server.Remote);
        server._working = worker.RunAsync(server._ended.Token);
        return server;
    }

    /// <summary>Stops the server and its database and starts them again, with somebody who runs what had to wait.</summary>
    /// <returns>From the beginning of the start to the first step, and to a server that has everything in memory.</returns>
    public async Task<(TimeSpan FirstDispatch, TimeSpan AllLoaded)> RestartAsync(CancellationToken cancellationToken)
    {
        await StopAsync();
        var since = Stopwatch.GetTimestamp();
        await OpenAsync([Inside, _later], cancellationToken);
        var loaded = Stopwatch.GetElapsedTime(since);
        return (Stopwatch.GetElapsedTime(since, await _later.First.Task.WaitAsync(cancellationToken)), loaded);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _ended.Dispose();
    }

    private async Task OpenAsync(IReadOnlyList<Agent> agents, CancellationToken cancellationToken)
    {
        _session = await new ServerAccess(_surroundings, _data, _databaseUrl, verbose: false) { Agents = agents }.OpenAsync(cancellationToken);
        _operator = new AstraClient(_session.File.Address, _data.ReadAdminKey()!);
    }

    private async Task StopAsync()
    {
        await _ended.CancelAsync();
        await _working;
        _operator?.Dispose();
        if (_session is not null)
            await _session.DisposeAsync();
        (_session, _operator) = (null, null);
    }
}
