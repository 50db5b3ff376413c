using Astra.Kernel.Shards;

namespace Astra.Kernel.Workers;

/// <summary>Who is connected to this node. Kept outside of the scheduler, whose successor begins with it.</summary>
internal sealed class WorkerRoster
{
    private readonly Lock _gate = new();
    private readonly List<(WorkerHandle Worker, bool IsDraining)> _connected = [];

    /// <summary>In the order in which they came.</summary>
    public IReadOnlyList<(WorkerHandle Worker, bool IsDraining)> Connected
    {
        get
        {
            lock (_gate)
                return [.. _connected];
        }
    }

    public void Add(WorkerHandle worker)
    {
        lock (_gate)
            _connected.Add((worker, false));
    }

    public void Drain(WorkerId worker)
    {
        lock (_gate)
        {
            var index = _connected.FindIndex(one => one.Worker.Id == worker);
            if (index >= 0)
                _connected[index] = (_connected[index].Worker, true);
        }
    }

    public void Remove(WorkerId worker)
    {
        lock (_gate)
            _connected.RemoveAll(one => one.Worker.Id == worker);
    }
}
