namespace Astra.Kernel.InMemory;

/// <summary>The nodes of one process ask each other directly: the reference that every other bus is tested against.</summary>
public sealed class InMemoryBus : IBus
{
    private readonly Lock _gate = new();
    private readonly Dictionary<NodeId, Service> _services = [];

    public async ValueTask<ReadOnlyMemory<byte>> AskAsync(NodeRegistration to, ReadOnlyMemory<byte> question, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Service? service;
        lock (_gate)
            service = _services.GetValueOrDefault(to.Node);
        if (service is null)
            throw new BusUnavailableException($"Node {to.Node} does not answer.") { HasReachedNobody = true };

        // What the asker does with its bytes afterwards is not seen on the other side, as over any wire.
        var answering = Answer(service, question.ToArray()).AsTask();
        return await answering.WaitAsync(cancellationToken);
    }

    public IDisposable Serve(NodeRegistration self, Func<ReadOnlyMemory<byte>, ValueTask<ReadOnlyMemory<byte>>> answer)
    {
        var service = new Service(this, self.Node, answer);
        lock (_gate)
            _services[self.Node] = service;
        return service;
    }

    private static async ValueTask<ReadOnlyMemory<byte>> Answer(Service service, byte[] question)
    {
        try
        {
            return (await service.Answer(question)).ToArray();
        }
        catch (Exception e)
        {
            throw new BusUnavailableException($"Node {service.Node} could not answer: {e.Message}", e);
        }
    }

    private sealed class Service(InMemoryBus bus, NodeId node, Func<ReadOnlyMemory<byte>, ValueTask<ReadOnlyMemory<byte>>> answer) : IDisposable
    {
        public NodeId Node => node;
        public Func<ReadOnlyMemory<byte>, ValueTask<ReadOnlyMemory<byte>>> Answer => answer;

        // An earlier life that ends late must not silence the one that has replaced it.
        public void Dispose()
        {
            lock (bus._gate)
                if (bus._services.TryGetValue(node, out var current) && current == this)
                    bus._services.Remove(node);
        }
    }
}
