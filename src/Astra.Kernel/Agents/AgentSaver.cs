using Astra.Kernel.Actors;
using Astra.Kernel.Journal;

namespace Astra.Kernel.Agents;

/// <summary>The commits of the states of agents, as the journal writer does it for the log, so that a thousand agents at once
/// do not keep the log from its connections.</summary>
internal sealed class AgentSaver(IAgentStore store, KernelLimits limits) : GroupCommit<PendingSave>(limits.AgentSavesPerCommitMax)
{
    /// <summary>Durable when it answers. When it throws nobody knows whether the state got in.</summary>
    public Task<AgentSaveOutcome> SaveAsync(AgentSave save)
    {
        var pending = new PendingSave(save);
        Enqueue(pending);
        return pending.Outcome.Task;
    }

    protected override async ValueTask CommitAsync(List<PendingSave> batch)
    {
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
        Ended(batch);
    }

    /// <summary>Their agents are told that nobody knows.</summary>
    protected override void Lose(List<PendingSave> batch, ActorTurn turn)
    {
        foreach (var lost in batch)
            lost.Outcome.TrySetException(new ActorStoppedException(turn.Self.Path));
    }

    protected internal override ValueTask StoppedAsync(ActorTurn turn)
    {
        while (TryTake(out var pending))
            pending.Outcome.TrySetException(new ActorStoppedException(turn.Self.Path));
        return default;
    }
}

internal sealed class PendingSave(AgentSave save)
{
    public AgentSave Save => save;
    public TaskCompletionSource<AgentSaveOutcome> Outcome { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
}
