namespace Astra.Kernel.Scheduling;

/// <summary>
/// A priority queue that its items may leave from anywhere. One that has left stays where it is until it comes to the head,
/// or until more have left than wait: it costs no search, and what can never run keeps nothing in memory behind it.
/// </summary>
/// <param name="hasLeft">Whether an item has left since it was enqueued.</param>
internal sealed class WaitingLine<TItem, TKey>(Func<TItem, bool> hasLeft)
{
    // Below this many it is not worth going through all of them.
    private const int LeftMin = 64;

    private readonly PriorityQueue<TItem, TKey> _order = new();
    private int _leftCount;

    /// <summary>Those that have not left.</summary>
    public int Count => _order.Count - _leftCount;

    public void Enqueue(TItem item, TKey key) => _order.Enqueue(item, key);

    /// <summary>The first of those that have not left.</summary>
    public bool TryPeek(out TItem item, out TKey key)
    {
        while (_order.TryPeek(out item!, out key!))
        {
            if (!hasLeft(item))
                return true;
            _order.Dequeue();
            _leftCount--;
        }
        return false;
    }

    /// <summary>Takes the first of those that have not left; there must be one.</summary>
    public TItem Dequeue()
    {
        TryPeek(out _, out _);
        var first = _order.Dequeue();
        _order.GiveBackRoom(Room.KeptByLine);
        return first;
    }

    /// <summary>One of them has just left.</summary>
    public void Leave()
    {
        _leftCount++;
        if (_leftCount <= LeftMin || _leftCount <= Count)
            return;
        var here = _order.UnorderedItems.Where(item => !hasLeft(item.Element)).ToList();
        _order.Clear();
        _order.EnqueueRange(here);
        _order.GiveBackRoom(Room.KeptByLine);
        _leftCount = 0;
    }

    public void Clear()
    {
        _order.Clear();
        _leftCount = 0;
    }
}
