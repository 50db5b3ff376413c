using System.Collections.Concurrent;
using Astra.Kernel;
using Astra.Kernel.Workers;
using Astra.Sdk;

namespace Astra.Gateway;

/// <summary>The attempts that one remote worker holds. What is not here, its connection has no authority over.</summary>
internal sealed class HeldTasks
{
    public const string NotHeld = "This connection does not hold that attempt.";

    private readonly ConcurrentDictionary<TaskAttempt, HeldTask> _held = new();

    public void Add(Assignment assignment) => _held[new TaskAttempt(assignment.Task.Value, assignment.Attempt)] = new HeldTask(assignment);

    public HeldTask? Find(Guid task, int attempt) => Find(new TaskAttempt(task, attempt));

    public HeldTask? Find(TaskAttempt attempt) => _held.GetValueOrDefault(attempt);

    public void Drop(TaskAttempt attempt)
    {
        if (_held.TryRemove(attempt, out var held))
            held.End();
    }

    public void DropAll()
    {
        foreach (var attempt in _held.Keys)
            Drop(attempt);
    }
}

/// <summary>An attempt that a remote worker holds, and what runs under its authority.</summary>
internal sealed class HeldTask(Assignment assignment)
{
    private readonly Lock _gate = new();
    private Action? _end;
    private CancellationToken _ending;
    private bool _hasEnded;

    public Assignment Assignment => assignment;

    /// <summary>The worker has said how it ended, and waits for the answer.</summary>
    public bool IsReported { get; set; }

    /// <summary>Made when it is first asked for: most attempts call no tool.</summary>
    public CancellationToken Ending
    {
        get
        {
            lock (_gate)
            {
                if (_hasEnded)
                    return new CancellationToken(canceled: true);
                if (_end is null)
                {
                    // Never disposed: it has no timer and no handle, and calls may still look at it when the attempt has ended.
                    var ending = new CancellationTokenSource();
                    // Revocations come from a turn of the kernel, and what a cancelled call does is not for that thread.
                    (_end, _ending) = (() => _ = ending.CancelAsync(), ending.Token);
                }
                return _ending;
            }
        }
    }

    public void End()
    {
        lock (_gate)
        {
            _hasEnded = true;
            _end?.Invoke();
        }
    }
}
