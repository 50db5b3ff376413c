using System.Diagnostics.CodeAnalysis;

namespace Astra.Kernel.Scheduling;

/// <summary>Ready tasks that must not start yet, by when they are due.</summary>
internal sealed class LaterTasks
{
    private readonly Dictionary<TaskId, ReadyTask> _byId = [];
    private readonly WaitingLine<ReadyTask, DateTimeOffset> _line;

    public LaterTasks() => _line = new(ready => !ReferenceEquals(_byId.GetValueOrDefault(ready.Task), ready));

    public int Count => _byId.Count;

    public IReadOnlyCollection<ReadyTask> All => _byId.Values;

    /// <summary>When the first of them is due.</summary>
    public DateTimeOffset? NextDue => _line.TryPeek(out _, out var due) ? due : null;

    public ReadyTask? Find(TaskId task) => _byId.GetValueOrDefault(task);

    /// <summary>It must not be among them.</summary>
    public void Add(ReadyTask ready, DateTimeOffset due)
    {
        _byId.Add(ready.Task, ready);
        _line.Enqueue(ready, due);
    }

    public void Remove(TaskId task)
    {
        if (!_byId.Remove(task))
            return;
        _line.Leave();
        _byId.GiveBackRoom(Room.KeptByNode);
    }

    public bool TryTakeDue(DateTimeOffset now, [MaybeNullWhen(false)] out ReadyTask ready)
    {
        ready = null;
        if (!(NextDue <= now))
            return false;
        ready = _line.Dequeue();
        _byId.Remove(ready.Task);
        _byId.GiveBackRoom(Room.KeptByNode);
        return true;
    }

    /// <returns>All there were, in an order that is the same in every run.</returns>
    public IReadOnlyList<ReadyTask> TakeAll()
    {
        var all = _byId.Values.OrderBy(ready => ready.Task.Value).ToList();
        _byId.Clear();
        _line.Clear();
        return all;
    }
}
