using System.Net.Http;
using System.Net.Sockets;
using Astra.Commands;
using Astra.Governance;
using Astra.Hosting;
using Astra.Kernel;
using Astra.Postgres;
using Astra.Postgres.Cluster;
using Astra.Sdk;

namespace Astra;

/// <summary>What went wrong, as one sentence with what to do, and the exit code.</summary>
public static class Sentences
{
    private const int DiskFull = 28; // ENOSPC, on Linux and on macOS

    public static (string Sentence, int ExitCode) Of(Exception exception)
    {
        for (var e = exception; e is not null; e = e.InnerException)
        {
            switch (e)
            {
                case CommandException command:
                    return (command.Message, command.ExitCode);
                case AstraException { RetryAfter: { } wait } refusal:
                    return ($"{refusal.Message} Try again in {Math.Ceiling(wait.TotalSeconds):0} s.", ExitCodes.Error);
                case AstraException refusal:
                    return (refusal.Message, ExitCodes.Error);
                case ClusterException or DatabaseException or SecretKeyException:
                    return (e.Message, ExitCodes.Error);
                case JournalUnavailableException:
                    return ($"{e.Message} Type the same command again when the database answers; it goes on where it was.", ExitCodes.Error);
                case OperationCanceledException:
                    return ("Interrupted.", ExitCodes.Interrupted);
                case SocketException { SocketErrorCode: SocketError.AddressAlreadyInUse }:
                    return ("The port is in use by another program; choose another with --port, or stop that program.", ExitCodes.Error);
                case SocketException { SocketErrorCode: SocketError.AddressNotAvailable }:
                    return ("This machine has no such address to listen on; correct --listen.", ExitCodes.Error);
            }

            if (IsDiskFull(e))
                return ("The disk is full; free some space and type the same command again, it goes on where it was.", ExitCodes.Error);
        }

        return exception switch
        {
            HttpRequestException => ("The server stopped answering; `astra status` says whether it still runs.", ExitCodes.Error),
            UnauthorizedAccessException => ($"Not permitted: {exception.Message}", ExitCodes.Error),
            _ => ($"Unexpected: {exception.Message.ReplaceLineEndings(" ")} (run again with --verbose to see where)", ExitCodes.Error),
        };
    }

    public static bool IsDiskFull(Exception exception) => exception is IOException { HResult: DiskFull };
}
