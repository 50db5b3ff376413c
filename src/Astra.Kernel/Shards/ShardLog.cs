using Astra.Kernel.Actors;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Shards;

/// <summary>
/// A shard's end of the journal: numbers entries, hands them over, and holds back every reply and effect until the entries
/// it rests on are durable.
/// </summary>
/// <remarks>Journal first, then reply. If we die between the two the caller retries and gets the same answer; the other
/// way round it would be told about a result that never existed.</remarks>
internal sealed class ShardLog(ShardId shard, IClock clock, JournalWriter writer) : IRecorder
{
    private readonly Queue<Deferred> _deferred = [];

    // In the order of their entries. The last may still be open; what is before it is in the commit that is under way.
    private readonly List<JournalAppend> _underWay = [];
    private List<JournalEntry> _next = [];
    private Epoch _epoch;

    /// <summary>Called for each entry as it is recorded; answers what it will cause.</summary>
    public Func<Goal, TaskNode?, JournalEntry, Action?>? Recorded { get; set; }

    /// <summary>Called for each of those entries once it is durable, before what it causes.</summary>
    public Action<JournalEntry>? Committed { get; set; }

    /// <summary>The latest entry that was decided.</summary>
    public long LastSeq { get; private set; }

    /// <summary>The latest entry that is durable.</summary>
    public long CommittedSeq { get; private set; }

    public void Open(Epoch epoch, long lastSeq) => (_epoch, LastSeq, CommittedSeq) = (epoch, lastSeq, lastSeq);

    public JournalEntry Record(Goal goal, TaskNode? task, KernelEvent kernelEvent, TaskState? from, TaskCommand? command, TaskState? to) =>
        Record(goal, goal.Id, goal.Tenant, task, kernelEvent, from, command, to);

    /// <summary>The entry that begins a goal, which there is not yet.</summary>
    public JournalEntry RecordSubmission(GoalId goal, TenantId tenant, KernelEvent.GoalSubmitted submitted) =>
        Record(null, goal, tenant, null, submitted, null, null, null);

    /// <summary>Takes the latest entry back, in the same turn that recorded it, before anything rests on it.</summary>
    public void Retract(JournalEntry entry)
    {
        if (entry.Seq != LastSeq || !ReferenceEquals(_next[^1], entry))
            throw new InvalidOperationException($"Entry {entry.Seq} of shard {shard} is not the latest one.");
        _next.RemoveAt(_next.Count - 1);
        LastSeq--;
    }

    /// <summary>Runs <paramref name="effect"/> when everything recorded so far is durable; at once if it is.</summary>
    /// <param name="effect">Must not fail: what it rests on is true by then.</param>
    public void Defer(Action effect)
    {
        if (CommittedSeq == LastSeq || Mutants.EffectBeforeCommit)
            effect();
        else
            _deferred.Enqueue(new Deferred(LastSeq, null, effect, null, null));
    }

    /// <summary>Sends an answer when everything recorded so far is durable; whoever waits for it is told to try again if the
    /// shard is lost first.</summary>
    public void DeferReply<T>(ActorRef? waiting, Answer<T> answer)
    {
        if (waiting is null)
            return;
        object reply = answer.Refusal is { } refusal ? refusal : answer.Value!;
        if (CommittedSeq == LastSeq || Mutants.AcknowledgeBeforeCommit)
            waiting.TrySend(reply);
        else
            _deferred.Enqueue(new Deferred(LastSeq, null, null, waiting, reply));
    }

    /// <summary>Looks what has become of the appends under way, and hands over what has been decided since.</summary>
    /// <returns>How many entries have become durable.</returns>
    public int Advance(ActorRef self)
    {
        var committed = 0;
        while (_underWay is [{ IsEnded: true } append, ..])
        {
            _underWay.RemoveAt(0);
            if (append.Outcome != AppendOutcome.Committed && !Mutants.FailedCommitAcknowledged)
                throw new ShardLostException(append.Describe());
            committed += append.Count;
            CommittedSeq += append.Count;
            while (_deferred.TryPeek(out var first) && first.Seq <= (Mutants.DispatchBeforeCommit ? LastSeq : CommittedSeq))
                Run(_deferred.Dequeue());
        }
        if (_next.Count > 0)
            HandOver(self);
        return committed;
    }

    public void GiveBackRoom() => _deferred.GiveBackRoom();

    private void HandOver(ActorRef self)
    {
        var last = _underWay is [.., var latest] ? latest : null;
        if (last?.TryAdd(_next) != true)
        {
            var append = new JournalAppend(shard, _epoch, _next, self, last);
            _underWay.Add(append);
            writer.Enqueue(append);
        }
        _next = [];
    }

    /// <summary>The shard is lost: whoever waits is told that nobody knows, and that asking again is harmless.</summary>
    public void Abandon()
    {
        foreach (var deferred in _deferred)
            deferred.Waiting?.TrySend(ShardActor.Lost);
        _deferred.Clear();
    }

    private void Run(Deferred deferred)
    {
        if (deferred.Entry is { } entry)
            Committed?.Invoke(entry);
        deferred.Effect?.Invoke();
        deferred.Waiting?.TrySend(deferred.Reply!);
    }

    private JournalEntry Record(
        Goal? goal, GoalId goalId, TenantId tenant, TaskNode? task, KernelEvent kernelEvent, TaskState? from, TaskCommand? command, TaskState? to)
    {
        var entry = new JournalEntry
        {
            Shard = shard,
            Seq = ++LastSeq,
            At = clock.UtcNow,
            Tenant = tenant,
            Goal = goalId,
            Task = task?.Id,
            Kind = kernelEvent.Kind,
            From = from,
            Command = command,
            To = to,
            Attempt = (task?.Attempt ?? 0) + (command == TaskCommand.Claim && !(Mutants.DoubleDispatchAfterReconnect && task!.ExpiryCount > 0) ? 1 : 0),
            CodecVersion = EventCodec.VersionOf(kernelEvent),
            Data = EventCodec.Encode(kernelEvent),
        };
        _next.Add(entry);
        if (goal is not null)
            _deferred.Enqueue(new Deferred(entry.Seq, entry, Recorded?.Invoke(goal, task, entry), null, null));
        return entry;
    }

    /// <summary>What waits for an entry to be durable: its own effect, something else, or a reply.</summary>
    private readonly record struct Deferred(long Seq, JournalEntry? Entry, Action? Effect, ActorRef? Waiting, object? Reply);
}
