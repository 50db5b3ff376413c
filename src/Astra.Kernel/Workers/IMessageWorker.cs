namespace Astra.Kernel.Workers;

/// <summary>
/// A worker that also runs what agents do with messages. Both calls come from the kernel's turns: they queue and return,
/// and never block or throw.
/// </summary>
public interface IMessageWorker : IWorker
{
    /// <summary>Runs the agent's code on it and ends the call, in whichever way.</summary>
    void Deliver(MessageCall call);

    /// <summary>Nobody waits for the call any more; what it would answer is ignored.</summary>
    void Cancel(MessageCall call, string reason);
}

/// <summary>One message to one agent, on its way to the code of the agent's class: at most once.</summary>
public sealed class MessageCall
{
    private readonly TaskCompletionSource<MessageOutcome> _outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public required Guid Id { get; init; }
    public required TenantId Tenant { get; init; }
    public required string Agent { get; init; }
    public required string Class { get; init; }
    public required ReadOnlyMemory<byte> Message { get; init; }

    /// <summary>As last committed; empty before the first save.</summary>
    public required ReadOnlyMemory<byte> State { get; init; }

    public required long StateVersion { get; init; }

    /// <summary>Under which the agent's owner sends it. An older one than a worker's node has seen is an owner's no more.</summary>
    public required Epoch Epoch { get; init; }

    /// <summary>How long the code has.</summary>
    public required TimeSpan Deadline { get; init; }

    /// <summary>The same call for somebody else, who has less time.</summary>
    internal MessageCall Within(TimeSpan deadline) => new()
    {
        Id = Id, Tenant = Tenant, Agent = Agent, Class = Class, Message = Message, State = State, StateVersion = StateVersion, Epoch = Epoch, Deadline = deadline,
    };

    internal ShardId Shard => ShardId.OfName(Tenant, Agent);

    internal Task<MessageOutcome> Outcome => _outcome.Task;

    /// <summary>The first outcome counts; whatever comes after it is late.</summary>
    public void End(MessageOutcome outcome) => _outcome.TrySetResult(outcome);
}

/// <summary>How the agent's code took a message.</summary>
public abstract record MessageOutcome
{
    private MessageOutcome()
    {
    }

    /// <param name="State">Null: as it was.</param>
    public sealed record Done(ReadOnlyMemory<byte> Reply, ReadOnlyMemory<byte>? State) : MessageOutcome;

    /// <summary>The message is none that the agent takes; the agent is well.</summary>
    public sealed record Refused(string Reason) : MessageOutcome;

    /// <summary>The code threw.</summary>
    public sealed record Failed(string Reason) : MessageOutcome;

    /// <summary>The code is done, and what it gave is more than is taken.</summary>
    internal sealed record Unfit(string Reason) : MessageOutcome;

    /// <summary>There is no answer, and nobody knows how far the code came.</summary>
    public sealed record Lost(string Reason) : MessageOutcome;
}
