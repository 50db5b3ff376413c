using Astra.Kernel.Actors;

namespace Astra.Kernel.Agents;

/// <summary>
/// The agents that are awake on this node: one child each. It wakes an agent with the first message, counts what each
/// has in hand, and puts to sleep who has been idle for long enough, or longest when there is no room.
/// </summary>
/// <remarks>Every message to an agent passes here, so an agent that has nothing in hand has nothing in its mailbox
/// either, and can be stopped without losing anything. One region is enough: passing on is two look-ups.</remarks>
internal sealed class AgentRegion(AgentParts parts) : Actor
{
    public static readonly Refusal Moved = new(
        RefusalKind.Unavailable, "The agent is moving from one owner to another, and nothing that it did with the message was kept. Try again in a moment.", TimeSpan.FromMilliseconds(500));

    private static readonly TimeSpan FullDelay = TimeSpan.FromSeconds(1);

    private static readonly object Sweep = new();

    /// <summary>An agent's own failure starts it anew, with growing delays; one that fails and fails is stopped, and so is
    /// one that fails in any other way. Neither is a reason to touch the others, so nothing escalates.</summary>
    public static readonly SupervisionPolicy AgentSupervision = new(
        decide: static failure => failure is AgentFailedException { IsHopeless: false } ? Directive.Restart : Directive.Stop);

    private readonly Dictionary<(TenantId, string), Activation> _awake = [];
    private readonly Dictionary<ActorRef, Activation> _byActor = [];

    // Those with nothing in hand, twice: by when they were last used, and by when they fall asleep.
    private readonly LinkedList<Activation> _idle = [];
    private readonly SortedSet<Activation> _bySleep = new(Comparer<Activation>.Create(static (left, right) =>
        left.SleepAt != right.SleepAt ? left.SleepAt.CompareTo(right.SleepAt) : left.Number.CompareTo(right.Number)));
    private long _wokenCount;
    private long _stateBytes;
    private bool _isSweepSet;

    private KernelLimits Limits => parts.Node.Limits;

    protected internal override ValueTask ReceiveAsync(object message, ActorTurn turn)
    {
        switch (message)
        {
            case AgentRequest request:
                Pass(request, turn.Sender, turn);
                break;
            case AgentSettled settled:
                Settle(settled, turn);
                break;
            case Terminated terminated when _byActor.Remove(terminated.Actor, out var gone):
                Forget(gone, turn);
                break;
            case var sweep when ReferenceEquals(sweep, Sweep):
                _isSweepSet = false;
                PutToSleep(turn);
                break;
        }
        return default;
    }

    private void Pass(AgentRequest request, ActorRef? sender, ActorTurn turn)
    {
        if (!parts.Node.Ownership.Holds || parts.Map.LocalEpoch(request.Shard) is not { } epoch)
        {
            sender?.TrySend(Moved);
            return;
        }

        if (_awake.TryGetValue((request.Tenant, request.Agent), out var activation))
        {
            // What was awake under an older epoch may have missed what another owner did.
            if (!activation.IsOver && activation.Epoch != epoch)
                End(activation, turn);
        }
        else if (Wake(request, epoch, turn) is { } woken)
            activation = woken;
        else
        {
            sender?.TrySend(new Refusal(RefusalKind.Overloaded, $"{Limits.ActiveAgentsMax} agents are awake and busy here, which is the limit. Try again in a second.", FullDelay));
            return;
        }

        if (activation.IsOver || !TryHand(request, sender, activation))
            Keep(request, sender, activation);
    }

    /// <summary>Null when there is no room and nobody idle to make some.</summary>
    private Activation? Wake(AgentRequest request, Epoch epoch, ActorTurn turn)
    {
        if (_awake.Count >= Limits.ActiveAgentsMax)
        {
            if (_idle.First is not { } longest)
                return null;
            End(longest.Value, turn);
        }
        var activation = new Activation(request.Tenant, request.Agent, request.Shard, epoch) { Number = ++_wokenCount };
        activation.Actor = turn.Spawn(new ActorOptions
        {
            Name = $"{request.Agent}@{request.Tenant}",
            Create = () => new AgentActor(activation, parts),
            MailboxCapacityMax = Limits.AgentMailboxMax,
        });
        turn.Watch(activation.Actor);
        _awake.Add((request.Tenant, request.Agent), activation);
        _byActor.Add(activation.Actor, activation);
        return activation;
    }

