using Astra.Kernel;
using Astra.Testing.Time;

namespace Astra.Simulation;

/// <summary>
/// The network between nodes. A question may be lost, late or refused; one that arrived takes effect whether or not its
/// asker lives to hear of it, and a node that has crashed or is paused says nothing at all.
/// </summary>
internal sealed class FaultyBus(VirtualDispatcher wire, Func<BusFaults> faults, IRandomness dice, Verdict verdict)
{
    private readonly Dictionary<NodeId, Service> _services = [];

    public long AnswerCount { get; private set; }

    public IBus For(SimulatedProcess process) => new Port(this, process);

    private async ValueTask<ReadOnlyMemory<byte>> AskAsync(NodeRegistration to, ReadOnlyMemory<byte> question, CancellationToken cancellationToken)
    {
        var answer = new TaskCompletionSource<ReadOnlyMemory<byte>>();
        var (isLost, isAnswerLost, isRefused) = (dice.Chance(faults().LossShare), dice.Chance(faults().LostAnswerShare), dice.Chance(faults().RefusalShare));
        if (!isLost)
            wire.Schedule(Latency(), Arrive);
        return await answer.Task.WaitAsync(cancellationToken);

        void Arrive()
        {
            if (isRefused || !_services.TryGetValue(to.Node, out var service) || service.Process.HasCrashed)
            {
                wire.Schedule(Latency(), () => answer.TrySetException(new BusUnavailableException("The connection was refused.")));
                return;
            }
            service.Process.Post(() => verdict.Watch(async () =>
            {
                var given = await service.Answer(question);
                if (isAnswerLost)
                    return;
                wire.Schedule(Latency(), () =>
                {
                    if (answer.TrySetResult(given))
                        AnswerCount++;
                });
            }));
        }
    }

    private TimeSpan Latency() => faults().LatencyMax * dice.NextDouble();

    private sealed class Port(FaultyBus bus, SimulatedProcess process) : IBus
    {
        public ValueTask<ReadOnlyMemory<byte>> AskAsync(NodeRegistration to, ReadOnlyMemory<byte> question, CancellationToken cancellationToken) =>
            bus.AskAsync(to, question, cancellationToken);

        public IDisposable Serve(NodeRegistration self, Func<ReadOnlyMemory<byte>, ValueTask<ReadOnlyMemory<byte>>> answer)
        {
            var service = new Service(bus, self.Node, process, answer);
            bus._services[self.Node] = service;
            return service;
        }
    }

    private sealed class Service(FaultyBus bus, NodeId node, SimulatedProcess process, Func<ReadOnlyMemory<byte>, ValueTask<ReadOnlyMemory<byte>>> answer) : IDisposable
    {
        public SimulatedProcess Process => process;
        public Func<ReadOnlyMemory<byte>, ValueTask<ReadOnlyMemory<byte>>> Answer => answer;

        public void Dispose()
        {
            if (bus._services.TryGetValue(node, out var current) && current == this)
                bus._services.Remove(node);
        }
    }
}
