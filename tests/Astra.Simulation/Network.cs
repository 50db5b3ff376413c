using Astra.Kernel;
using Astra.Testing.Time;

namespace Astra.Simulation;

/// <summary>What came back from a call: a value, or nothing, and then nobody knows what happened.</summary>
internal readonly record struct Reply<T>(bool IsKnown, T Value);

/// <summary>Calls from outside into a process. Messages take time; the connection to a process that crashes is reset, and one
/// that is paused simply does not answer.</summary>
internal sealed class Network(VirtualDispatcher outside, IRandomness dice, Verdict verdict)
{
    // Longer than any patience of the kernel's own, so that silence means a sleeping process.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan LatencyMax = TimeSpan.FromMilliseconds(20);

    public IDispatcher Outside => outside;

    public async Task<Reply<T>> CallAsync<T>(SimulatedProcess process, Func<ValueTask<T>> call)
    {
        var reply = new TaskCompletionSource<Reply<T>>();
        outside.Schedule(Latency(), () => process.Post(() => verdict.Watch(async () =>
        {
            var value = await call();
            outside.Schedule(Latency(), () => reply.TrySetResult(new Reply<T>(true, value)));
        })));
        using var timer = outside.Schedule(Patience, () => reply.TrySetResult(default));
        using var reset = process.WhenItCrashes(() => outside.Schedule(Latency(), () => reply.TrySetResult(default)));
        return await reply.Task;
    }

    public Task DelayAsync(TimeSpan delay) => DelayAsync(outside, delay);

    public static Task DelayAsync(IDispatcher where, TimeSpan delay)
    {
        var over = new TaskCompletionSource();
        where.Schedule(delay, over.SetResult);
        return over.Task;
    }

    private TimeSpan Latency() => LatencyMax * dice.NextDouble();
}
