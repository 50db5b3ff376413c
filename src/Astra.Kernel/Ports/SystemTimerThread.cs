using System.Diagnostics;

namespace Astra.Kernel;

// Part of where the handed-in dispatcher comes from; see SystemThreadPoolDispatcher.cs.
#pragma warning disable RS0030

/// <summary>
/// One thread that runs callbacks when they are due, in the order of their instants and, within one, of their making.
/// Callbacks are the kernel's own and short; one that throws is a bug and takes the process down.
/// </summary>
internal sealed class TimerThread : IDisposable
{
    private readonly PriorityQueue<Entry, (long DueAt, long Number)> _entries = new();
    private readonly object _gate = new();
    private readonly long _origin = Stopwatch.GetTimestamp();
    private long _entryCount;
    private bool _isStarted;
    private bool _isStopped;

    public IDisposable Schedule(TimeSpan delay, Action callback)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(delay, TimeSpan.Zero);
        var entry = new Entry(callback);
        lock (_gate)
        {
            if (_isStopped)
                return entry;
            long dueAt = Stopwatch.GetElapsedTime(_origin).Ticks + delay.Ticks;
            bool isFirst = !_entries.TryPeek(out _, out var first) || dueAt < first.DueAt;
            _entries.Enqueue(entry, (dueAt, ++_entryCount));
            if (!_isStarted)
            {
                _isStarted = true;
                new Thread(Run) { IsBackground = true, Name = "astra-timers" }.Start();
            }
            else if (isFirst)
            {
                Monitor.Pulse(_gate);
            }
        }

        return entry;
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _isStopped = true;
            _entries.Clear();
            Monitor.Pulse(_gate);
        }
    }

    private void Run()
    {
        while (NextDue() is { } entry)
            entry.Fire();
    }

    private Entry? NextDue()
    {
        lock (_gate)
        {
            while (!_isStopped)
            {
                if (!_entries.TryPeek(out var entry, out var due))
                {
                    Monitor.Wait(_gate);
                    continue;
                }

                var remaining = TimeSpan.FromTicks(due.DueAt) - Stopwatch.GetElapsedTime(_origin);
                if (remaining <= TimeSpan.Zero)
                {
                    _entries.Dequeue();
                    return entry;
                }

                // A wait is at most some weeks long; a longer one is simply looked at again.
                Monitor.Wait(_gate, remaining < LongestWait ? remaining + OneMillisecond : LongestWait);
            }
        }

        return null;
    }

    // Waits are cut to whole milliseconds. Without one more, the last millisecond would be spun away.
    private static readonly TimeSpan OneMillisecond = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);

    private sealed class Entry(Action callback) : IDisposable
    {
        private Action? _callback = callback;

        public void Fire() => Interlocked.Exchange(ref _callback, null)?.Invoke();

        // The entry stays in the queue until it is due, but lets go of what it would have called.
        public void Dispose() => Interlocked.Exchange(ref _callback, null);
    }
}
