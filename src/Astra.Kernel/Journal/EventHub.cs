using System.Threading.Channels;

namespace Astra.Kernel.Journal;

/// <summary>Tells subscribers of a goal what has been committed. Publishing costs nothing while nobody listens.</summary>
internal sealed class EventHub
{
    // A subscriber that cannot keep up is closed and comes back with the number it saw last: the log has the rest.
    private const int BufferMax = 4096;

    private readonly Lock _lock = new();
    private readonly Dictionary<(TenantId, GoalId), List<Channel<JournalEntry>>> _subscribers = [];
    private volatile int _count;

    public EventSubscription Subscribe(TenantId tenant, GoalId goal)
    {
        var channel = Channel.CreateBounded<JournalEntry>(new BoundedChannelOptions(BufferMax) { SingleReader = true });
        lock (_lock)
        {
            if (!_subscribers.TryGetValue((tenant, goal), out var channels))
                _subscribers[(tenant, goal)] = channels = [];
            channels.Add(channel);
            _count++;
        }
        return new EventSubscription(channel.Reader, () => Remove(tenant, goal, channel));
    }

    public void Publish(JournalEntry entry)
    {
        if (_count == 0)
            return;
        lock (_lock)
        {
            if (!_subscribers.TryGetValue((entry.Tenant, entry.Goal), out var channels))
                return;
            foreach (var channel in channels.ToArray())
                if (!channel.Writer.TryWrite(entry))
                    RemoveLocked(entry.Tenant, entry.Goal, channel);
        }
    }

    public void Close()
    {
        lock (_lock)
        {
            foreach (var channel in _subscribers.Values.SelectMany(channels => channels))
                channel.Writer.TryComplete();
            _subscribers.Clear();
            _count = 0;
        }
    }

    private void Remove(TenantId tenant, GoalId goal, Channel<JournalEntry> channel)
    {
        lock (_lock)
            RemoveLocked(tenant, goal, channel);
    }

    private void RemoveLocked(TenantId tenant, GoalId goal, Channel<JournalEntry> channel)
    {
        channel.Writer.TryComplete();
        if (!_subscribers.TryGetValue((tenant, goal), out var channels) || !channels.Remove(channel))
            return;
        _count--;
        if (channels.Count == 0)
            _subscribers.Remove((tenant, goal));
    }
}

public sealed class EventSubscription : IDisposable
{
    private readonly Action _dispose;

    internal EventSubscription(ChannelReader<JournalEntry> entries, Action dispose) => (Entries, _dispose) = (entries, dispose);

    /// <summary>Completes when the subscriber was too slow, or the node stops.</summary>
    public ChannelReader<JournalEntry> Entries { get; }

    public void Dispose() => _dispose();
}
