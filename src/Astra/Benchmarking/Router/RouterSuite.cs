using System.Diagnostics;
using Astra.Sdk;
using Astra.Tools.Programs;

namespace Astra.Benchmarking.Router;

/// <summary>
/// Requests for a model: direct to an upstream of this suite's own, and through the router of a server with the defaults that
/// users get. Upstream, server and client are three processes.
/// </summary>
internal sealed class RouterSuite : IAsyncDisposable
{
    public const string Name = "router";

    public static readonly IReadOnlyList<string> Workloads = ["route", "route-128", "route-open", "stream", "soak", CapWorkload.Name];

    /// <summary>Rows of the table that need what is not here.</summary>
    public static readonly IReadOnlyList<(string Workload, string Reason)> NotHere =
        [("cache-hit", "this build has no cache of answers")];

    private const int Connections = 32;
    private const int ManyConnections = 128;
    private const int Streams = 16;

    /// <summary>A third of what must be reached: a server that is asked as much as it can do is measured by the closed loop.</summary>
    private const int OpenPerSecond = 5_000;
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan RunTime = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan SamplePeriod = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan StartTimeMax = TimeSpan.FromSeconds(30);

    private readonly SeparateServer _server;
    private readonly TrustedProgram _upstream;
    private readonly int _upstreamPort;
    private readonly Action<string> _progress;
    private readonly TimeSpan _soakTime;

    private RouterSuite(SeparateServer server, TrustedProgram upstream, int upstreamPort, TimeSpan soakTime, Action<string> progress) =>
        (_server, _upstream, _upstreamPort, _soakTime, _progress) = (server, upstream, upstreamPort, soakTime, progress);

    public static readonly TimeSpan SoakTimeDefault = TimeSpan.FromSeconds(20);

    public static async Task<RouterSuite> StartAsync(SeparateServer server, TimeSpan soakTime, Action<string> progress, CancellationToken cancellationToken)
    {
        var upstream = TrustedProgram.StartSelf([MockUpstream.Verb]);
        try
        {
            var began = Stopwatch.GetTimestamp();
            int port;
            while (!int.TryParse(upstream.LastLines.Split(' ')[^1], out port))
            {
                if (upstream.HasEnded || Stopwatch.GetElapsedTime(began) > StartTimeMax)
                    throw new InvalidOperationException($"The upstream to measure against did not start: {upstream.LastLines}");
                await Task.Delay(20, cancellationToken);
            }
            await server.Session.Client.SetProviderAsync("bench", new ProviderRequest(ProviderProtocol.Openai, $"http://127.0.0.1:{port}/v1", [new ModelSpec("m")]), cancellationToken);
            return new RouterSuite(server, upstream, port, soakTime, progress);
        }
        catch
        {
            upstream.Dispose();
            throw;
        }
    }

    public Task<IReadOnlyList<Figure>> RunAsync(string workload, int runCount, CancellationToken cancellationToken) => workload switch
    {
        "route" => RouteAsync(runCount, cancellationToken),
        "route-128" => ManyAsync(runCount, cancellationToken),
        "route-open" => OpenAsync(runCount, cancellationToken),
        "stream" => StreamAsync(runCount, cancellationToken),
        CapWorkload.Name => new CapWorkload(_server, _progress).RunAsync(runCount, cancellationToken),
        _ => SoakAsync(cancellationToken),
    };

