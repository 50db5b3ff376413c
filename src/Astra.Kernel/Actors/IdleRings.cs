namespace Astra.Kernel.Actors;

/// <summary>
/// Takes back the rings that a burst has left behind: an actor whose mailbox had to grow is asked after a while whether
/// it has had any mail since. It gives its ring back on its own turn, where nobody else can be reading it.
/// </summary>
/// <remarks>No timer runs while no mailbox has grown, so an idle system is quiet.</remarks>
internal sealed class IdleRings(ActorSystem system)
{
    // A burst that comes back sooner finds the ring it needs; growing it again costs a few allocations.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private List<ActorCell> _grown = [];

    public void Add(ActorCell cell)
    {
        bool isFirst;
        lock (_gate)
        {
            isFirst = _grown.Count == 0;
            _grown.Add(cell);
        }

        if (isFirst)
            system.Dispatcher.Schedule(Patience, AskAll);
    }

    private void AskAll()
    {
        List<ActorCell> grown;
        lock (_gate)
            (grown, _grown) = (_grown, []);
        foreach (var cell in grown)
            cell.Tell(new ShrinkCommand());
    }
}

internal sealed class ShrinkCommand : SystemMessage
{
    internal override void Apply(ActorCell cell) => cell.ShrinkUnlessUsed();
}
