namespace Astra.Benchmarking.Kernel;

/// <summary>
/// Actors in this process, on the runtime that the server uses with its defaults: bounded mailboxes of 1024,
/// supervision, dead letters, metrics and all. Each workload runs once before it is measured, so that it is compiled.
/// </summary>
internal sealed class KernelSuite(Action<string> progress)
{
    public const string Name = "kernel";

    /// <summary>Nothing here takes long; who waits longer than this waits for ever.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private static readonly IReadOnlyList<IKernelWorkload> Known =
    [
        new TellWorkload("tell1", producerCount: 1),
        new TellWorkload("tell8", producerCount: 8),
        new PingPongWorkload("pingpong1", pairCount: 1),
        new PingPongWorkload("pingpong16", pairCount: 16),
        new AskWorkload(),
        new SpawnWorkload(),
        new SkynetWorkload(),
        new FairnessWorkload(),
    ];

    /// <summary>Every workload this suite knows, in the order it runs them.</summary>
    public static readonly IReadOnlyList<string> Workloads = [.. Known.Select(workload => workload.Name)];

    public async Task<IReadOnlyList<Figure>> RunAsync(string name, int runCount, CancellationToken cancellationToken)
    {
        var workload = Known.First(workload => workload.Name == name);
        progress($"{name}: {runCount} runs after one to warm up");
        await workload.RunAsync(cancellationToken);

        var runs = new List<IReadOnlyList<Measured>>();
        for (var run = 1; run <= runCount; run++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            GC.Collect();
            runs.Add(await workload.RunAsync(cancellationToken));
        }
        return [.. runs[0].Select((first, i) => new Figure(Name, name, first.Metric, first.Unit, [.. runs.Select(run => run[i].Value)]))];
    }
}
