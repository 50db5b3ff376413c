using Astra.Kernel.Actors;
using Astra.Kernel.Shards;
using Astra.Kernel.Workers;

namespace Astra.Kernel.Agents;

/// <summary>What every agent of a node needs.</summary>
internal sealed record AgentParts(NodeParts Node, ShardMap Map, IAgentStore Store, AgentSaver Saver, MessageRoute Route)
{
    /// <summary>The shard is this node's, under this epoch, and the lease holds on the node's own clock.</summary>
    public bool Owns(ShardId shard, Epoch epoch) => Node.Ownership.Holds && Map.LocalEpoch(shard) == epoch;
}

/// <summary>
/// An agent that is awake. It reads its row once, hands one message at a time to the code of its class, and saves what
/// the code declared before it passes the reply on. While it waits, for the row, the code or the commit, it holds no
/// thread, and no user code runs here.
/// </summary>
internal sealed class AgentActor(Activation activation, AgentParts parts) : Actor
{
    private static readonly TimeSpan FailureWindow = TimeSpan.FromMinutes(1);

    private AgentRow? _row;

    /// <summary>The shard has another owner, so what is in memory may be old.</summary>
    private bool _isDeposed;

    protected internal override async ValueTask ReceiveAsync(object message, ActorTurn turn)
    {
        var request = (AgentRequest)message;
        var sender = turn.Sender;
        AgentFailedException? failure = null;
        try
        {
            (var answer, failure) = await AnswerAsync(request, turn);
            sender?.TrySend(answer, turn.Self);
        }
        finally
        {
            parts.Node.Agents.TrySend(new AgentSettled(
                activation, StaysAwake: _row is not null && !_isDeposed, _row?.IdleTimeout ?? parts.Node.Limits.AgentIdleTimeout, _row?.State.Length ?? 0));
        }
        // Whoever sent the message knows already. The supervisor learns it now, and starts the agent anew from its row.
        if (failure is not null)
            throw failure;
    }

    private async ValueTask<(object Answer, AgentFailedException? Failure)> AnswerAsync(AgentRequest request, ActorTurn turn)
    {
        if (turn.Clock.Elapsed >= request.DueAt)
            return (new Refusal(RefusalKind.Overloaded, $"The message waited for agent {request.Agent} until its time was over; the agent never saw it.", TimeSpan.FromSeconds(1)), null);
        if (!IsOwner())
            return (Moved(), null);
        if (await LoadAsync(request) is { } refusal)
            return (refusal, null);
        return request switch
        {
            AgentRequest.Send send => await HandleAsync(send, turn),
            _ => (await RemoveAsync(), null),
        };
    }

    /// <summary>Once per activation: whoever comes meanwhile waits in the mailbox.</summary>
    private async ValueTask<Refusal?> LoadAsync(AgentRequest request)
    {
        try
        {
            _row ??= await parts.Store.LoadAsync(request.Tenant, request.Agent, CancellationToken.None);
        }
        catch (Exception e)
        {
            return new Refusal(RefusalKind.Unavailable, $"Agent {request.Agent} could not be loaded ({e.Message}). Try again in a moment.", TimeSpan.FromSeconds(1));
        }
        return _row is null ? new Refusal(RefusalKind.NotFound, $"There is no agent {request.Agent}; `agent create {request.Agent}` makes one.") : null;
    }

