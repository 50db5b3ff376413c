using Astra.Kernel.Shards;
using Astra.Kernel.Workers;

namespace Astra.Kernel.Agents;

/// <summary>
/// Brings a message to a worker that runs the agent's class: one of this node, or else one of another. The agent stays
/// where it is; only the message and its state travel, and the outcome is saved here like any other.
/// </summary>
internal sealed class MessageRoute(NodeParts parts, ShardMap map, WorkerSearch search, BusLine bus, IDispatcher dispatcher)
{
    // The worker's node ends a call that takes too long by itself; this is for its answer.
    private static readonly TimeSpan AnswerSlack = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan CancelTimeMax = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan WatchInterval = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly LinkedList<Journey> _under = [];
    private bool _isWatching;

    /// <summary>A refusal: no code has seen the message.</summary>
    public async ValueTask<Answer<MessageOutcome>> RunAsync(MessageCall call, CancellationToken ending)
    {
        var here = await parts.Messages.RunAsync(call, ending);
        if (here.Refusal is not { Kind: RefusalKind.NotFound or RefusalKind.Overloaded } refusal)
            return here;

        var since = parts.Clock.Elapsed;
        // What was remembered may be old; what has just been asked is not.
        for (var round = 0; round < 2; round++)
        {
            var found = await search.FindAsync(call.Tenant, call.Class);
            foreach (var node in found.Nodes)
            {
                var left = call.Deadline - (parts.Clock.Elapsed - since);
                if (left <= TimeSpan.Zero || ending.IsCancellationRequested)
                    return new Refusal(RefusalKind.Unavailable, $"No worker was found for agent {call.Agent} in time; no code saw the message. Try again in a moment.", TimeSpan.FromSeconds(1));
                if (await SendAsync(node, call.Within(left), ending) is not { } there)
                {
                    search.Forget(node);
                    continue;
                }
                if (there.Refusal is not { Kind: RefusalKind.NotFound or RefusalKind.Overloaded } elsewhere)
                    return there;
                if (elsewhere.Kind == RefusalKind.Overloaded)
                    refusal = elsewhere;
            }
            if (refusal.Kind == RefusalKind.Overloaded || found.Nodes.Count == 0)
                break;
            search.Discard(call.Tenant, call.Class, found);
        }
        return refusal.Kind == RefusalKind.Overloaded ? refusal : new Refusal(
            RefusalKind.Unavailable, $"No worker offers {MessageDesk.LabelOf(call.Class)} on any node, so agent {call.Agent} cannot answer; start one that does.", TimeSpan.FromSeconds(5));
    }

    /// <returns>Null when the node is not there: somebody else may be asked.</returns>
    private async ValueTask<Answer<MessageOutcome>?> SendAsync(NodeRegistration node, MessageCall call, CancellationToken ending)
    {
        // Never disposed: it has no timer and no handle, and whoever cancels it may come late.
        var journey = new Journey(node, new CancellationTokenSource());
        var place = Begin(journey);
        try
        {
            using var ended = ending.UnsafeRegister(static journey => ((Journey)journey!).End("the agent was stopped while it worked on it"), journey);
            var answer = await bus.AskAsync(node, MessageCodec.Encode(new MessageQuestion.Run(call)), call.Deadline + AnswerSlack, journey.GivenUp);
            return MessageCodec.DecodeAnswer(answer.Span) switch
            {
                Refusal refusal => refusal,
                MessageAnswer.Ended ran => ran.Outcome,
                var other => throw new InvalidDataException($"A message was answered with {other.GetType().Name}."),
            };
        }
        catch (BusUnavailableException e) when (e.HasReachedNobody)
        {
            return null;
        }
        catch (Exception e) when (e is BusUnavailableException or InvalidDataException)
        {
            search.Forget(node);
            if (journey.Why is { } why && ending.IsCancellationRequested)
                dispatcher.Post(new CallingOff(bus, node, new MessageQuestion.Cancel(call.Id, why)));
            return new MessageOutcome.Lost(journey.Why ?? $"node {node.Node}, where its worker is, gave none: {e.Message.TrimEnd('.')}");
        }
        finally
        {
            lock (_gate)
                _under.Remove(place);
        }
    }

    // ---- Nodes that go --------------------------------------------------------------------------------------------

    private LinkedListNode<Journey> Begin(Journey journey)
    {
        lock (_gate)
        {
            if (!_isWatching)
                Watch();
            return _under.AddLast(journey);
        }
    }

    private void Watch()
    {
        _isWatching = true;
        dispatcher.Schedule(WatchInterval, () => dispatcher.Post(new Looking(this)));
    }

    /// <summary>A node that is gone without a word would be waited for until the end of the message's time.</summary>
    private void Look()
    {
        List<Journey> gone;
        lock (_gate)
        {
            _isWatching = false;
            if (_under.Count == 0)
                return;
            Watch();
            var alive = map.Nodes.Where(node => node.IsAlive).Select(node => node.Node).ToHashSet();
            gone = [.. _under.Where(journey => !alive.Contains(journey.To))];
        }
        foreach (var journey in gone)
            journey.End($"node {journey.To.Node}, where its worker was, is gone");
    }

    private sealed class Journey(NodeRegistration to, CancellationTokenSource givenUp)
    {
        private string? _why;

        public NodeRegistration To => to;
        public CancellationToken GivenUp => givenUp.Token;
        public string? Why => _why;

        public void End(string why)
        {
            if (Interlocked.CompareExchange(ref _why, why, null) is null)
                givenUp.Cancel();
        }
    }

    private sealed class Looking(MessageRoute route) : IThreadPoolWorkItem
    {
        public void Execute() => route.Look();
    }

    private sealed class CallingOff(BusLine bus, NodeRegistration node, MessageQuestion.Cancel cancel) : IThreadPoolWorkItem
    {
        public void Execute() => _ = TellAsync();

        private async Task TellAsync()
        {
            try
            {
                await bus.AskAsync(node, MessageCodec.Encode(cancel), CancelTimeMax);
            }
            catch (BusUnavailableException)
            {
                // The call ends by itself with its deadline.
            }
        }
    }
}
