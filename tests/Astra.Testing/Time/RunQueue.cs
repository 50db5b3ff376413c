using Astra.Kernel;

namespace Astra.Testing.Time;

/// <summary>Something that a node wants run.</summary>
internal readonly record struct VirtualTurn(VirtualDispatcher Node, Action Run);

/// <summary>
/// What is runnable now. With dice any of it may be next, each with the same chance; without, the oldest.
/// </summary>
internal sealed class RunQueue(IRandomness? dice)
{
    private readonly Queue<VirtualTurn> _line = new();
    private readonly List<VirtualTurn> _bag = [];

    public void Add(VirtualTurn turn)
    {
        if (dice is null)
            _line.Enqueue(turn);
        else
            _bag.Add(turn);
    }

    public bool TryTake(out VirtualTurn turn)
    {
        if (dice is null)
            return _line.TryDequeue(out turn);
        turn = default;
        if (_bag.Count == 0)
            return false;
        int index = dice.NextInt32(_bag.Count);
        turn = _bag[index];
        _bag[index] = _bag[^1];
        _bag.RemoveAt(_bag.Count - 1);
        return true;
    }
}
