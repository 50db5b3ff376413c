namespace Astra.Kernel.Actors;

/// <summary>
/// The living children of one parent, oldest first. They are linked through each other, so that the entry of a child
/// costs two fields of its own and no table has to grow; only names that somebody gave are looked up, by name.
/// Guarded by its owner's lock.
/// </summary>
internal sealed class Siblings
{
    private ActorCell? _oldest;
    private ActorCell? _youngest;
    private Dictionary<string, ActorCell>? _named;

    public bool IsEmpty => _oldest is null;

    public int Count { get; private set; }

    /// <summary>False: a living sibling has that name.</summary>
    public bool TryAdd(ActorCell child)
    {
        if (child.Options.Name is { } name && !(_named ??= new(StringComparer.Ordinal)).TryAdd(name, child))
            return false;
        child.Elder = _youngest;
        if (_youngest is null)
            _oldest = child;
        else
            _youngest.Younger = child;
        _youngest = child;
        Count++;
        return true;
    }

    /// <summary>False: it is not here any more.</summary>
    public bool Remove(ActorCell child)
    {
        if (!Contains(child))
            return false;
        if (child.Options.Name is { } name)
            _named!.Remove(name);
        if (child.Elder is null)
            _oldest = child.Younger;
        else
            child.Elder.Younger = child.Younger;
        if (child.Younger is null)
            _youngest = child.Elder;
        else
            child.Younger.Elder = child.Elder;
        child.Elder = child.Younger = null;
        Count--;
        return true;
    }

    public bool Contains(ActorCell child) => child.Elder is not null || child == _oldest;

    /// <summary>By the name that its path ends with.</summary>
    public ActorCell? Find(string name)
    {
        if (_named is not null && _named.TryGetValue(name, out var named))
            return named;
        for (var child = _oldest; child is not null; child = child.Younger)
            if (child.Options.Name is null && child.Name == name)
                return child;
        return null;
    }

    /// <summary>At most so many of those younger than <paramref name="elder"/>, which may be gone; from the oldest when null.</summary>
    public void CopyYounger(ActorCell? elder, int countMax, List<ActorCell> to)
    {
        var next = elder is not null && Contains(elder) ? elder.Younger : _oldest;
        while (elder is not null && next is not null && next.SpawnNumber <= elder.SpawnNumber)
            next = next.Younger;
        for (; countMax > 0 && next is not null; countMax--, next = next.Younger)
            to.Add(next);
    }

    public List<ActorCell> ToList()
    {
        var children = new List<ActorCell>();
        for (var child = _oldest; child is not null; child = child.Younger)
            children.Add(child);
        return children;
    }
}
