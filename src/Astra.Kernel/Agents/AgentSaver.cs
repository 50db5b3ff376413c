using System.Collections.Concurrent;
using Astra.Kernel.Actors;

namespace Astra.Kernel.Agents;

/// <summary>
/// Group commit for the states of agents, as the journal writer does it for the log: drain, commit, tell, repeat. One
/// commit at a time, so that a thousand agents at once do not keep the log from its connections.
/// </summary>
internal sealed class AgentSaver(IAgentStore store, KernelLimits limits) : Actor
{
    private static readonly object Wake = new();

    private readonly ConcurrentQueue<PendingSave> _queue = [];
    private ActorRef? _self;
    private List<PendingSave>? _underWay;
    private int _isAwake;

    public void Attach(ActorRef self) => _self = self;

    /// <summary>Durable when it answers. When it throws nobody knows whether the state got in.</summary>
    public Task<AgentSaveOutcome> SaveAsync(AgentSave save)
    {
        var pending = new PendingSave(save);
        _queue.Enqueue(pending);
        if (Interlocked.Exchange(ref _isAwake, 1) == 0)
            _self!.TrySend(Wake);
        return pending.Outcome.Task;
    }

    /// <summary>Nobody hears any more how a commit of the incarnation before ends. Its agents are told that nobody knows.</summary>
    protected internal override ValueTask StartedAsync(ActorTurn turn)
    {
        if (turn.Incarnation == 1)
            return default;
        foreach (var lost in Interlocked.Exchange(ref _underWay, null) ?? [])
            lost.Outcome.TrySetException(new ActorStoppedException(turn.Self.Path));
        Volatile.Write(ref _isAwake, 1);
        turn.Self.TrySend(Wake);
        return default;
    }

    protected internal override async ValueTask ReceiveAsync(object message, ActorTurn turn)
    {
        do
        {
            while (Drain() is { Count: > 0 } batch)
            {
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

    protected internal override ValueTask StoppedAsync(ActorTurn turn)
    {
        while (_queue.TryDequeue(out var pending))
            pending.Outcome.TrySetException(new ActorStoppedException(turn.Self.Path));
        return default;
    }

    private List<PendingSave> Drain()
    {
        var batch = new List<PendingSave>();
        while (batch.Count < limits.AgentSavesPerCommitMax && _queue.TryDequeue(out var pending))
            batch.Add(pending);
        return batch;
    }

    private async ValueTask CommitAsync(List<PendingSave> batch)
    {
        _underWay = batch;
        try
        {
            var outcomes = await store.SaveAsync([.. batch.Select(pending => pending.Save)], CancellationToken.None);
            for (var i = 0; i < batch.Count; i++)
                batch[i].Outcome.TrySetResult(outcomes[i]);
        }
        catch (Exception e)
        {
            foreach (var pending in batch)
                pending.Outcome.TrySetException(e);
        }
        Interlocked.CompareExchange(ref _underWay, null, batch);
    }

    private sealed class PendingSave(AgentSave save)
    {
        public AgentSave Save => save;
        public TaskCompletionSource<AgentSaveOutcome> Outcome { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
