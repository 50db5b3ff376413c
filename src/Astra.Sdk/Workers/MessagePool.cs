using System.Collections.Concurrent;
using System.Text.Json;

namespace Astra.Sdk;

/// <summary>How an agent took a message, as its worker says it.</summary>
public abstract record MessageResult
{
    /// <param name="State">Null: as it was.</param>
    public sealed record Done(JsonElement Reply, JsonElement? State) : MessageResult;

    public sealed record Refused(string Reason) : MessageResult;

    public sealed record Failed(string Reason) : MessageResult;
}

/// <summary>Runs messages side by side, each under a token of its own. It counts nothing: the server knows how many it gave.</summary>
public sealed class MessagePool
{
    private readonly ConcurrentDictionary<Guid, Running> _running = new();

    /// <summary>Queues and returns.</summary>
    /// <param name="run">Handles the message and says how it went; must not throw.</param>
    public void Start(Guid call, Func<CancellationToken, Task> run)
    {
        // Never disposed: it has no timer and no handle, and may be cancelled when the message has ended.
        var cancelling = new CancellationTokenSource();
        var started = new Running(cancelling, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        if (!_running.TryAdd(call, started))
            return;
        _ = Task.Run(async () =>
        {
            try
            {
                await run(cancelling.Token);
            }
            finally
            {
                _running.TryRemove(call, out _);
                started.Ended.SetResult();
            }
        });
    }

    /// <summary>Returns at once: what a cancelled message does is not for the caller's thread.</summary>
    public void Cancel(Guid call)
    {
        if (_running.TryGetValue(call, out var running))
            _ = running.Cancelling.CancelAsync();
    }

    public void CancelAll()
    {
        foreach (var call in _running.Keys)
            Cancel(call);
    }

    /// <summary>Completes when what runs now has ended.</summary>
    public Task WhenEmptyAsync() => Task.WhenAll(_running.Values.Select(running => running.Ended.Task));

    private sealed record Running(CancellationTokenSource Cancelling, TaskCompletionSource Ended);
}
