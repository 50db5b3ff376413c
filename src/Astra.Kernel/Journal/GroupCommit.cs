using System.Collections.Concurrent;
using Astra.Kernel.Actors;

namespace Astra.Kernel.Journal;

/// <summary>
/// Commits what many have brought at once. No timer: drain, commit, tell, repeat; alone, an item waits for nobody, and
/// under load the batches grow by themselves. One commit at a time.
/// </summary>
/// <param name="weightMax">A batch is full when what is in it weighs this much.</param>
internal abstract class GroupCommit<TItem>(int weightMax) : Actor
    where TItem : class
{
    private static readonly object Wake = new();

    private readonly ConcurrentQueue<TItem> _queue = [];
    private ActorRef? _self;
    private List<TItem>? _underWay;
    private int _isAwake;

    public void Attach(ActorRef self) => _self = self;

    /// <summary>From any thread.</summary>
    public void Enqueue(TItem item)
    {
        _queue.Enqueue(item);
        if (Interlocked.Exchange(ref _isAwake, 1) == 0)
            _self!.TrySend(Wake);
    }

    protected virtual int WeightOf(TItem item) => 1;

    /// <summary>The item is in a batch: from now on it is as it is.</summary>
    protected virtual void Close(TItem item)
    {
    }

    /// <summary>Commits the batch, calls <see cref="Ended"/>, and then tells whoever waits. Does not throw.</summary>
    protected abstract ValueTask CommitAsync(List<TItem> batch);

    /// <summary>The incarnation that was committing these is no more, and nobody hears any more how that ends.</summary>
    protected abstract void Lose(List<TItem> batch, ActorTurn turn);

    /// <summary>How each of these ended is known: whoever follows has nothing to say about them.</summary>
    protected void Ended(List<TItem> batch) => Interlocked.CompareExchange(ref _underWay, null, batch);

    protected bool TryTake(out TItem item) => _queue.TryDequeue(out item!);

    protected internal sealed override ValueTask StartedAsync(ActorTurn turn)
    {
        if (turn.Incarnation == 1)
            return default;
        if (Interlocked.Exchange(ref _underWay, null) is { } lost)
            Lose(lost, turn);
        Volatile.Write(ref _isAwake, 1);
        turn.Self.TrySend(Wake);
        return default;
    }

    protected internal sealed override async ValueTask ReceiveAsync(object message, ActorTurn turn)
    {
        do
        {
            while (Drain() is { Count: > 0 } batch)
            {
                _underWay = batch;
                await CommitAsync(batch);
                // What waits is the successor's.
                if (turn.IsRevoked)
                    return;
            }
            Volatile.Write(ref _isAwake, 0);
            // Whoever enqueued after the last drain and before the line above saw us awake and sent nothing.
        }
        while (!_queue.IsEmpty && Interlocked.Exchange(ref _isAwake, 1) == 0);
    }

    private List<TItem> Drain()
    {
        var batch = new List<TItem>();
        var weight = 0;
        while (weight < weightMax && _queue.TryDequeue(out var item))
        {
            batch.Add(item);
            weight += WeightOf(item);
        }
        // Only now: whoever has more to commit than a closed item took brings another, and that belongs to the next batch.
        foreach (var item in batch)
            Close(item);
        return batch;
    }
}
