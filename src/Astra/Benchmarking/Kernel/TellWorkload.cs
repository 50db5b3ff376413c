using System.Diagnostics;
using Astra.Kernel.Actors;

namespace Astra.Benchmarking.Kernel;

/// <summary>
/// Some producers, one receiver. The producers are asynchronous methods that wait without a thread while the mailbox
/// is full; whoever only tries and comes back later measures his own loop.
/// </summary>
internal sealed class TellWorkload(string name, int producerCount) : IKernelWorkload
{
    private const int MessageCount = 20_000_000;

    public string Name => name;

    public async Task<IReadOnlyList<Measured>> RunAsync(CancellationToken cancellationToken)
    {
        using var runtime = new KernelRuntime();
        var received = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var each = MessageCount / producerCount;
        var receiver = runtime.Actors.Spawn(new ActorOptions { Name = "receiver", Create = () => new Receiver(each * producerCount, received) });
        await receiver.AskAsync<string>(Receiver.AreYouThere, KernelSuite.Patience, cancellationToken);

        var allocated = GC.GetTotalAllocatedBytes(precise: true);
        var since = Stopwatch.GetTimestamp();
        var message = new object();
        await Task.WhenAll(Enumerable.Range(0, producerCount).Select(_ => Task.Run(() => ProduceAsync(receiver, message, each), cancellationToken)));
        await received.Task.WaitAsync(cancellationToken);
        var elapsed = Stopwatch.GetElapsedTime(since);
        allocated = GC.GetTotalAllocatedBytes(precise: true) - allocated;
        return [new("rate", "msg/s", MessageCount / elapsed.TotalSeconds), new("allocated", "bytes/msg", (double)allocated / MessageCount)];
    }

    private static async Task ProduceAsync(ActorRef receiver, object message, int count)
    {
        for (var i = 0; i < count; i++)
        {
            // Almost every send completes at once; awaiting those too would measure the state machine.
            var sending = receiver.SendAsync(message);
            var result = sending.IsCompletedSuccessfully ? sending.Result : await sending;
            if (result != SendResult.Ok)
                throw new InvalidOperationException($"A message was not taken: {result}.");
        }
    }

    private sealed class Receiver(int expectedCount, TaskCompletionSource received) : Actor
    {
        public const string AreYouThere = "are you there?";

        private int _count;

        protected override ValueTask ReceiveAsync(object message, ActorTurn turn)
        {
            if (ReferenceEquals(message, AreYouThere))
                turn.Reply(AreYouThere);
            else if (++_count == expectedCount)
                received.SetResult();
            return default;
        }
    }
}
