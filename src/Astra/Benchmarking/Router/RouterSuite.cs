using System.Diagnostics;
using System.Globalization;
using Astra.Sdk;
using Astra.Tools.Programs;

namespace Astra.Benchmarking.Router;

/// <summary>
/// Requests for a model: direct to an upstream of this suite's own, through a proxy that does nothing, and through the router of a
/// server with the defaults that users get. Upstream, proxy, server and client are processes of their own.
/// </summary>
internal sealed class RouterSuite : IAsyncDisposable
{
    public const string Name = "router";

    public static readonly IReadOnlyList<string> Workloads = ["route", "route-128", "route-open", "cache-hit", "stream", "soak", CapWorkload.Name];

    private const int Connections = 32;
    private const int ManyConnections = 128;
    private const int Streams = 16;

    /// <summary>A third of what must be reached: a server that is asked as much as it can do is measured by the closed loop.</summary>
    private const int OpenPerSecond = 5_000;

    // The first workload warms the server up for all: its code is compiled for good after some hundred thousand requests.
    private static readonly TimeSpan ColdWarmUp = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RunTime = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan SamplePeriod = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan StartTimeMax = TimeSpan.FromSeconds(30);

    private readonly SeparateServer _server;
    private readonly IReadOnlyList<TrustedProgram> _programs;
    private readonly int _upstreamPort;
    private readonly int _proxyPort;
    private readonly Action<string> _progress;
    private readonly TimeSpan _soakTime;
    private bool _isWarm;

    private RouterSuite(SeparateServer server, IReadOnlyList<TrustedProgram> programs, int upstreamPort, int proxyPort, TimeSpan soakTime, Action<string> progress) =>
        (_server, _programs, _upstreamPort, _proxyPort, _soakTime, _progress) = (server, programs, upstreamPort, proxyPort, soakTime, progress);

    public static readonly TimeSpan SoakTimeDefault = TimeSpan.FromSeconds(10);

    public static async Task<RouterSuite> StartAsync(SeparateServer server, TimeSpan soakTime, Action<string> progress, CancellationToken cancellationToken)
    {
        var programs = new List<TrustedProgram>();
        try
        {
            var upstreamPort = await StartAsync(programs, [MockUpstream.Verb], cancellationToken);
            var proxyPort = await StartAsync(programs, [PlainProxy.Verb, upstreamPort.ToString(CultureInfo.InvariantCulture)], cancellationToken);
            await server.Session.Client.SetProviderAsync("bench", new ProviderRequest(ProviderProtocol.Openai, $"http://127.0.0.1:{upstreamPort}/v1", [new ModelSpec("m")]), cancellationToken);
            return new RouterSuite(server, programs, upstreamPort, proxyPort, soakTime, progress);
        }
        catch
        {
            programs.ForEach(program => program.Dispose());
            throw;
        }
    }

    /// <returns>The port that the program says it listens on.</returns>
    private static async Task<int> StartAsync(List<TrustedProgram> programs, IReadOnlyList<string> words, CancellationToken cancellationToken)
    {
        var program = TrustedProgram.StartSelf(words);
        programs.Add(program);
        var began = Stopwatch.GetTimestamp();
        int port;
        while (!int.TryParse(program.LastLines.Split(' ')[^1], out port))
        {
            if (program.HasEnded || Stopwatch.GetElapsedTime(began) > StartTimeMax)
                throw new InvalidOperationException($"{words[0]}, to measure against, did not start: {program.LastLines}");
            await Task.Delay(20, cancellationToken);
        }
        return port;
    }

    public Task<IReadOnlyList<Figure>> RunAsync(string workload, int runCount, CancellationToken cancellationToken) => workload switch
    {
        "route" => RouteAsync(runCount, cancellationToken),
        "route-128" => ManyAsync(runCount, cancellationToken),
        "route-open" => OpenAsync(runCount, cancellationToken),
        "cache-hit" => CachedAsync(runCount, cancellationToken),
        "stream" => StreamAsync(runCount, cancellationToken),
        CapWorkload.Name => new CapWorkload(_server, _progress).RunAsync(runCount, cancellationToken),
        _ => SoakAsync(cancellationToken),
    };

