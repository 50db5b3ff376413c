namespace Astra.Kernel.Actors;

/// <summary>The mailbox was at its bound and the message was not taken.</summary>
public sealed class MailboxFullException(string path) : Exception($"The mailbox of {path} is full; retry later.");

/// <summary>The actor is stopped and will not read another message.</summary>
public sealed class ActorStoppedException(string path) : Exception($"{path} is stopped.");

/// <summary>A living sibling has that name already.</summary>
public sealed class ActorNameTakenException(string parent, string name)
    : Exception($"{parent} already has a child named '{name}'; stop that one, or choose another name.");

/// <summary>No reply came in time. Whether the message was handled is not known.</summary>
public sealed class AskTimeoutException(string path, TimeSpan timeout)
    : Exception($"{path} did not reply within {timeout}.");

/// <summary>The reply was of another type than the one asked for.</summary>
public sealed class UnexpectedReplyException(string path, Type expected, object reply)
    : Exception($"{path} replied with {reply.GetType().Name} where {expected.Name} was asked for.");

/// <summary>The message that was asked about ended in the dead-letter office.</summary>
public sealed class MessageFailedException(string path, DeadLetterReason reason, Exception? cause)
    : Exception($"{path} gave up on the message: {reason}.", cause);

/// <summary>One message took longer than its actor's deadline, and the actor was taken away from it.</summary>
public sealed class ActorWedgedException(string path, TimeSpan deadline)
    : Exception($"{path} has been on one message for more than {deadline}.");

/// <summary>More handlers were given up than this process can carry; only a new one gets rid of them.</summary>
public sealed class LostHandlersException(long count, int limit, string what)
    : Exception($"{count} handlers were given up on and have not come back, {what}; the limit is {limit}.");

/// <summary>A child was restarted more often than its supervisor's policy allows.</summary>
public sealed class RestartIntensityException(string path, RestartIntensity intensity, Exception lastFailure)
    : Exception(
        $"{path} failed again after {intensity.RestartsMax} restarts within {intensity.Window}.", lastFailure);

/// <summary>
/// What a restart cannot mend: the database is gone, the credentials have expired. Throw it (or derive from it) to
/// have the failure escalated instead of tried again and again.
/// </summary>
public class StructuralFailureException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>A supervision policy contradicts itself. Thrown when it is made, not when the first child dies.</summary>
public sealed class InvalidPolicyException(string message) : Exception(message);
