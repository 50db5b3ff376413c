using Astra.Kernel;
using Astra.Kernel.Actors;

namespace Astra.Benchmarking.Kernel;

/// <summary>The actor runtime as the server has it: the same dispatcher, clock and dice, and nothing but defaults.</summary>
internal sealed class KernelRuntime : IDisposable
{
    private readonly ThreadPoolDispatcher _dispatcher = new();

    public KernelRuntime() => Actors = new ActorSystem(_dispatcher, new SystemClock(), new SystemRandomness());

    public ActorSystem Actors { get; }

    /// <summary>
    /// The actors are not stopped one by one: a million farewells after a run of half a second would be most of the
    /// benchmark. They are idle when a run has ended, so dropping them is enough.
    /// </summary>
    public void Dispose() => _dispatcher.Dispose();
}
