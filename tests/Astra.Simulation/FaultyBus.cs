using Astra.Kernel;
using Astra.Testing.Time;

namespace Astra.Simulation;

/// <summary>
/// The network between nodes. A question may be lost, late or refused; one that arrived takes effect whether or not its
/// asker lives to hear of it, and a node that has crashed or is paused says nothing at all.
/// </summary>
internal sealed class FaultyBus(VirtualDispatcher wire, Func<BusFaults> faults, FaultCounts counts, IRandomness dice, Verdict verdict)
{
    private readonly Dictionary<NodeId, Service> _services = [];

    public long AnswerCount { get; private set; }

    /// <param name="crash">Kills the process within its next few turns.</param>
    public IBus For(SimulatedProcess process, Action crash) => new Port(this, process, crash);

    private async ValueTask<ReadOnlyMemory<byte>> AskAsync(Action crashAsker, NodeRegistration to, ReadOnlyMemory<byte> question, CancellationToken cancellationToken)
    {
        var answer = new TaskCompletionSource<ReadOnlyMemory<byte>>();
        var (isLost, isAnswerLost, isRefused) = (dice.Chance(faults().LossShare), dice.Chance(faults().LostAnswerShare), dice.Chance(faults().RefusalShare));
        var (comesTwice, isDeadly, asksNoMore) = (dice.Chance(faults().TwiceShare), dice.Chance(faults().CrashShare), dice.Chance(0.5));
        if (isLost)
            counts.Strike(Fault.LostQuestion);
        else
            wire.Schedule(Latency(), Arrive);
        if (!isLost && comesTwice)
        {
            counts.Strike(Fault.RepeatedQuestion);
            wire.Schedule(Latency(), Arrive);
        }
        if (isDeadly)
            counts.Strike(Fault.DeadlyQuestion);
        if (isDeadly && asksNoMore)
            crashAsker();
        return await answer.Task.WaitAsync(cancellationToken);

        void Arrive()
        {
            if (isRefused)
                counts.Strike(Fault.RefusedQuestion);
            if (isRefused || !_services.TryGetValue(to.Node, out var service) || service.Process.HasCrashed)
            {
                wire.Schedule(Latency(), () => answer.TrySetException(new BusUnavailableException("The connection was refused.")));
                return;
            }
            if (isDeadly && !asksNoMore)
                service.Crash();
            service.Process.Post(() => verdict.Watch(async () =>
            {
                var given = await service.Answer(question);
                if (isAnswerLost)
                {
                    counts.Strike(Fault.LostAnswer);
                    return;
                }
                wire.Schedule(Latency(), () =>
                {
                    if (answer.TrySetResult(given))
                        AnswerCount++;
                });
            }));
        }
    }

    private TimeSpan Latency() => faults().LatencyMax * dice.NextDouble();

    private sealed class Port(FaultyBus bus, SimulatedProcess process, Action crash) : IBus
    {
        public ValueTask<ReadOnlyMemory<byte>> AskAsync(NodeRegistration to, ReadOnlyMemory<byte> question, CancellationToken cancellationToken) =>
            bus.AskAsync(crash, to, question, cancellationToken);

        public IDisposable Serve(NodeRegistration self, Func<ReadOnlyMemory<byte>, ValueTask<ReadOnlyMemory<byte>>> answer)
        {
            var service = new Service(bus, self.Node, process, crash, answer);
            bus._services[self.Node] = service;
            return service;
        }
    }

    private sealed class Service(FaultyBus bus, NodeId node, SimulatedProcess process, Action crash, Func<ReadOnlyMemory<byte>, ValueTask<ReadOnlyMemory<byte>>> answer) : IDisposable
    {
        public SimulatedProcess Process => process;
        public Action Crash => crash;
        public Func<ReadOnlyMemory<byte>, ValueTask<ReadOnlyMemory<byte>>> Answer => answer;

        public void Dispose()
        {
            if (bus._services.TryGetValue(node, out var current) && current == this)
                bus._services.Remove(node);
        }
    }
}
