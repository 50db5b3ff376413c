using Astra.Kernel.Shards;

namespace Astra.Kernel.Agents;

/// <summary>Which other nodes have workers for a class of agents, as they said a moment ago.</summary>
/// <remarks>Asked for when a message needs it and remembered for seconds: nodes do not tell each other who comes and goes,
/// and a memory that is wrong costs one more question.</remarks>
internal sealed class WorkerSearch(ShardMap map, NodeId self, BusLine bus, KernelPorts ports)
{
    private const int RememberedMax = 4_096;

    private static readonly TimeSpan AnswerTimeMax = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan FoundAgeMax = TimeSpan.FromSeconds(5);

    // A stampede on agents without a worker asks the fleet this often, and one that connects is found as soon.
    private static readonly TimeSpan NobodyAgeMax = TimeSpan.FromMilliseconds(250);

    private readonly Lock _gate = new();
    private readonly Dictionary<(TenantId, string), Search> _searches = [];
    private uint _turn;

    public async ValueTask<FoundNodes> FindAsync(TenantId tenant, string agentClass)
    {
        var others = map.Nodes.Where(node => node.IsAlive && node.Node.Node != self).Select(node => node.Node).ToList();
        if (others.Count == 0)
            return new FoundNodes([], this);
        Search? search;
        var isNew = false;
        lock (_gate)
        {
            if (!_searches.TryGetValue((tenant, agentClass), out search) || IsOld(search))
            {
                if (_searches.Count >= RememberedMax)
                    foreach (var (key, _) in _searches.Where(one => IsOld(one.Value)).ToList())
                        _searches.Remove(key);
                _searches[(tenant, agentClass)] = search = new Search(others.Count);
                isNew = true;
            }
        }
        if (isNew)
            // Turns of the node, and not of whoever happens to be first to need the answer.
            foreach (var other in others)
                ports.Dispatcher.Post(new Asking(this, search, other, new MessageQuestion.Find(tenant, agentClass)));
        await search.Ready;
        lock (_gate)
        {
            var found = search.Offering;
            var first = found.Count == 0 ? 0 : (int)(_turn++ % (uint)found.Count);
            return new FoundNodes([.. found[first..], .. found[..first]], search);
        }
    }

    /// <summary>It was not true any more. Whoever has been told the same is not kept from what has been asked since.</summary>
    public void Discard(TenantId tenant, string agentClass, FoundNodes found)
    {
        lock (_gate)
            if (_searches.TryGetValue((tenant, agentClass), out var search) && search == found.Search)
                _searches.Remove((tenant, agentClass));
    }

    /// <summary>A node that did not answer is asked for nothing more until it has said anew what it offers.</summary>
    public void Forget(NodeRegistration node)
    {
        lock (_gate)
            foreach (var search in _searches.Values)
                search.Offering.RemoveAll(offering => offering == node);
    }

    private bool IsOld(Search search) => search.EndedAt is { } at && ports.Clock.Elapsed - at > (search.Offering.Count > 0 ? FoundAgeMax : NobodyAgeMax);

    private async Task AskAsync(Search search, NodeRegistration node, MessageQuestion.Find find)
    {
        var isOffered = false;
        try
        {
            isOffered = MessageCodec.DecodeAnswer((await bus.AskAsync(node, MessageCodec.Encode(find), AnswerTimeMax)).Span) is MessageAnswer.Offers { IsOffered: true };
        }
        catch (Exception e) when (e is BusUnavailableException or InvalidDataException)
        {
            // Who does not answer offers nothing, for now.
        }
        lock (_gate)
        {
            if (isOffered)
                search.Offering.Add(node);
            if (--search.Outstanding == 0)
                search.EndedAt = ports.Clock.Elapsed;
        }
        if (isOffered || search.Outstanding == 0)
            search.End();
    }

    private sealed class Search(int outstanding)
    {
        private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Outstanding { get; set; } = outstanding;
        public List<NodeRegistration> Offering { get; } = [];
        public TimeSpan? EndedAt { get; set; }

        /// <summary>With the first that offers it, or when everybody has answered.</summary>
        public Task Ready => _ready.Task;

        public void End() => _ready.TrySetResult();
    }

    private sealed class Asking(WorkerSearch search, Search entry, NodeRegistration node, MessageQuestion.Find find) : IThreadPoolWorkItem
    {
        public void Execute() => _ = search.AskAsync(entry, node, find);
    }
}

/// <param name="Nodes">In the order in which they are to be asked: whoever was first is last the next time.</param>
/// <param name="Search">What to name when it turns out to be wrong.</param>
internal sealed record FoundNodes(IReadOnlyList<NodeRegistration> Nodes, object Search);
