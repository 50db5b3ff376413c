namespace Astra.Kernel;

/// <summary>
/// Carries a question to another node and brings its answer. It may lose either, delay both or refuse, and nothing rests
/// on it: whoever asks can do without an answer, and whoever is asked can be asked twice.
/// </summary>
public interface IBus
{
    /// <summary>The question arrives at most once. Cancelling gives up the answer, not what the question causes.</summary>
    /// <exception cref="BusUnavailableException">There is no answer, and unless it says so nobody knows whether the question arrived.</exception>
    ValueTask<ReadOnlyMemory<byte>> AskAsync(NodeRegistration to, ReadOnlyMemory<byte> question, CancellationToken cancellationToken);

    /// <summary>From here on questions to this node are answered by <paramref name="answer"/>, until the result is disposed
    /// or the node serves anew.</summary>
    IDisposable Serve(NodeRegistration self, Func<ReadOnlyMemory<byte>, ValueTask<ReadOnlyMemory<byte>>> answer);
}

public sealed class BusUnavailableException : Exception
{
    public BusUnavailableException(string message)
        : base(message)
    {
    }

    public BusUnavailableException(string message, Exception cause)
        : base(message, cause)
    {
    }

    /// <summary>The question has reached nobody, and never will: there is nothing to be afraid of in asking somebody else.</summary>
    public bool HasReachedNobody { get; init; }
}
