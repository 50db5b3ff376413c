using System.Diagnostics;
using Astra.Kernel.Actors;

namespace Astra.Benchmarking.Kernel;

/// <summary>An actor asks another, awaits the answer and asks again; each question is timed on its own.</summary>
internal sealed class AskWorkload : IKernelWorkload
{
    private const int PartCount = 11;
    private const int PartLength = 100_000;
    private const int QuestionCount = PartCount * PartLength;

    public string Name => "ask";

    public async Task<IReadOnlyList<Measured>> RunAsync(CancellationToken cancellationToken)
    {
        var waits = new long[QuestionCount];
        using var runtime = new KernelRuntime();
        var answering = runtime.Actors.Spawn(new ActorOptions { Name = "answering", Create = () => new Answering() });
        var asking = runtime.Actors.Spawn(new ActorOptions { Name = "asking", Create = () => new Asking(answering, waits) });

        // Both are compiled and awake before the count of allocations begins, which is taken on the asking turn.
        var allocated = await asking.AskAsync<double>(new object(), KernelSuite.Patience, cancellationToken);
        Array.Sort(waits);
        return
        [
            new("p50", "us", Microseconds(waits[QuestionCount / 2])),
            new("p99", "us", Microseconds(waits[QuestionCount / 100 * 99])),
            new("allocated", "bytes/ask", allocated),
        ];
    }

    private static double Microseconds(long ticks) => ticks * 1e6 / Stopwatch.Frequency;

    private sealed class Asking(ActorRef answering, long[] waits) : Actor
    {
        protected override async ValueTask ReceiveAsync(object message, ActorTurn turn)
        {
            // In parts, of which the middle one counts: the runtime's total goes back when a collection gives up a heap.
            var perAsk = new double[PartCount];
            for (var part = 0; part < PartCount; part++)
            {
                var allocated = GC.GetTotalAllocatedBytes(precise: true);
                for (var i = part * PartLength; i < (part + 1) * PartLength; i++)
                {
                    var since = Stopwatch.GetTimestamp();
                    await answering.AskAsync<object>(message, KernelSuite.Patience);
                    waits[i] = Stopwatch.GetTimestamp() - since;
                }
                perAsk[part] = (GC.GetTotalAllocatedBytes(precise: true) - allocated) / (double)PartLength;
            }
            Array.Sort(perAsk);
            turn.Reply(perAsk[PartCount / 2]);
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