    private async ValueTask<(object Answer, AgentFailedException? Failure)> HandleAsync(AgentRequest.Send send, ActorTurn turn)
    {
        var call = new MessageCall
        {
            Id = parts.Node.Ids.NewId(activation.Shard), Tenant = send.Tenant, Agent = send.Agent, Class = _row!.Class, Message = send.Message,
            State = _row.State, StateVersion = _row.StateVersion, Epoch = activation.Epoch, Deadline = send.DueAt - turn.Clock.Elapsed,
        };
        var ran = await parts.Route.RunAsync(call, turn.Ending);
        if (ran.Refusal is { } refusal)
            return (refusal, null);
        return ran.Value switch
        {
            MessageOutcome.Done done => (await CommitAsync(done), null),
            MessageOutcome.Refused refused => (new Refusal(RefusalKind.Invalid, Clean(refused.Reason)), null),
            MessageOutcome.Unfit unfit => (new Refusal(RefusalKind.Failed, unfit.Reason), null),
            MessageOutcome.Lost lost => (new Refusal(
                RefusalKind.Unavailable, $"Agent {send.Agent} gave no answer: {lost.Reason}. It may have seen the message; its state is as it was.", TimeSpan.FromSeconds(1)), null),
            MessageOutcome.Failed failed => Failed(Clean(failed.Reason), turn.Clock.Elapsed),
            var other => throw new InvalidOperationException($"A message cannot end as {other.GetType().Name}."),
        };
    }

    /// <summary>Commit before reply: whoever hears of a change can rely on it.</summary>
    private async ValueTask<object> CommitAsync(MessageOutcome.Done done)
    {
        if (done.State is not { } state)
            // Nothing to commit that could find out that we are deposed. So we look.
            return IsOwner() ? new AgentReply(done.Reply) : Moved();

        AgentSaveOutcome outcome;
        try
        {
            outcome = await parts.Saver.SaveAsync(new AgentSave(activation.Shard, activation.Epoch, activation.Tenant, activation.Agent, _row!.StateVersion, state));
        }
        catch (Exception e)
        {
            // It may have got in. The next message reads the row again and sees.
            _row = null;
            return new Refusal(
                RefusalKind.Unavailable, $"Nobody knows whether the new state of agent {activation.Agent} was saved ({e.Message}). Ask the agent before you try again.", TimeSpan.FromSeconds(1));
        }
        switch (outcome)
        {
            case AgentSaveOutcome.Saved:
                _row = _row with { State = state, StateVersion = _row.StateVersion + 1 };
                return new AgentReply(done.Reply);
            case AgentSaveOutcome.Fenced:
                return Moved();
            default:
                _row = null;
                return new Refusal(RefusalKind.Conflict, $"The row of agent {activation.Agent} was changed or removed by somebody else; nothing was saved. Try again.");
        }
    }

    private async ValueTask<object> RemoveAsync()
    {
        try
        {
            var outcome = await parts.Store.RemoveAsync(activation.Shard, activation.Epoch, activation.Tenant, activation.Agent, CancellationToken.None);
            if (outcome == AgentSaveOutcome.Fenced)
                return Moved();
            _row = null;
            return outcome == AgentSaveOutcome.Saved ? new AgentReply(default) : new Refusal(RefusalKind.NotFound, $"There is no agent {activation.Agent}.");
        }
        catch (Exception e)
        {
            _row = null;
            return new Refusal(RefusalKind.Unavailable, $"The database did not say whether agent {activation.Agent} was removed ({e.Message}). Try again in a moment.", TimeSpan.FromSeconds(1));
        }
    }

    private (object, AgentFailedException) Failed(string reason, TimeSpan now)
    {
        var failures = activation.Failures;
        failures.RemoveAll(at => at <= now - FailureWindow);
        failures.Add(now);
        var isHopeless = failures.Count >= parts.Node.Limits.AgentFailuresMax;
        return (new Refusal(RefusalKind.Failed, $"Agent {activation.Agent} failed on the message: {reason.TrimEnd('.')}. Its state is as it was."), new AgentFailedException(activation.Agent, reason, isHopeless));
    }

    private bool IsOwner() => !_isDeposed && parts.Owns(activation.Shard, activation.Epoch);

    private Refusal Moved()
    {
        _isDeposed = true;
        return AgentRegion.Moved;
    }

    private string Clean(string reason) => PlainText.Clean(reason, parts.Node.Limits.ReasonLengthMax);
}
