using System.Collections.Concurrent;

namespace Astra.Llm.Caching;

/// <summary>
/// The answers that one node keeps in memory, bounded in bytes and in time. Looking takes no lock; what leaves when there is no
/// room is what nobody has wanted since it was last its turn.
/// </summary>
internal sealed class AnswerStore(TimeProvider clock)
{
    // More spellings of one request than this are found by reading it.
    private const int AliasesMax = 32;
    private const int AliasBytes = 256;

    private readonly ConcurrentDictionary<Digest, CachedAnswer> _answers = new();
    private readonly ConcurrentDictionary<RawKey, PreparedAnswer> _prepared = new();
    private readonly LinkedList<CachedAnswer> _queue = new();
    private readonly Lock _gate = new();
    private volatile CacheLimits _limits = new();
    private long _bytes;

    public long Bytes => Volatile.Read(ref _bytes);
    public int Count => _answers.Count;

    public void Limit(CacheLimits limits)
    {
        _limits = limits;
        lock (_gate)
            MakeRoom();
    }

    public PreparedAnswer? Find(in RawKey raw) => _prepared.TryGetValue(raw, out var prepared) && IsAlive(prepared.Answer) ? prepared : null;

    public CachedAnswer? Find(Digest key) => _answers.TryGetValue(key, out var answer) && IsAlive(answer) ? answer : null;

    public void Add(Digest key, CachedAnswer answer)
    {
        if (answer.Bytes > _limits.AnswerBytesMax)
            return;
        lock (_gate)
        {
            if (_answers.TryGetValue(key, out var former))
                Remove(former);
            (answer.Key, answer.StoredAt, answer.Place) = (key, clock.GetTimestamp(), _queue.AddLast(answer));
            _answers[key] = answer;
            _bytes += answer.Bytes;
            MakeRoom();
        }
    }

    /// <summary>The answer in the form that is wanted, which stays with it and is counted.</summary>
    public PreparedAnswer Prepare(CachedAnswer answer, AnswerForm form)
    {
        lock (_gate)
        {
            var before = answer.Bytes;
            var prepared = new PreparedAnswer(answer, answer.In(form), form != AnswerForm.Whole);
            if (answer.Place is null)
                return prepared; // It has left meanwhile, or was never kept.
            _bytes += answer.Bytes - before;
            MakeRoom();
            return prepared;
        }
    }

    /// <summary>The answer in the form that is wanted; the next request of the same bytes is given it unread.</summary>
    public PreparedAnswer Prepare(in RawKey raw, CachedAnswer answer, AnswerForm form)
    {
        lock (_gate)
        {
            var prepared = Prepare(answer, form);
            var before = answer.Bytes;
            if (answer.Place is null)
                return prepared;
            if (answer.Aliases.Count < AliasesMax && _prepared.TryAdd(raw, prepared))
            {
                answer.Aliases.Add(raw);
                answer.Charge(AliasBytes);
            }
            _bytes += answer.Bytes - before;
            MakeRoom();
            return prepared;
        }
    }

    private bool IsAlive(CachedAnswer answer)
    {
        if (clock.GetElapsedTime(answer.StoredAt) < _limits.TimeToLive)
        {
            // Written once only, so that hits on many cores do not fight for the line.
            if (!answer.WasUsed)
                answer.WasUsed = true;
            return true;
        }
        lock (_gate)
            Remove(answer);
        return false;
    }

    private void MakeRoom()
    {
        while (_bytes > _limits.BytesMax && _queue.First is { } first)
        {
            if (first.Value.WasUsed)
            {
                first.Value.WasUsed = false;
                _queue.RemoveFirst();
                _queue.AddLast(first);
            }
            else
            {
                Remove(first.Value);
            }
        }
    }

    private void Remove(CachedAnswer answer)
    {
        if (answer.Place is not { } place)
            return;
        answer.Place = null;
        _queue.Remove(place);
        _bytes -= answer.Bytes;
        _answers.TryRemove(new KeyValuePair<Digest, CachedAnswer>(answer.Key, answer));
        foreach (var alias in answer.Aliases)
            _prepared.TryRemove(alias, out _);
    }
}
