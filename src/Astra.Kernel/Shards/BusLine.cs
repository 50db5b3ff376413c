namespace Astra.Kernel.Shards;

/// <summary>The bus with an end to its patience, on the node's own timers.</summary>
internal sealed class BusLine(IBus bus, IDispatcher dispatcher)
{
    /// <param name="givingUp">Ends the wait, not what the question causes.</param>
    /// <exception cref="BusUnavailableException">There is no answer; how far the question came is in the exception.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> AskAsync(NodeRegistration to, byte[] question, TimeSpan timeMax, CancellationToken givingUp = default)
    {
        // Never disposed: it has no timer and no handle, and the turn that ends it may come late.
        var patience = new CancellationTokenSource();
        // Cancelling runs what waits for it, and that is a turn's work and not a timer's.
        using var timer = dispatcher.Schedule(timeMax, () => dispatcher.Post(new EndOf(patience)));
        using var givenUp = givingUp.UnsafeRegister(static patience => ((CancellationTokenSource)patience!).Cancel(), patience);
        try
        {
            return await bus.AskAsync(to, question, patience.Token);
        }
        catch (OperationCanceledException e)
        {
            throw new BusUnavailableException($"no answer within {timeMax.TotalSeconds:0.#} seconds", e);
        }
    }

    private sealed class EndOf(CancellationTokenSource patience) : IThreadPoolWorkItem
    {
        public void Execute() => patience.Cancel();
    }
}
