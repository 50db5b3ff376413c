using Astra.Kernel.Workers;

namespace Astra.Kernel.Agents;

/// <summary>
/// Which workers of this node run messages for which label, and what each has in hand. Asked by every active agent, and
/// for agents of other nodes, so it is no actor: one lock around a few look-ups, and nothing waits inside it.
/// </summary>
/// <remarks>It has at most one message of an agent in hand. Where the agent has a new owner, what the old one had given is
/// ended when the new one gives something, and the old one gives nothing more.</remarks>
internal sealed class MessageDesk(IDispatcher dispatcher, KernelLimits limits)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<WorkerId, Member> _members = [];
    private readonly Dictionary<string, List<Member>> _byLabel = new(StringComparer.Ordinal);
    private readonly Dictionary<(TenantId, string), MessageCall> _byAgent = [];
    private readonly Epoch[] _epochs = new Epoch[ShardId.Count];

    /// <summary>The label under which the workers of a class offer it; the same as for its tasks.</summary>
    public static string LabelOf(string agentClass) => $"agent:{agentClass}";

    public void Join(WorkerId id, WorkerOffer offer, IMessageWorker worker)
    {
        var member = new Member(worker, offer);
        lock (_gate)
        {
            _members[id] = member;
            foreach (var label in offer.Executors)
            {
                if (!_byLabel.TryGetValue(label, out var offering))
                    _byLabel[label] = offering = [];
                offering.Add(member);
            }
        }
    }

    /// <summary>Gets nothing more; what it has it may finish.</summary>
    public void Drain(WorkerId id)
    {
        lock (_gate)
            if (_members.TryGetValue(id, out var member))
                Withdraw(member);
    }

    public void Leave(WorkerId id)
    {
        MessageCall[] lost;
        lock (_gate)
        {
            if (!_members.Remove(id, out var member))
                return;
            Withdraw(member);
            lost = [.. member.Calls];
        }
        foreach (var call in lost)
            call.End(new MessageOutcome.Lost("its worker disconnected"));
    }

    public bool IsOffered(TenantId tenant, string agentClass)
    {
        lock (_gate)
            return Least(tenant, LabelOf(agentClass)) is not null;
    }

    /// <summary>Hands the call to the worker that has least in hand, and waits, without a thread, until it has ended.</summary>
    /// <param name="ending">Cancelled when the agent may not go on.</param>
    /// <returns>A refusal when no code has seen it: not found when nobody here offers the class.</returns>
    public async ValueTask<Answer<MessageOutcome>> RunAsync(MessageCall call, CancellationToken ending)
    {
        var chosen = Take(call);
        if (chosen.Refusal is { } refusal)
            return refusal;
        var (member, place, before) = chosen.Value;
        before?.End(new MessageOutcome.Lost("the agent has another owner now"));
        try
        {
            var late = new MessageOutcome.Lost($"it did not answer within {call.Deadline.TotalSeconds:0.#} seconds");
            using var timer = dispatcher.Schedule(call.Deadline, () => call.End(late));
            using var ended = ending.Register(() => call.End(new MessageOutcome.Lost("the agent was stopped while it worked on it")));
            member.Worker.Deliver(call);
            var outcome = await call.Outcome;
            if (outcome is MessageOutcome.Lost lost)
                member.Worker.Cancel(call, lost.Reason);
            return Answer.Of(TooLarge(call, outcome) ?? outcome);
        }
        finally
        {
            lock (_gate)
            {
                member.Calls.Remove(place);
                if (_byAgent.GetValueOrDefault((call.Tenant, call.Agent)) == call)
                    _byAgent.Remove((call.Tenant, call.Agent));
            }
        }
    }

    private Answer<(Member, LinkedListNode<MessageCall>, MessageCall? Before)> Take(MessageCall call)
    {
        var label = LabelOf(call.Class);
        var shard = call.Shard.Value;
        lock (_gate)
        {
            if (call.Epoch < _epochs[shard])
                return AgentRegion.Moved;
            if (Least(call.Tenant, label) is not { } least)
                return new Refusal(RefusalKind.NotFound, $"No worker offers {label} here.");
            if (least.Calls.Count >= limits.MessagesPerWorkerMax)
                return new Refusal(RefusalKind.Overloaded,
                    $"Every worker that offers {label} has {limits.MessagesPerWorkerMax} messages in hand. Try again in a second, or start another worker.", TimeSpan.FromSeconds(1));
            _epochs[shard] = call.Epoch;
            _byAgent.Remove((call.Tenant, call.Agent), out var before);
            _byAgent.Add((call.Tenant, call.Agent), call);
            return (least, least.Calls.AddLast(call), before);
        }
    }

    private Member? Least(TenantId tenant, string label)
    {
        Member? least = null;
        foreach (var member in _byLabel.GetValueOrDefault(label) ?? [])
            if ((member.Offer.Tenant is null || member.Offer.Tenant == tenant) && member.Calls.Count < (least?.Calls.Count ?? int.MaxValue))
                least = member;
        return least;
    }

    // Here and not where the agent lives: what nobody keeps need not travel.
    private MessageOutcome.Unfit? TooLarge(MessageCall call, MessageOutcome outcome) => outcome switch
    {
        MessageOutcome.Done done when done.Reply.Length > limits.PayloadBytesMax => Unfit(call, "reply", done.Reply.Length, limits.PayloadBytesMax),
        MessageOutcome.Done { State: { } state } when state.Length > limits.AgentStateBytesMax => Unfit(call, "state", state.Length, limits.AgentStateBytesMax),
        _ => null,
    };

    private static MessageOutcome.Unfit Unfit(MessageCall call, string what, int length, int max) => new(
        $"Agent {call.Agent} gave a {what} of {length} bytes; {max} is the limit. Its state is as it was.");

    private void Withdraw(Member member)
    {
        foreach (var label in member.Offer.Executors)
            if (_byLabel.TryGetValue(label, out var offering) && offering.Remove(member) && offering.Count == 0)
                _byLabel.Remove(label);
    }

    private sealed class Member(IMessageWorker worker, WorkerOffer offer)
    {
        public IMessageWorker Worker => worker;
        public WorkerOffer Offer => offer;

        /// <summary>Ended, when the worker leaves, in the order in which they were handed over: no order depends on a hash.</summary>
        public LinkedList<MessageCall> Calls { get; } = [];
    }
}
