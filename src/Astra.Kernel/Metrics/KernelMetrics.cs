using System.Diagnostics.Metrics;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Metrics;

/// <summary>
/// What the node counts, as instruments of a meter of its own. Counters are plain additions where a fact arises and are
/// read when somebody collects; a histogram costs nothing while nobody listens. Knows no names of tenants and no content.
/// </summary>
public sealed class KernelMetrics : IDisposable
{
    public const string MeterName = "Astra.Kernel";

    private static readonly InstrumentAdvice<double> Seconds = new()
    {
        HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    };

    private static readonly InstrumentAdvice<long> Sizes = new() { HistogramBucketBoundaries = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000] };

    private static readonly int KindCount = (int)Enum.GetValues<EventKind>().Max() + 1;
    private static readonly string[] RefusalWords = [.. Enum.GetValues<RefusalKind>().Select(kind => Words.Snake(kind.ToString()))];

    private readonly long[] _entries = new long[KindCount];
    private readonly long[] _refusals = new long[Enum.GetValues<RefusalKind>().Length];
    private readonly long[] _outcomes = new long[4];
    private readonly CauseCounts _deaths = new();
    private readonly ExhaustionCounts _exhausted = new();
    private readonly NoticeCounts _notices = new();
    private readonly LastHour _diedLastHour = new();
    private long _commitCount;
    private readonly Histogram<double> _wait;
    private readonly Histogram<double> _run;
    private readonly Histogram<double> _commitDuration;
    private readonly Histogram<long> _commitSize;
    private long _commitTicks;
    private long _restartCount;
    private long _actorFailureCount;

    internal KernelMetrics()
    {
        Meter = new Meter(new MeterOptions(MeterName) { Scope = this });
        Counter("astra.goals.submitted", "Goals taken in.", EventKind.GoalSubmitted);
        Counters("astra.goals.ended", "Goals that have ended, by how.",
            ("state", "completed", [EventKind.GoalCompleted]), ("state", "failed", [EventKind.GoalFailed]), ("state", "cancelled", [EventKind.GoalCancelled]));
        Counter("astra.plans.edited", "Accepted edits of plans.", EventKind.PlanEdited);
        Counter("astra.tasks.added", "Tasks added to plans.", EventKind.TaskAdded);
        Counter("astra.tasks.started", "Attempts handed to workers.", EventKind.TaskClaimed);
        Counters("astra.tasks.ended", "Tasks that have ended, by how.",
            ("state", "completed", [EventKind.TaskCompleted]), ("state", "cancelled", [EventKind.TaskCancelled, EventKind.TaskDoomed]), ("state", "dead", [EventKind.TaskDied]));
        Counters("astra.tasks.retried", "Attempts that ended without a result and are followed by another, by why.",
            ("cause", "failure", [EventKind.TaskRetried]), ("cause", "lease", [EventKind.TaskExpired]), ("cause", "release", [EventKind.TaskReleased]));
        Counter("astra.tasks.redriven", "Dead letters that somebody replayed.", EventKind.TaskRedriven);
        Meter.CreateObservableCounter("astra.log.entries", () => EntryCount, description: "Entries committed to the log.");
        Meter.CreateObservableCounter("astra.dead.letters", _deaths.Measure, description: "Tasks that became dead letters, by kind of failure and a hash of its fingerprint.");
        Meter.CreateObservableCounter("astra.tasks.exhausted", _exhausted.Measure, description: "Tasks that became dead letters, by kind of task and version of the tool; tasks of agents have no tool.");
        Meter.CreateObservableCounter("astra.submissions.refused", () => Measure(_refusals, "reason", RefusalWords), description: "Submissions refused, by reason.");
        Meter.CreateObservableCounter("astra.commits", () => Measure(_outcomes, "outcome", ["committed", "fenced", "refused", "unknown"]), description: "Appends of a shard to the log, by outcome.");
        Meter.CreateObservableCounter("astra.notices", _notices.Measure, description: "Troubles of the node that it told its log, by kind.");
        Meter.CreateObservableCounter("astra.actor.restarts", () => Volatile.Read(ref _restartCount), description: "Incarnations of actors after their first.");
        Meter.CreateObservableCounter("astra.actor.failures", () => Volatile.Read(ref _actorFailureCount), description: "Failures of actors.");
        _wait = Meter.CreateHistogram("astra.task.wait", "s", "From ready (or due) to handed to a worker.", advice: Seconds);
        _run = Meter.CreateHistogram("astra.task.run", "s", "From claimed to reported.", advice: Seconds);
        _commitDuration = Meter.CreateHistogram("astra.commit.duration", "s", "One commit of the log.", advice: Seconds);
        _commitSize = Meter.CreateHistogram("astra.commit.size", "{entries}", "Entries in one commit.", advice: Sizes);
    }

    /// <summary>Tells this node's instruments from those of another node in the same process.</summary>
    public Meter Meter { get; }

    public long EntryCount
    {
        get
        {
            var sum = 0L;
            for (var kind = 0; kind < KindCount; kind++)
                sum += Count((EventKind)kind);
            return sum;
        }
    }

    public KernelCounters Snapshot() => new()
    {
        Submitted = Count(EventKind.GoalSubmitted),
        Started = Count(EventKind.TaskClaimed),
        Completed = Count(EventKind.TaskCompleted),
        Failed = Count(EventKind.TaskRetried) + Count(EventKind.TaskDied),
        Expired = Count(EventKind.TaskExpired),
        Died = Count(EventKind.TaskDied),
        Refused = _refusals.Select((_, index) => Volatile.Read(ref _refusals[index])).Sum(),
        Commits = Volatile.Read(ref _commitCount),
        Entries = EntryCount,
        CommitDuration = TimeSpan.FromTicks(Volatile.Read(ref _commitTicks)),
    };

    public long DiedLastHour(TimeSpan now) => _diedLastHour.Sum(now);

    public void Dispose() => Meter.Dispose();

    internal void Refused(Refusal refusal)
    {
        // What another node owns is asked there, and counted there.
        if (refusal.Kind != RefusalKind.Elsewhere)
            Interlocked.Increment(ref _refusals[(int)refusal.Kind]);
    }

    /// <summary>One commit, all of its shards. Kinds are counted here first, so that a batch of thousands costs a few
    /// additions that other threads can see.</summary>
    internal void Committed(IReadOnlyList<JournalAppend> batch, TimeSpan duration, TimeSpan now)
    {
        Span<int> kinds = stackalloc int[KindCount];
        Span<int> outcomes = stackalloc int[4];
        kinds.Clear();
        outcomes.Clear();
        var size = 0;
        foreach (var append in batch)
        {
            outcomes[append.Outcome is { } outcome ? (int)outcome : 3]++;
            if (append.Outcome != AppendOutcome.Committed)
                continue;
            size += append.Append.Entries.Count;
            foreach (var entry in append.Append.Entries)
            {
                kinds[(int)entry.Kind]++;
                if (entry is { Kind: EventKind.TaskDied, Event: KernelEvent.TaskDied death })
                    _deaths.Count(death.Failure);
            }
        }
        for (var kind = 0; kind < kinds.Length; kind++)
            if (kinds[kind] > 0)
                Interlocked.Add(ref _entries[kind], kinds[kind]);
        for (var outcome = 0; outcome < outcomes.Length; outcome++)
            if (outcomes[outcome] > 0)
                Interlocked.Add(ref _outcomes[outcome], outcomes[outcome]);
        if (kinds[(int)EventKind.TaskDied] is var died and > 0)
            _diedLastHour.Add(now, died);
        Interlocked.Increment(ref _commitCount);
        Interlocked.Add(ref _commitTicks, duration.Ticks);
        _commitDuration.Record(duration.TotalSeconds);
        _commitSize.Record(size);
    }

    internal void Exhausted(TaskSpec spec) => _exhausted.Count(spec);

    internal void Waited(TimeSpan wait) => _wait.Record(wait.TotalSeconds);

    internal void Ran(TimeSpan run) => _run.Record(run.TotalSeconds);

    internal void ActorRestarted() => Interlocked.Increment(ref _restartCount);

    internal void ActorFailed() => Interlocked.Increment(ref _actorFailureCount);

    internal void Noticed(KernelNotice notice) => _notices.Count(notice);

    private long Count(EventKind kind) => Volatile.Read(ref _entries[(int)kind]);

    private void Counter(string name, string description, EventKind kind) => Meter.CreateObservableCounter(name, () => Count(kind), description: description);

    private void Counters(string name, string description, params (string Tag, string Value, EventKind[] Kinds)[] series) => Meter.CreateObservableCounter(
        name, () => series.Select(one => new Measurement<long>(one.Kinds.Sum(Count), new KeyValuePair<string, object?>(one.Tag, one.Value))), description: description);

    private static IEnumerable<Measurement<long>> Measure(long[] counts, string tag, string[] words) =>
        words.Select((word, index) => new Measurement<long>(Volatile.Read(ref counts[index]), new KeyValuePair<string, object?>(tag, word)));
}

/// <summary>What has happened on the node since it started; a rate is the difference of two.</summary>
public sealed record KernelCounters
{
    public required long Submitted { get; init; }
    public required long Started { get; init; }
    public required long Completed { get; init; }

    /// <summary>Attempts that failed.</summary>
    public required long Failed { get; init; }

    /// <summary>Attempts whose lease ended.</summary>
    public required long Expired { get; init; }

    /// <summary>Tasks that became dead letters.</summary>
    public required long Died { get; init; }

    public required long Refused { get; init; }
    public required long Commits { get; init; }
    public required long Entries { get; init; }
    public required TimeSpan CommitDuration { get; init; }
}
