using System.Threading.Channels;
using Astra.Gateway;
using Astra.Kernel;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;

namespace Astra.Hosting;

/// <summary>
/// A line of the server's log for every attempt that failed or was lost, every dead letter and every goal that failed, made
/// from what is committed: kinds and ids, never a reason, a name or an input, which are a tenant's. So many a second at
/// most: a thousand tasks that fail of one cause must not fill a disk.
/// </summary>
public sealed class TroubleLog : IAsyncDisposable
{
    private const int EntriesWaitingMax = 1_024;
    private const int LinesPerPeriodMax = 50;
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    private readonly Channel<JournalEntry> _entries = Channel.CreateBounded<JournalEntry>(new BoundedChannelOptions(EntriesWaitingMax) { SingleReader = true });
    private readonly ServerLog _log;
    private readonly string _node;
    private readonly TimeProvider _clock;
    private readonly Task _working;
    private long _leftOut;

    public TroubleLog(ServerLog log, NodeId node, TimeProvider clock)
    {
        (_log, _node, _clock) = (log, node.Value, clock);
        _working = WorkAsync();
    }

    /// <summary>Called on the turn that committed: looks at the kinds, and leaves the rest to a task of its own.</summary>
    public void Committed(Commit commit)
    {
        foreach (var append in commit.Appends)
        {
            foreach (var entry in append.Entries)
            {
                var isTrouble = entry.Kind is EventKind.TaskDied or EventKind.TaskRetried or EventKind.TaskExpired or EventKind.GoalFailed;
                if (isTrouble && !_entries.Writer.TryWrite(entry))
                    Interlocked.Increment(ref _leftOut);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        _entries.Writer.TryComplete();
        await _working;
    }

    private async Task WorkAsync()
    {
        var (began, count) = (_clock.GetTimestamp(), 0);
        await foreach (var entry in _entries.Reader.ReadAllAsync())
        {
            if (_clock.GetElapsedTime(began) >= Period)
            {
                (began, count) = (_clock.GetTimestamp(), 0);
                SayLeftOut();
            }
            if (++count <= LinesPerPeriodMax)
                _log.Warn(SentenceOf(entry), IdsOf(entry));
            else
                Interlocked.Increment(ref _leftOut);
        }
        SayLeftOut();
    }

    private void SayLeftOut()
    {
        if (Interlocked.Exchange(ref _leftOut, 0) is var count and > 0)
            _log.Warn($"{count} lines about tasks and goals that failed were left out: more than {LinesPerPeriodMax} in a second", new LogIds { Node = _node });
    }

    private static string SentenceOf(JournalEntry entry) => entry.Event switch
    {
        KernelEvent.TaskDied died => $"task {entry.Task} is a dead letter after attempt {entry.Attempt} ({KindOf(died.Failure)}); see `astra dead show {entry.Task}`",
        KernelEvent.TaskRetried retried => $"attempt {entry.Attempt} of task {entry.Task} failed ({KindOf(retried.Failure)}) and is followed by another",
        KernelEvent.TaskExpired => $"attempt {entry.Attempt} of task {entry.Task} was lost: its lease ended",
        _ => $"goal {entry.Goal} failed; see `astra why {entry.Goal}`",
    };

    private static string KindOf(Failure failure) => failure.Kind switch
    {
        FailureKind.UnknownEffect => "unknown effect",
        var kind => kind.ToString().ToLowerInvariant(),
    };

    private LogIds IdsOf(JournalEntry entry) => new()
    {
        Node = _node, Tenant = entry.Tenant.Value, Goal = entry.Goal.Value, Task = entry.Task?.Value, Attempt = entry.Task is null ? null : entry.Attempt, Shard = entry.Shard.Value,
    };
}
