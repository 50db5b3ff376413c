using Astra.Kernel.Workers;

namespace Astra.Kernel.Agents;

/// <summary>
/// Which connected workers run messages for which label, and what each has in hand. Asked by every active agent, so it
/// is no actor: one lock around a few look-ups, and nothing waits inside it.
/// </summary>
internal sealed class MessageDesk(IDispatcher dispatcher, KernelLimits limits)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<WorkerId, Member> _members = [];
    private readonly Dictionary<string, List<Member>> _byLabel = new(StringComparer.Ordinal);

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

    /// <summary>Hands the call to the worker that has least in hand, and waits, without a thread, until it has ended.</summary>
    /// <param name="ending">Cancelled when the agent may not go on.</param>
    public async ValueTask<Answer<MessageOutcome>> RunAsync(MessageCall call, CancellationToken ending)
    {
        var chosen = Take(call);
        if (chosen.Refusal is { } refusal)
            return refusal;
        var (member, place) = chosen.Value;
        try
        {
            var late = new MessageOutcome.Lost($"it did not answer within {call.Deadline.TotalSeconds:0.#} seconds");
            using var timer = dispatcher.Schedule(call.Deadline, () => call.End(late));
            using var ended = ending.Register(() => call.End(new MessageOutcome.Lost("the agent was stopped while it worked on it")));
            member.Worker.Deliver(call);
            var outcome = await call.Outcome;
            if (outcome is MessageOutcome.Lost lost)
                member.Worker.Cancel(call, lost.Reason);
            return outcome;
        }
        finally
        {
            lock (_gate)
                member.Calls.Remove(place);
        }
    }

    private Answer<(Member, LinkedListNode<MessageCall>)> Take(MessageCall call)
    {
        var label = LabelOf(call.Class);
        lock (_gate)
        {
            Member? best = null;
            foreach (var member in _byLabel.GetValueOrDefault(label) ?? [])
                if ((member.Offer.Tenant is null || member.Offer.Tenant == call.Tenant) && member.Calls.Count < (best?.Calls.Count ?? int.MaxValue))
                    best = member;
            if (best is null)
                return new Refusal(RefusalKind.Unavailable, $"No worker offers {label} here, so agent {call.Agent} cannot answer; start one that does.", TimeSpan.FromSeconds(5));
            if (best.Calls.Count >= limits.MessagesPerWorkerMax)
                return new Refusal(RefusalKind.Overloaded,
                    $"Every worker that offers {label} has {limits.MessagesPerWorkerMax} messages in hand. Try again in a second, or start another worker.", TimeSpan.FromSeconds(1));
            return (best, best.Calls.AddLast(call));
        }
    }

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
