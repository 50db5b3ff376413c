using Astra.Kernel;
using Astra.Kernel.InMemory;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Testing.Time;

namespace Astra.Simulation;

/// <summary>
/// The database's side of the wire. A request that was sent is carried out whether or not its sender lives to hear of it;
/// it may be refused, or its reply may be lost, or its sender may die of it.
/// </summary>
internal sealed class FaultyStore(VirtualDispatcher database, InMemoryStore store, Func<StoreFaults> faults, FaultCounts counts, IRandomness dice)
{
    public InMemoryStore Store => store;

    /// <summary>Until then nothing answers.</summary>
    public TimeSpan DownUntil { get; set; }

    public ValueTask<T> CallAsync<T>(Func<ValueTask<T>> execute, Action crashSender)
    {
        var reply = new TaskCompletionSource<T>();
        var (isRefused, isLost, isDeadly) = (dice.Chance(faults().ErrorShare), dice.Chance(faults().LostReplyShare), dice.Chance(faults().CrashShare));
        // It may die of the call at once, so that nobody knows whether it was carried out, or of its reply.
        var diesEarly = isDeadly && dice.Chance(0.5);
        if (isDeadly)
            counts.Strike(Fault.DeadlyCall);
        if (diesEarly)
            crashSender();
        database.Schedule(Latency(), () =>
        {
            if (isRefused || database.Clock.Elapsed < DownUntil)
            {
                counts.Strike(Fault.StoreError);
                Answer(() => reply.SetException(new JournalUnavailableException("The connection was refused.")));
                return;
            }
            var result = Now(execute());
            if (isLost)
                counts.Strike(Fault.LostReply);
            Answer(() =>
            {
                if (isLost)
                    reply.SetException(new JournalUnavailableException("The connection was lost after the request was sent."));
                else
                    reply.SetResult(result);
            });
        });
        return new ValueTask<T>(reply.Task);

        void Answer(Action settle) => database.Schedule(Latency(), () =>
        {
            settle();
            if (isDeadly && !diesEarly)
                crashSender();
        });
    }

    private TimeSpan Latency() => faults().LatencyMax * dice.NextDouble();

    private static T Now<T>(ValueTask<T> inMemory)
    {
#pragma warning disable VSTHRD002 // The store in memory never awaits.
        return inMemory.AsTask().GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
    }
}
