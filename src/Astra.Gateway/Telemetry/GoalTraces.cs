using System.Diagnostics;
using System.Threading.Channels;
using Astra.Llm.Money;
using Astra.Kernel;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Kernel.Workers;
using Astra.Tools.Catalog;

namespace Astra.Gateway;

/// <summary>
/// Makes traces of what is committed: one trace per goal, whose id is the goal's own, in it a span per attempt, per run of a
/// tool and per attempt at a model; and a span per commit, linked with the goals it is about. Works on a task of its own behind a bounded queue:
/// the kernel hands a commit over and goes on, and when nobody traces it hands over nothing.
/// </summary>
/// <remarks>Spans carry ids, labels and states: no titles, inputs, outputs or reasons.</remarks>
public sealed class GoalTraces : IAsyncDisposable
{
    public const string SourceName = "Astra";

    private const int CommitsWaitingMax = 4_096;
    private const int GoalsMax = 100_000;
    private const int LinksMax = 32;

    private static readonly ActivitySource Source = new(SourceName);

    // A root span begins a trace under the id that this thread has just put here.
    [ThreadStatic]
    private static ActivityTraceId? s_nextTraceId;

    private readonly Channel<object> _facts = Channel.CreateBounded<object>(new BoundedChannelOptions(CommitsWaitingMax) { SingleReader = true });
    private readonly Dictionary<GoalId, GoalTrace> _goals = [];
    private readonly Dictionary<AttemptId, Activity> _attempts = [];
    private readonly Task _working;
    private long _dropped;

    static GoalTraces() => Activity.TraceIdGenerator = static () => s_nextTraceId ?? ActivityTraceId.CreateRandom();

    public GoalTraces() => _working = WorkAsync();

    /// <summary>Facts that came faster than they could be made into spans, and are in no trace.</summary>
    public long DroppedCount => Volatile.Read(ref _dropped);

    /// <summary>The id under which to look for a goal: the goal's own, without dashes.</summary>
    public static string TraceIdOf(Guid goal) => goal.ToString("N");

    public void Committed(Commit commit) => Take(commit);

    public void Ran(ToolRun run) => Take(run);

    public void Asked(UsageRecord record) => Take(record);

    /// <summary>Makes spans of what has been handed over so far. What has not ended is in no trace: it ends in another process.</summary>
    public async ValueTask DisposeAsync()
    {
        _facts.Writer.TryComplete();
        await _working;
    }

    private void Take(object fact)
    {
        if (!_facts.Writer.TryWrite(fact))
            Interlocked.Increment(ref _dropped);
    }

    private async Task WorkAsync()
    {
        await foreach (var fact in _facts.Reader.ReadAllAsync())
        {
            switch (fact)
            {
                case Commit commit:
                    Trace(commit);
                    break;
                case ToolRun run:
                    Trace(run);
                    break;
                default:
                    Trace((UsageRecord)fact);
                    break;
            }
        }
    }

    private void Trace(Commit commit)
    {
        using var span = Begin("commit", default, commit.BeganAt);
        if (span is null)
            return;
        var goals = new HashSet<GoalId>();
        foreach (var append in commit.Appends)
            foreach (var entry in append.Entries)
                if (Trace(entry, span.Context) is { } goal && goals.Count < LinksMax && goals.Add(entry.Goal))
                    span.AddLink(new ActivityLink(goal));
        span.SetTag("astra.entries", commit.Appends.Sum(append => append.Entries.Count));
        span.SetTag("astra.shards", commit.Appends.Count);
        span.SetEndTime((commit.BeganAt + commit.Duration).UtcDateTime);
    }

    private ActivityContext? Trace(JournalEntry entry, ActivityContext commit)
    {
        if (Known(entry) is not { } goal)
            return null;
        if (entry is { Kind: EventKind.TaskAdded, Event: KernelEvent.TaskAdded added })
            goal.Executors[entry.Task!.Value] = added.Spec.Executor;
        else if (entry is { Command: TaskCommand.Claim, Event: KernelEvent.TaskClaimed claimed })
            BeginAttempt(entry, goal, claimed, commit);
        else if (entry is { From: TaskState.Running, To: not TaskState.Running and not null })
            EndAttempt(entry, commit);
        else if (entry.Kind is EventKind.GoalCompleted or EventKind.GoalFailed or EventKind.GoalCancelled)
            End(entry, goal, commit);
        return goal.Span.Context;
    }

