using Astra.Kernel.InMemory;

namespace Astra.Kernel.Tests.Simulation;

/// <summary>The bus of a <see cref="World"/>: keeps the questions that nodes asked each other.</summary>
internal sealed class HeardBus : IBus
{
    private readonly InMemoryBus _bus = new();

    public bool IsDown { get; set; }

    public List<byte[]> Questions { get; } = [];

    public ValueTask<ReadOnlyMemory<byte>> AskAsync(NodeRegistration to, ReadOnlyMemory<byte> question, CancellationToken cancellationToken)
    {
        Questions.Add(question.ToArray());
        return IsDown ? throw new BusUnavailableException("The nodes do not reach each other.") : _bus.AskAsync(to, question, cancellationToken);
    }

    public IDisposable Serve(NodeRegistration self, Func<ReadOnlyMemory<byte>, ValueTask<ReadOnlyMemory<byte>>> answer) => _bus.Serve(self, answer);
}
