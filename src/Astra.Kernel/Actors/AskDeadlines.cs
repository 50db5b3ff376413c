namespace Astra.Kernel.Actors;

/// <summary>
/// The time-outs of all questions in flight. Questions with the same time-out become due in the order in which they
/// were asked, so each distinct time-out is a list, and one timer for its first entry is enough.
/// </summary>
internal sealed class AskDeadlines(ActorSystem system)
{
    private readonly Dictionary<TimeSpan, Line> _lines = [];
    private readonly Lock _gate = new();

    public void Add(PendingAsk ask)
    {
        Line line;
        lock (_gate)
        {
            if (_lines.TryGetValue(ask.Timeout, out line!))
            {
                line.Append(ask);
                return;
            }

            line = new Line();
            line.Append(ask);
            _lines.Add(ask.Timeout, line);
        }

        Arm(line, ask.Timeout, ask.Timeout);
    }

    public void Remove(PendingAsk ask)
    {
        lock (_gate)
        {
            // A line that has run empty goes when its timer fires: likely the next question is asked before that.
            if (_lines.TryGetValue(ask.Timeout, out var line))
                line.Unlink(ask);
        }
    }

    private void Arm(Line line, TimeSpan timeout, TimeSpan delay) =>
        system.Dispatcher.Schedule(delay, () => Expire(line, timeout));

    private void Expire(Line line, TimeSpan timeout)
    {
        List<(PendingAsk Ask, long Question, string Path)>? due = null;
        TimeSpan? next = null;
        var now = system.Clock.Elapsed;
        lock (_gate)
        {
            for (var ask = line.First; ask is not null; ask = ask.Later)
            {
                if (ask.DueAt > now)
                {
                    next = ask.DueAt - now;
                    break;
                }

                (due ??= []).Add((ask, ask.Question, ask.Target.Path));
            }
        }

        // Outside the lock, because settling a question takes it out of its line.
        foreach (var (ask, question, path) in due ?? [])
            ask.TryFail(question, new AskTimeoutException(path, timeout));
        if (next is { } delay || HasMore(line, timeout, out delay))
            Arm(line, timeout, delay);
    }

    // Asked meanwhile, with the same time-out. An empty line goes, so that odd time-outs do not pile up.
    private bool HasMore(Line line, TimeSpan timeout, out TimeSpan delay)
    {
        lock (_gate)
        {
            delay = TimeSpan.Zero;
            if (line.First is { } first)
                delay = first.DueAt > system.Clock.Elapsed ? first.DueAt - system.Clock.Elapsed : TimeSpan.Zero;
            else
                _lines.Remove(timeout);
            return line.First is not null;
        }
    }

    private sealed class Line
    {
        private PendingAsk? _last;

        public PendingAsk? First { get; private set; }

        public void Append(PendingAsk ask)
        {
            ask.Earlier = _last;
            ask.Later = null;
            if (_last is null)
                First = ask;
            else
                _last.Later = ask;
            _last = ask;
        }

        public void Unlink(PendingAsk ask)
        {
            if (ask.Earlier is null)
                First = ask.Later;
            else
                ask.Earlier.Later = ask.Later;
            if (ask.Later is null)
                _last = ask.Earlier;
            else
                ask.Later.Earlier = ask.Earlier;
            ask.Earlier = ask.Later = null;
        }
    }
}
