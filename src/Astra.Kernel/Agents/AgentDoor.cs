using Astra.Kernel.Actors;
using Astra.Kernel.Shards;

namespace Astra.Kernel.Agents;

/// <summary>Where people reach agents by name, and where everything that can go wrong on the way becomes a refusal.</summary>
/// <remarks>Messages are volatile: an agent gets one at most once, and when there is no answer nobody knows whether it did.
/// What must survive is a goal.</remarks>
public sealed class AgentDoor
{
    // The agent's own refusals come first; this is for those that still wait for their turn.
    private static readonly TimeSpan AnswerSlack = TimeSpan.FromSeconds(1);

    private readonly NodeParts _parts;
    private readonly ShardMap _map;
    private readonly ShardDoor _shards;
    private readonly IAgentStore _store;

    internal AgentDoor(NodeParts parts, ShardMap map, ShardDoor shards, IAgentStore store) => (_parts, _map, _shards, _store) = (parts, map, shards, store);

    /// <summary>Whose code runs the agent. One that is not registered may come under its own name yet.</summary>
    public async ValueTask<Answer<string>> ClassOfAsync(TenantId tenant, string agent)
    {
        try
        {
            return await _store.FindClassAsync(tenant, agent, CancellationToken.None) ?? agent;
        }
        catch (Exception e)
        {
            return new Refusal(RefusalKind.Unavailable, $"The database did not answer ({e.Message}). Try again in a moment.", TimeSpan.FromSeconds(1));
        }
    }

    /// <summary>Wakes the agent if it sleeps, and answers what it says. A change of its state is durable by then.</summary>
    public async ValueTask<Answer<AgentReply>> SendAsync(Caller caller, string agent, ReadOnlyMemory<byte> message)
    {
        var limits = _parts.Limits;
        if (message.Length > limits.PayloadBytesMax)
            return new Refusal(RefusalKind.Invalid, $"The message has {message.Length} bytes; {limits.PayloadBytesMax} is the limit.");
        return await AskAsync(agent, new AgentRequest.Send(caller.Tenant, agent, _parts.Clock.Elapsed + limits.AgentMessageDeadline, message));
    }

    /// <summary>Behind what the agent has in hand. Its row and its state are gone when this answers.</summary>
    public ValueTask<Answer<AgentReply>> RemoveAsync(Caller caller, string agent) =>
        AskAsync(agent, new AgentRequest.Remove(caller.Tenant, agent, _parts.Clock.Elapsed + _parts.Limits.AgentMessageDeadline));

    private async ValueTask<Answer<AgentReply>> AskAsync(string agent, AgentRequest request)
    {
        if (agent.Length is 0 || agent.Length > _parts.Limits.NameLengthMax || !PlainText.IsText(agent))
            return new Refusal(RefusalKind.Invalid, $"An agent's name has 1 to {_parts.Limits.NameLengthMax} characters.");
        if (_map.LocalEpoch(request.Shard) is null)
            return _shards.WhyNotHere(request.Shard);
        try
        {
            return await _parts.Agents.AskAsync<object>(request, _parts.Limits.AgentMessageDeadline + AnswerSlack) switch
            {
                AgentReply reply => reply,
                Refusal refusal => refusal,
                var other => throw new InvalidOperationException($"An agent answered with {other.GetType().Name}."),
            };
        }
        catch (MailboxFullException)
        {
            return new Refusal(RefusalKind.Overloaded, "This node has more messages than it can pass on. Try again in a second.", TimeSpan.FromSeconds(1));
        }
        catch (Exception e) when (e is ActorStoppedException or MessageFailedException)
        {
            return new Refusal(RefusalKind.Unavailable, $"Agent {agent} was stopped before it answered, and nobody knows whether it saw the message. Try again in a moment.", TimeSpan.FromSeconds(1));
        }
        catch (AskTimeoutException)
        {
            return new Refusal(
                RefusalKind.Unavailable, $"Agent {agent} has not answered within {_parts.Limits.AgentMessageDeadline.TotalSeconds:0.#} seconds, and nobody knows whether it saw the message.", TimeSpan.FromSeconds(1));
        }
    }
}
