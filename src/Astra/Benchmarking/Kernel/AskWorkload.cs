using System.Diagnostics;
using Astra.Kernel.Actors;

namespace Astra.Benchmarking.Kernel;

/// <summary>An actor asks another, awaits the answer and asks again; each question is timed on its own.</summary>
internal sealed class AskWorkload : IKernelWorkload
{
    private const int QuestionCount = 1_000_000;

    private readonly long[] _waits = new long[QuestionCount];

    public string Name => "ask";

    public async Task<IReadOnlyList<Measured>> RunAsync(CancellationToken cancellationToken)
    {
        using var runtime = new KernelRuntime();
        var answering = runtime.Actors.Spawn(new ActorOptions { Name = "answering", Create = () => new Answering() });
        var asking = runtime.Actors.Spawn(new ActorOptions { Name = "asking", Create = () => new Asking(answering, _waits) });

        // Both are compiled and awake before the count of allocations begins, which is taken on the asking turn.
        var allocated = await asking.AskAsync<long>(new object(), KernelSuite.Patience, cancellationToken);
        Array.Sort(_waits);
        return
        [
            new("p50", "us", Microseconds(_waits[QuestionCount / 2])),
            new("p99", "us", Microseconds(_waits[QuestionCount / 100 * 99])),
            new("allocated", "bytes/ask", (double)allocated / QuestionCount),
        ];
    }

    private static double Microseconds(long ticks) => ticks * 1e6 / Stopwatch.Frequency;

    private sealed class Asking(ActorRef answering, long[] waits) : Actor
    {
        protected override async ValueTask ReceiveAsync(object message, ActorTurn turn)
        {
            var allocated = GC.GetTotalAllocatedBytes(precise: true);
            for (var i = 0; i < waits.Length; i++)
            {
                var since = Stopwatch.GetTimestamp();
                await answering.AskAsync<object>(message, KernelSuite.Patience);
                waits[i] = Stopwatch.GetTimestamp() - since;
            }
            turn.Reply(GC.GetTotalAllocatedBytes(precise: true) - allocated);
        }
    }

    private sealed class Answering : Actor
    {
        protected override ValueTask ReceiveAsync(object message, ActorTurn turn)
        {
            turn.Reply(message);
            return default;
        }
    }
}