    /// <returns>False when the actor is stopping, though we had not asked it to.</returns>
    private bool TryHand(AgentRequest request, ActorRef? sender, Activation activation)
    {
        switch (activation.Actor.TrySend(request, sender))
        {
            case SendResult.Ok:
                activation.InHand++;
                LeaveIdle(activation);
                return true;
            case SendResult.Full:
                sender?.TrySend(Full(activation));
                return true;
            default:
                activation.IsOver = true;
                LeaveIdle(activation);
                return false;
        }
    }

    /// <summary>Its actor is stopping. What comes meanwhile wakes it anew.</summary>
    private void Keep(AgentRequest request, ActorRef? sender, Activation activation)
    {
        var waiting = activation.Waiting ??= new Queue<(AgentRequest, ActorRef?)>();
        if (waiting.Count >= Limits.AgentMailboxMax)
            sender?.TrySend(Full(activation));
        else
            waiting.Enqueue((request, sender));
    }

    private Refusal Full(Activation activation) => new(
        RefusalKind.Overloaded, $"{Limits.AgentMailboxMax} messages wait for agent {activation.Agent}, which is its limit. Try again in a second.", FullDelay);

    private void Settle(AgentSettled settled, ActorTurn turn)
    {
        var activation = settled.Activation;
        if (!_byActor.ContainsKey(activation.Actor))
            return;
        activation.InHand--;
        _stateBytes += settled.StateBytes - activation.StateBytes;
        activation.StateBytes = settled.StateBytes;
        if (activation.IsOver)
            return;
        if (!settled.StaysAwake)
            End(activation, turn);
        else if (activation.InHand == 0)
            EnterIdle(activation, settled.IdleTimeout, turn);
        while (_stateBytes > Limits.ActiveAgentStateBytesMax && _idle.First is { } longest)
            End(longest.Value, turn);
    }

    /// <summary>From here on nothing is sent to its actor, which ends with what it has in hand.</summary>
    private void End(Activation activation, ActorTurn turn)
    {
        activation.IsOver = true;
        _stateBytes -= activation.StateBytes;
        activation.StateBytes = 0;
        LeaveIdle(activation);
        turn.Stop(activation.Actor);
    }

    private void Forget(Activation gone, ActorTurn turn)
    {
        (gone.IsOver, var stateBytes) = (true, gone.StateBytes);
        _stateBytes -= stateBytes;
        LeaveIdle(gone);
        _awake.Remove((gone.Tenant, gone.Agent));
        while (gone.Waiting is { } waiting && waiting.TryDequeue(out var next))
            Pass(next.Request, next.Sender, turn);
    }

    // ---- Sleep ----------------------------------------------------------------------------------------------------

    private void EnterIdle(Activation activation, TimeSpan timeout, ActorTurn turn)
    {
        activation.IdlePlace = _idle.AddLast(activation);
        activation.SleepAt = turn.Clock.Elapsed + timeout;
        _bySleep.Add(activation);
        SetSweep(turn);
    }

    private void LeaveIdle(Activation activation)
    {
        if (activation.IdlePlace is not { } place)
            return;
        _idle.Remove(place);
        _bySleep.Remove(activation);
        activation.IdlePlace = null;
    }

    private void SetSweep(ActorTurn turn)
    {
        if (_isSweepSet || _bySleep.Count == 0)
            return;
        _isSweepSet = true;
        turn.Schedule(Limits.AgentSweepInterval, Sweep);
    }

    private void PutToSleep(ActorTurn turn)
    {
        while (_bySleep.Min is { } next && next.SleepAt <= turn.Clock.Elapsed)
            End(next, turn);
        SetSweep(turn);
    }
}