    public ValueTask DisposeAsync()
    {
        _upstream.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<IReadOnlyList<Figure>> RouteAsync(int runCount, CancellationToken cancellationToken)
    {
        var (rates, direct, added, cpu) = (new List<double>(), new List<double>(), new List<double>(), new List<double>());
        await LoopAsync(Connections, WarmUp, isDirect: false, cancellationToken);
        for (var run = 1; run <= runCount; run++)
        {
            _progress($"route: run {run} of {runCount}");
            var before = _server.ProcessorTime;
            var through = await LoopAsync(Connections, RunTime, isDirect: false, cancellationToken);
            cpu.Add((_server.ProcessorTime - before).TotalMicroseconds / through.Times.Count);
            rates.Add(through.Times.Count / through.Elapsed.TotalSeconds);
            var bare = await LoopAsync(Connections, RunTime / 3, isDirect: true, cancellationToken);
            direct.Add(bare.Times.Count / bare.Elapsed.TotalSeconds);
            var (one, oneBare) = (await LoopAsync(1, RunTime / 3, isDirect: false, cancellationToken), await LoopAsync(1, RunTime / 3, isDirect: true, cancellationToken));
            added.Add(Percentile(one.Times, 0.5) - Percentile(oneBare.Times, 0.5));
        }
        return
        [
            new Figure(Name, "route", "rate", "requests/s", rates), new Figure(Name, "route", "direct-rate", "requests/s", direct),
            new Figure(Name, "route", "added-p50", "ms", added), new Figure(Name, "route", "cpu", "us/request", cpu),
        ];
    }

    private async Task<IReadOnlyList<Figure>> ManyAsync(int runCount, CancellationToken cancellationToken)
    {
        var p99 = new List<double>();
        await LoopAsync(ManyConnections, WarmUp, isDirect: false, cancellationToken);
        for (var run = 1; run <= runCount; run++)
        {
            _progress($"route-128: run {run} of {runCount}");
            p99.Add(Percentile((await LoopAsync(ManyConnections, RunTime, isDirect: false, cancellationToken)).Times, 0.99));
        }
        return [new Figure(Name, "route-128", "p99", "ms", p99)];
    }

    private async Task<IReadOnlyList<Figure>> OpenAsync(int runCount, CancellationToken cancellationToken)
    {
        var (p50, p99, bare99) = (new List<double>(), new List<double>(), new List<double>());
        await AtRateAsync(WarmUp, isDirect: false, cancellationToken);
        for (var run = 1; run <= runCount; run++)
        {
            _progress($"route-open: run {run} of {runCount}");
            var (through, bare) = (await AtRateAsync(RunTime, isDirect: false, cancellationToken), await AtRateAsync(RunTime / 3, isDirect: true, cancellationToken));
            p50.Add(Percentile(through, 0.5));
            p99.Add(Percentile(through, 0.99));
            bare99.Add(Percentile(bare, 0.99));
        }
        return [new Figure(Name, "route-open", "p50", "ms", p50), new Figure(Name, "route-open", "p99", "ms", p99), new Figure(Name, "route-open", "direct-p99", "ms", bare99)];
    }

    private async Task<IReadOnlyList<Figure>> StreamAsync(int runCount, CancellationToken cancellationToken)
    {
        var (first, gaps) = (new List<double>(), new List<double>());
        await StreamsAsync(WarmUp, isDirect: false, cancellationToken);
        for (var run = 1; run <= runCount; run++)
        {
            _progress($"stream: run {run} of {runCount}");
            var (bare, through) = (await StreamsAsync(RunTime / 2, isDirect: true, cancellationToken), await StreamsAsync(RunTime / 2, isDirect: false, cancellationToken));
            first.Add(Percentile(through.First, 0.5) - Percentile(bare.First, 0.5));
            gaps.Add(Percentile(through.Gaps, 0.5) - Percentile(bare.Gaps, 0.5));
        }
        return [new Figure(Name, "stream", "added-ttft-p50", "ms", first), new Figure(Name, "stream", "added-chunk-p50", "ms", gaps)];
    }

    /// <summary>Whole answers and streams at once for a while: what the server holds when it is warm, at most, and at the end.</summary>
    private async Task<IReadOnlyList<Figure>> SoakAsync(CancellationToken cancellationToken)
    {
        _progress($"soak: {_soakTime.TotalSeconds:0} s");
        var load = Task.WhenAll(LoopAsync(Connections, _soakTime, isDirect: false, cancellationToken), StreamsAsync(_soakTime, isDirect: false, cancellationToken));
        var resident = new List<double>();
        await Task.WhenAny(load, Task.Delay(_soakTime / 10, cancellationToken));
        while (!load.IsCompleted)
        {
            resident.Add(await ResidentAsync(cancellationToken));
            await Task.WhenAny(load, Task.Delay(SamplePeriod, cancellationToken));
        }
        await load;
        resident.Add(await ResidentAsync(cancellationToken));
        return
        [
            new Figure(Name, "soak", "resident", "MB", [resident[^1]]), new Figure(Name, "soak", "resident-start", "MB", [resident[0]]),
            new Figure(Name, "soak", "resident-most", "MB", [resident.Max()]),
        ];
    }

    private async Task<double> ResidentAsync(CancellationToken cancellationToken) =>
        (await _server.Session.Client.GetStatusAsync(cancellationToken)).ResidentBytes / (1024.0 * 1024);

    private async Task<List<double>> AtRateAsync(TimeSpan duration, bool isDirect, CancellationToken cancellationToken)
    {
        var clients = await ConnectAsync(ManyConnections, isDirect, isStream: false, cancellationToken);
        try
        {
            return await OpenLoop.RunAsync(clients, OpenPerSecond, duration, cancellationToken);
        }
        finally
        {
            foreach (var client in clients)
                client.Dispose();
        }
    }

    private async Task<(List<double> Times, TimeSpan Elapsed)> LoopAsync(int connections, TimeSpan duration, bool isDirect, CancellationToken cancellationToken)
    {
        var clients = await ConnectAsync(connections, isDirect, isStream: false, cancellationToken);
        try
        {
            var since = Stopwatch.GetTimestamp();
            var times = await Task.WhenAll(clients.Select(client => Task.Run(async () =>
            {
                var mine = new List<double>();
                while (Stopwatch.GetElapsedTime(since) < duration)
                {
                    var asked = Stopwatch.GetTimestamp();
                    await client.AskAsync(cancellationToken);
                    mine.Add(Stopwatch.GetElapsedTime(asked).TotalMilliseconds);
                }
                return mine;
            }, cancellationToken)));
            return ([.. times.SelectMany(mine => mine)], Stopwatch.GetElapsedTime(since));
        }
        finally
        {
            foreach (var client in clients)
                client.Dispose();
        }
    }

    private async Task<(List<double> First, List<double> Gaps)> StreamsAsync(TimeSpan duration, bool isDirect, CancellationToken cancellationToken)
    {
        var clients = await ConnectAsync(Streams, isDirect, isStream: true, cancellationToken);
        try
        {
            var since = Stopwatch.GetTimestamp();
            var all = await Task.WhenAll(clients.Select(client => Task.Run(async () =>
            {
                var (first, gaps) = (new List<double>(), new List<double>());
                while (Stopwatch.GetElapsedTime(since) < duration)
                {
                    var (one, between) = await client.StreamAsync(cancellationToken);
                    first.Add(one.TotalMilliseconds);
                    gaps.AddRange(between);
                }
                return (first, gaps);
            }, cancellationToken)));
            return ([.. all.SelectMany(one => one.first)], [.. all.SelectMany(one => one.gaps)]);
        }
        finally
        {
            foreach (var client in clients)
                client.Dispose();
        }
    }

    private async Task<RouterClient[]> ConnectAsync(int count, bool isDirect, bool isStream, CancellationToken cancellationToken) => await Task.WhenAll(
        Enumerable.Range(0, count).Select(_ => RouterClient.ConnectAsync(
            isDirect ? _upstreamPort : _server.Address.Port, isDirect ? "m" : "bench/m", isDirect ? null : _server.ApiKey, isStream, cancellationToken)));

    private static double Percentile(List<double> values, double share)
    {
        if (values.Count == 0)
            throw new InvalidOperationException("Nothing was measured.");
        values.Sort();
        return values[Math.Min((int)(values.Count * share), values.Count - 1)];
    }
}
