using Astra.Kernel.Actors;

namespace Astra.Kernel.Agents;

/// <summary>Asked of an agent, by way of its region; answered with an <see cref="AgentReply"/> or a refusal.</summary>
/// <param name="DueAt">On the node's monotonic clock: when nobody waits for the answer any more.</param>
internal abstract record AgentRequest(TenantId Tenant, string Agent, TimeSpan DueAt)
{
    public ShardId Shard { get; } = ShardId.OfName(Tenant, Agent);

    public sealed record Send(TenantId Tenant, string Agent, TimeSpan DueAt, ReadOnlyMemory<byte> Message) : AgentRequest(Tenant, Agent, DueAt);

    /// <summary>Goes the way of every message, so that nothing of the agent is in hand when its row is deleted.</summary>
    public sealed record Remove(TenantId Tenant, string Agent, TimeSpan DueAt) : AgentRequest(Tenant, Agent, DueAt);
}

/// <summary>What the agent says; empty when it says nothing.</summary>
public sealed record AgentReply(ReadOnlyMemory<byte> Bytes);

/// <summary>From an agent to its region, after each request: it has one less in hand.</summary>
/// <param name="StaysAwake">False: there is nothing, or nothing trustworthy, to keep in memory.</param>
internal sealed record AgentSettled(Activation Activation, bool StaysAwake, TimeSpan IdleTimeout, int StateBytes);

/// <summary>One agent awake on this node under one epoch of its shard; outlives the incarnations of its actor.</summary>
internal sealed class Activation(TenantId tenant, string agent, ShardId shard, Epoch epoch)
{
    public TenantId Tenant => tenant;
    public string Agent => agent;
    public ShardId Shard => shard;
    public Epoch Epoch => epoch;

    /// <summary>When it failed, within the last minute. Touched by one incarnation at a time.</summary>
    public List<TimeSpan> Failures { get; } = [];

    // ---- The region's own -----------------------------------------------------------------------------------------

    public ActorRef Actor { get; set; } = null!;
    public int InHand { get; set; }

    public int StateBytes { get; set; }

    /// <summary>Two agents may fall asleep at the same time, and neither is the other.</summary>
    public required long Number { get; init; }

    /// <summary>When it falls asleep if nothing comes. Changed only while it is busy: the idle are sorted by it.</summary>
    public TimeSpan SleepAt { get; set; }

    /// <summary>Its place among the idle; null while it is busy.</summary>
    public LinkedListNode<Activation>? IdlePlace { get; set; }

    /// <summary>Nothing more is sent to its actor.</summary>
    public bool IsOver { get; set; }

    /// <summary>What came while its actor was stopping, for the one that follows it.</summary>
    public Queue<(AgentRequest Request, ActorRef? Sender)>? Waiting { get; set; }
}

/// <summary>The code of an agent threw on a message.</summary>
/// <param name="isHopeless">It fails again and again: stop it instead of starting it anew.</param>
internal sealed class AgentFailedException(string agent, string reason, bool isHopeless) : Exception($"Agent {agent} failed on a message: {reason}")
{
    public bool IsHopeless => isHopeless;
}
