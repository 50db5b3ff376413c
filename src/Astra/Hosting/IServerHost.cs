using Astra.Sdk;

namespace Astra.Hosting;

/// <summary>
/// A server in this process. Disposing it stops everything it started, the private database included. A server that
/// cannot start throws a <see cref="CommandException"/> that says what to do, and leaves nothing running.
/// </summary>
public interface IServerHost : IAsyncDisposable
{
    /// <summary>Where it answers; known once started.</summary>
    Uri Address { get; }

    /// <summary>Completes when somebody asked the server, through its API, to stop, or when it has given itself up.</summary>
    Task StopRequested { get; }

    /// <summary>Why it has given itself up, in a sentence for the person who looks after it; null while it is well.</summary>
    string? Failure { get; }

    Task StartAsync(CancellationToken cancellationToken);
}

/// <summary>A way to a server that may be in another process.</summary>
public interface IServerLink : IAsyncDisposable
{
    IAstraClient Client { get; }

    /// <summary>POST /api/v1/server/stop. Returns when the server has agreed, not when it is gone.</summary>
    Task RequestStopAsync(CancellationToken cancellationToken);
}

/// <summary>One sentence for the person who typed the command, and the exit code that goes with it.</summary>
public sealed class CommandException(string sentence, int exitCode = 1, Exception? cause = null) : Exception(sentence, cause)
{
    public int ExitCode { get; } = exitCode;
}
