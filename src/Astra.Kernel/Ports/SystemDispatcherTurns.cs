namespace Astra.Kernel;

/// <summary>Turns in the order in which they were added, to be taken from either end. One thread's.</summary>
internal struct Turns
{
    private const int FirstLength = 16;

    // A struct around each: storing into an array of interfaces would check the type of every element.
    private Place[] _places = [];
    private int _oldest;
    private int _count;

    public Turns()
    {
    }

    public readonly int Count => Volatile.Read(in _count);

    public void Add(IThreadPoolWorkItem turn)
    {
        if (_count == _places.Length)
            Grow();
        _places[(_oldest + _count) & (_places.Length - 1)].Turn = turn;
        _count++;
    }

    public IThreadPoolWorkItem TakeNewest()
    {
        _count--;
        return Empty((_oldest + _count) & (_places.Length - 1));
    }

    public IThreadPoolWorkItem TakeOldest()
    {
        int oldest = _oldest;
        _oldest = (oldest + 1) & (_places.Length - 1);
        _count--;
        return Empty(oldest);
    }

    public void MoveOldestTo(ref Turns other, int count)
    {
        for (; count > 0; count--)
            other.Add(TakeOldest());
    }

    private readonly IThreadPoolWorkItem Empty(int index)
    {
        ref var place = ref _places[index];
        var turn = place.Turn!;
        place.Turn = null;
        return turn;
    }

    private void Grow()
    {
        var bigger = new Place[Math.Max(_places.Length * 2, FirstLength)];
        for (int i = 0; i < _count; i++)
            bigger[i] = _places[(_oldest + i) & (_places.Length - 1)];
        (_places, _oldest) = (bigger, 0);
    }

    private struct Place
    {
        public IThreadPoolWorkItem? Turn;
    }
}