    /// <summary>A goal that began before this process, or on another node, has a span here from its next event on.</summary>
    private GoalTrace? Known(JournalEntry entry)
    {
        if (_goals.TryGetValue(entry.Goal, out var known))
            return known;
        // What follows the end of a goal belongs to no span of its own.
        if (_goals.Count >= GoalsMax)
            return null;
        s_nextTraceId = ActivityTraceId.CreateFromString(TraceIdOf(entry.Goal.Value));
        var span = Begin("goal", default, entry.At);
        s_nextTraceId = null;
        if (span is null)
            return null;
        Describe(span, entry);
        if (entry is { Kind: EventKind.GoalSubmitted, Event: KernelEvent.GoalSubmitted submitted })
            span.SetTag("astra.agent", submitted.Agent);
        else
            span.SetTag("astra.continued", true);
        return _goals[entry.Goal] = new GoalTrace(span);
    }

    private void BeginAttempt(JournalEntry entry, GoalTrace goal, KernelEvent.TaskClaimed claimed, ActivityContext commit)
    {
        var executor = goal.Executors.GetValueOrDefault(entry.Task!.Value);
        if (Begin(executor is null ? "attempt" : $"attempt {executor}", goal.Span.Context, entry.At) is not { } span)
            return;
        Describe(span, entry);
        span.SetTag("astra.task.id", entry.Task.ToString());
        span.SetTag("astra.attempt", entry.Attempt);
        span.SetTag("astra.worker", claimed.WorkerName);
        span.AddLink(new ActivityLink(commit));
        _attempts[new AttemptId(entry.Task.Value, entry.Attempt)] = span;
    }

    private void EndAttempt(JournalEntry entry, ActivityContext commit)
    {
        if (!_attempts.Remove(new AttemptId(entry.Task!.Value, entry.Attempt), out var span))
            return;
        span.SetTag("astra.outcome", EventMapping.KindOf(entry.Kind));
        span.AddLink(new ActivityLink(commit));
        End(span, entry.At, isGood: entry.To == TaskState.Completed);
    }

    private void End(JournalEntry entry, GoalTrace goal, ActivityContext commit)
    {
        _goals.Remove(entry.Goal);
        goal.Span.SetTag("astra.outcome", EventMapping.KindOf(entry.Kind));
        goal.Span.AddLink(new ActivityLink(commit));
        End(goal.Span, entry.At, isGood: entry.Kind == EventKind.GoalCompleted);
    }

    private void Trace(ToolRun run)
    {
        // Its attempt was claimed before it began, and reports after it has ended; only a lost attempt is gone by now.
        if (run.Subject.Attempt is not { } attempt || !_attempts.TryGetValue(attempt, out var parent))
            return;
        if (Begin($"tool {run.Tool}", parent.Context, run.StartedAt) is not { } span)
            return;
        span.SetTag("astra.goal.id", run.Subject.Goal.ToString());
        span.SetTag("astra.task.id", attempt.Task.ToString());
        span.SetTag("astra.attempt", attempt.Attempt);
        span.SetTag("astra.tool", run.Tool);
        span.SetTag("astra.outcome", run.Outcome);
        End(span, run.StartedAt + run.Duration, isGood: run.Outcome == ToolRun.Done);
    }

    /// <summary>Below the attempt of its task where that runs here; else in the trace of its goal; else, as a client of the router's
    /// has none, in a trace of its own.</summary>
    private void Trace(UsageRecord record)
    {
        var parent = record.Spender.Task is { } task ? _attempts.FirstOrDefault(attempt => attempt.Key.Task == task).Value : null;
        if (parent is null && record.Spender.Goal is { } goal)
        {
            parent = _goals.GetValueOrDefault(goal)?.Span;
            s_nextTraceId = ActivityTraceId.CreateFromString(TraceIdOf(goal.Value));
        }
        var span = Begin($"{record.Operation} {record.Model}", parent?.Context ?? default, record.At, ActivityKind.Client);
        s_nextTraceId = null;
        if (span is not null)
            ModelSpan.End(span, record);
    }

    private static Activity? Begin(string name, ActivityContext parent, DateTimeOffset at, ActivityKind kind = ActivityKind.Internal)
    {
        Activity.Current = null;
        var span = Source.StartActivity(name, kind, parent, startTime: at);
        // Spans here overlap each other; none of them is what this task is doing.
        Activity.Current = null;
        return span;
    }

    private static void End(Activity span, DateTimeOffset at, bool isGood)
    {
        span.SetStatus(isGood ? ActivityStatusCode.Ok : ActivityStatusCode.Error);
        span.SetEndTime(at.UtcDateTime);
        span.Dispose();
    }

    private static void Describe(Activity span, JournalEntry entry)
    {
        span.SetTag("astra.goal.id", entry.Goal.ToString());
        span.SetTag("astra.tenant.id", entry.Tenant.ToString());
        span.SetTag("astra.shard", entry.Shard.Value);
    }

    private sealed class GoalTrace(Activity span)
    {
        public Activity Span => span;
        public Dictionary<TaskId, string> Executors { get; } = [];
    }
}
