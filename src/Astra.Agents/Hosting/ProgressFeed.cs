using System.Collections.Concurrent;
using System.Threading.Channels;
using Astra.Kernel;

namespace Astra.Agents;

/// <summary>What workers say while they work, for whoever watches right now. Kept nowhere; a slow watcher misses lines.</summary>
public sealed class ProgressFeed
{
    private const int LinesPerWatcherMax = 100;
    private const int LineLengthMax = 500;

    private readonly ConcurrentDictionary<(TenantId, GoalId), ConcurrentDictionary<Watch, bool>> _watches = new();

    public void Publish(TenantId tenant, ProgressLine line)
    {
        if (!_watches.TryGetValue((tenant, line.Goal), out var watches))
            return;
        var text = line.Text.ReplaceLineEndings(" ");
        line = line with { Text = text.Length > LineLengthMax ? text[..LineLengthMax] : text };
        foreach (var (watch, _) in watches)
            watch.Lines.Writer.TryWrite(line);
    }

    public Watch Subscribe(TenantId tenant, GoalId goal)
    {
        var watch = new Watch(this, (tenant, goal));
        while (true)
        {
            var watches = _watches.GetOrAdd((tenant, goal), _ => new());
            watches[watch] = true;
            // Between the two lines above the last watcher may have left and taken the set with it.
            if (_watches.TryGetValue((tenant, goal), out var current) && current == watches)
                return watch;
        }
    }

    private void Remove(Watch watch, (TenantId, GoalId) key)
    {
        if (_watches.TryGetValue(key, out var watches) && watches.TryRemove(watch, out _) && watches.IsEmpty)
            if (_watches.TryRemove(KeyValuePair.Create(key, watches)))
                foreach (var (late, _) in watches)
                    _watches.GetOrAdd(key, _ => new())[late] = true;
    }

    public sealed class Watch(ProgressFeed feed, (TenantId, GoalId) key) : IDisposable
    {
        internal Channel<ProgressLine> Lines { get; } = Channel.CreateBounded<ProgressLine>(
            new BoundedChannelOptions(LinesPerWatcherMax) { FullMode = BoundedChannelFullMode.DropOldest });

        public ChannelReader<ProgressLine> Reader => Lines.Reader;

        public void Dispose() => feed.Remove(this, key);
    }
}

public sealed record ProgressLine(GoalId Goal, TaskId Task, string Name, int Attempt, DateTimeOffset At, string Text);
