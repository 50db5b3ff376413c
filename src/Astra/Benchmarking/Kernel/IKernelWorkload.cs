namespace Astra.Benchmarking.Kernel;

/// <summary>One thing to measure on the actor runtime.</summary>
internal interface IKernelWorkload
{
    string Name { get; }

    /// <summary>One run, from the start of its actors to the last of what it measures. The first is not counted.</summary>
    Task<IReadOnlyList<Measured>> RunAsync(CancellationToken cancellationToken);
}

/// <summary>What one run gave, under the name of its metric.</summary>
internal readonly record struct Measured(string Metric, string Unit, double Value);