    public ValueTask DisposeAsync()
    {
        foreach (var program in _programs)
            program.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<IReadOnlyList<Figure>> RouteAsync(int runCount, CancellationToken cancellationToken)
    {
        var (rates, plain, direct, added, plainAdded, cpu) = (new List<double>(), new List<double>(), new List<double>(), new List<double>(), new List<double>(), new List<double>());
        await WarmUpAsync(time => LoopAsync(Connections, time, Way.Routed, cancellationToken));
        await LoopAsync(Connections, RunTime, Way.Proxied, cancellationToken);
        for (var run = 1; run <= runCount; run++)
        {
            _progress($"route: run {run} of {runCount}");
            var before = _server.ProcessorTime;
            var through = await LoopAsync(Connections, RunTime, Way.Routed, cancellationToken);
            cpu.Add((_server.ProcessorTime - before).TotalMicroseconds / through.Times.Count);
            rates.Add(through.Times.Count / through.Elapsed.TotalSeconds);
            plain.Add(await RateAsync(Way.Proxied, cancellationToken));
            direct.Add(await RateAsync(Way.Direct, cancellationToken));
            var oneBare = await OneAsync(Way.Direct, cancellationToken);
            added.Add(await OneAsync(Way.Routed, cancellationToken) - oneBare);
            plainAdded.Add(await OneAsync(Way.Proxied, cancellationToken) - oneBare);
        }
        return
        [
            new Figure(Name, "route", "rate", "requests/s", rates), new Figure(Name, "route", "plain-rate", "requests/s", plain), new Figure(Name, "route", "direct-rate", "requests/s", direct),
            new Figure(Name, "route", "added-p50", "ms", added), new Figure(Name, "route", "plain-added-p50", "ms", plainAdded), new Figure(Name, "route", "cpu", "us/request", cpu),
        ];

        async Task<double> RateAsync(Way way, CancellationToken token)
        {
            var (times, elapsed) = await LoopAsync(Connections, RunTime / 2, way, token);
            return times.Count / elapsed.TotalSeconds;
        }

        async Task<double> OneAsync(Way way, CancellationToken token) => Percentile((await LoopAsync(1, RunTime / 4, way, token)).Times, 0.5);
    }

    private async Task<IReadOnlyList<Figure>> ManyAsync(int runCount, CancellationToken cancellationToken)
    {
        var (p99, plain99) = (new List<double>(), new List<double>());
        await WarmUpAsync(time => LoopAsync(ManyConnections, time, Way.Routed, cancellationToken));
        await LoopAsync(ManyConnections, RunTime / 2, Way.Proxied, cancellationToken);
        for (var run = 1; run <= runCount; run++)
        {
            _progress($"route-128: run {run} of {runCount}");
            p99.Add(Percentile((await LoopAsync(ManyConnections, RunTime, Way.Routed, cancellationToken)).Times, 0.99));
            plain99.Add(Percentile((await LoopAsync(ManyConnections, RunTime / 4, Way.Proxied, cancellationToken)).Times, 0.99));
        }
        return [new Figure(Name, "route-128", "p99", "ms", p99), new Figure(Name, "route-128", "plain-p99", "ms", plain99)];
    }

    private async Task<IReadOnlyList<Figure>> OpenAsync(int runCount, CancellationToken cancellationToken)
    {
        var (p50, p99, bare99) = (new List<double>(), new List<double>(), new List<double>());
        await WarmUpAsync(time => AtRateAsync(time, Way.Routed, cancellationToken));
        for (var run = 1; run <= runCount; run++)
        {
            _progress($"route-open: run {run} of {runCount}");
            var (through, bare) = (await AtRateAsync(RunTime, Way.Routed, cancellationToken), await AtRateAsync(RunTime / 3, Way.Direct, cancellationToken));
            p50.Add(Percentile(through, 0.5));
            p99.Add(Percentile(through, 0.99));
            bare99.Add(Percentile(bare, 0.99));
        }
        return [new Figure(Name, "route-open", "p50", "ms", p50), new Figure(Name, "route-open", "p99", "ms", p99), new Figure(Name, "route-open", "direct-p99", "ms", bare99)];
    }

    /// <summary>The same request again and again, answered from memory; the upstream is asked once.</summary>
    private async Task<IReadOnlyList<Figure>> CachedAsync(int runCount, CancellationToken cancellationToken)
    {
        var (rates, cpu) = (new List<double>(), new List<double>());
        await WarmUpAsync(time => LoopAsync(Connections, time, Way.Routed, cancellationToken, isCached: true));
        for (var run = 1; run <= runCount; run++)
        {
            _progress($"cache-hit: run {run} of {runCount}");
            var before = _server.ProcessorTime;
            var hits = await LoopAsync(Connections, RunTime, Way.Routed, cancellationToken, isCached: true);
            cpu.Add((_server.ProcessorTime - before).TotalMicroseconds / hits.Times.Count);
            rates.Add(hits.Times.Count / hits.Elapsed.TotalSeconds);
        }
        return [new Figure(Name, "cache-hit", "rate", "requests/s", rates), new Figure(Name, "cache-hit", "cpu", "us/request", cpu)];
    }

    private async Task<IReadOnlyList<Figure>> StreamAsync(int runCount, CancellationToken cancellationToken)
    {
        var (first, gaps) = (new List<double>(), new List<double>());
        await WarmUpAsync(time => StreamsAsync(time, Way.Routed, cancellationToken));
        for (var run = 1; run <= runCount; run++)
        {
            _progress($"stream: run {run} of {runCount}");
            var (bare, through) = (await StreamsAsync(RunTime / 2, Way.Direct, cancellationToken), await StreamsAsync(RunTime / 2, Way.Routed, cancellationToken));
            first.Add(Percentile(through.First, 0.5) - Percentile(bare.First, 0.5));
            gaps.Add(Percentile(through.Gaps, 0.5) - Percentile(bare.Gaps, 0.5));
        }
        return [new Figure(Name, "stream", "added-ttft-p50", "ms", first), new Figure(Name, "stream", "added-chunk-p50", "ms", gaps)];
    }

    /// <summary>Whole answers and streams at once for a while: what the server holds when it is warm, at most, and at the end.</summary>
    private async Task<IReadOnlyList<Figure>> SoakAsync(CancellationToken cancellationToken)
    {
        _progress($"soak: {_soakTime.TotalSeconds:0} s");
        var load = Task.WhenAll(LoopAsync(Connections, _soakTime, Way.Routed, cancellationToken), StreamsAsync(_soakTime, Way.Routed, cancellationToken));
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

    private async Task<List<double>> AtRateAsync(TimeSpan duration, Way way, CancellationToken cancellationToken)
    {
        var clients = await ConnectAsync(ManyConnections, way, isStream: false, isCached: false, cancellationToken);
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

    private async Task<(List<double> Times, TimeSpan Elapsed)> LoopAsync(
        int connections, TimeSpan duration, Way way, CancellationToken cancellationToken, bool isCached = false)
    {
        var clients = await ConnectAsync(connections, way, isStream: false, isCached, cancellationToken);
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

    private async Task<(List<double> First, List<double> Gaps)> StreamsAsync(TimeSpan duration, Way way, CancellationToken cancellationToken)
    {
        var clients = await ConnectAsync(Streams, way, isStream: true, isCached: false, cancellationToken);
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

    private async Task<RouterClient[]> ConnectAsync(int count, Way way, bool isStream, bool isCached, CancellationToken cancellationToken) => await Task.WhenAll(
        Enumerable.Range(0, count).Select(_ => RouterClient.ConnectAsync(
            way switch { Way.Direct => _upstreamPort, Way.Proxied => _proxyPort, _ => _server.Address.Port }, way == Way.Routed ? "bench/m" : "m", way == Way.Routed ? _server.ApiKey : null, isStream, isCached,
            cancellationToken)));

    private Task WarmUpAsync(Func<TimeSpan, Task> load)
    {
        var time = _isWarm ? WarmUp : ColdWarmUp;
        _isWarm = true;
        return load(time);
    }

    private static double Percentile(List<double> values, double share)
    {
        if (values.Count == 0)
            throw new InvalidOperationException("Nothing was measured.");
        values.Sort();
        return values[Math.Min((int)(values.Count * share), values.Count - 1)];
    }

    private enum Way
    {
        Direct,
        Proxied,
        Routed,
    }
}
