using System.Runtime.CompilerServices;
using Astra.Kernel.Actors;
using Astra.Kernel.Controls;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Shards;

/// <summary>Asks a shard, wherever it is, and turns everything that can go wrong on the way into a refusal.</summary>
/// <remarks>What people ask of a shard of another node is refused with its address: the gateway hands the request on with
/// their own key. What workers report goes over the bus, once: a node that is asked and does not own the shard refuses.</remarks>
internal sealed class ShardDoor(ShardMap map, NodeId self, BusLine bus, IDispatcher dispatcher)
{
    private static readonly TimeSpan AskTimeout = TimeSpan.FromSeconds(15);

    // Shorter than a report's patience, so that a lost message is sent again within it.
    private static readonly TimeSpan BusTimeout = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan BusRetryDelay = TimeSpan.FromMilliseconds(500);

    private static readonly Refusal Full = new(RefusalKind.Overloaded, "The shard has more requests than it can queue. Try again in a moment.", TimeSpan.FromMilliseconds(100));

    /// <summary>Called when another node says that somebody has changed the controls.</summary>
    public Action? ControlsChanged { get; set; }

    /// <summary>Called when another node wants this one to look at the leases; ends when it has.</summary>
    public Func<ValueTask>? LooksAtLeases { get; set; }

    // Every report comes this way and waits for its commit: what it waits in is used again.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<Answer<T>> AskAsync<T>(ShardId shard, object request)
    {
        if (map.Local(shard) is not { } actor)
            return WhyNotHere(shard);
        try
        {
            return await actor.AskAsync<object>(request, AskTimeout) switch
            {
                Refusal refusal => refusal,
                T value => value,
                var other => throw new InvalidOperationException($"Shard {shard} answered {request.GetType().Name} with {other.GetType().Name}."),
            };
        }
        catch (MailboxFullException)
        {
            return Full;
        }
        catch (ActorStoppedException)
        {
            return ShardActor.Starting;
        }
        catch (MessageFailedException)
        {
            return ShardActor.Lost;
        }
        catch (AskTimeoutException)
        {
            return new Refusal(RefusalKind.Unavailable,
                "The shard has not answered in time; its database may be slow or gone. Try again with the same Idempotency-Key.", TimeSpan.FromSeconds(1));
        }
    }

    // A shard that is ours and not here is being loaded; whoever asks must not be sent round in a circle.
    public Refusal WhyNotHere(ShardId shard) => map.Owner(shard) is { } owner && owner.Node != self
        ? new Refusal(RefusalKind.Elsewhere, $"Shard {shard} belongs to node {owner.Node}.", Address: owner.Address) { IsMoving = true }
        : ShardActor.Starting;

    public bool IsHere(ShardId shard) => map.Local(shard) is not null;

    /// <param name="isHere">Whether the shard of this node is asked.</param>
    public ValueTask<Answer<TaskState>> ReportAsync(WorkerReport report, out bool isHere) => AskWhereverAsync<TaskState>(report.Attempt.Task.Shard, report, out isHere);

    /// <param name="renew">Attempts of this shard only.</param>
    public ValueTask<Answer<LostLeases>> RenewAsync(ShardId shard, RenewLeases renew) => AskWhereverAsync<LostLeases>(shard, renew, out _);

    public ValueTask<Answer<GoalsSeen>> SeeAsync(ShardId shard, SeeGoals question) => AskWhereverAsync<GoalsSeen>(shard, question, out _);

    /// <summary>Says it once and does not wait. If it is lost the shard finds out when it looks again.</summary>
    public void Tell(GoalsEnded ended)
    {
        if (map.Local(ended.Shard) is { } actor)
            actor.TrySend(ended);
        else if (map.Owner(ended.Shard) is { } owner && owner.Node != self)
            _ = AskOverBusAsync<GoalsSeen>(owner, ended).AsTask();
    }

    /// <summary>Says it once and does not wait. If it is lost the lease ends by itself, a little later.</summary>
    public void Tell(WorkerReport report)
    {
        if (map.Local(report.Attempt.Task.Shard) is { } actor)
            actor.TrySend(report);
        else
            _ = ReportAsync(report, out _).AsTask();
    }

    /// <summary>Tells the other nodes, once, that somebody has changed the controls. Where the word is lost they see it
    /// when they next look at the version.</summary>
    public void TellControlsChanged()
    {
        foreach (var other in map.Nodes)
            if (other.IsAlive && other.Node.Node != self)
                _ = AskOverBusAsync<LostLeases>(other.Node, ReadControls.Instance).AsTask();
    }

    /// <summary>Has every other node look at the leases, and waits until all of them have, or have not answered in time.</summary>
    public Task HaveOthersLookAsync() => Task.WhenAll(map.Nodes.Where(other => other.IsAlive && other.Node.Node != self)
        .Select(other => AskOverBusAsync<LostLeases>(other.Node, LookAtLeases.Instance).AsTask()));

    /// <summary>What another node asks. Never asks on: two nodes that each take the other for the owner would not stop.</summary>
    public async ValueTask<ReadOnlyMemory<byte>> AnswerAsync(ReadOnlyMemory<byte> question)
    {
        try
        {
            var asked = BusCodec.DecodeQuestion(question.Span);
            if (asked is ReadControls)
                ControlsChanged?.Invoke();
            if (asked is LookAtLeases && LooksAtLeases is { } look)
                await look();
            return BusCodec.EncodeAnswer(asked switch
            {
                WorkerReport report => Outcome(await AskAsync<TaskState>(report.Attempt.Task.Shard, report)),
                RenewLeases { Attempts: [var first, ..] } renew => Outcome(await AskAsync<LostLeases>(first.Task.Shard, renew)),
                SeeGoals { Goals: [var first, ..] } see => Outcome(await AskAsync<GoalsSeen>(first.Goal.Shard, see)),
                GoalsEnded ended => Heard(ended),
                _ => new LostLeases([]),
            });
        }
        catch (InvalidDataException e)
        {
            return BusCodec.EncodeAnswer(new Refusal(RefusalKind.Unavailable, $"Node {self} does not understand the question: {e.Message}", BusRetryDelay));
        }
    }

    private GoalsSeen Heard(GoalsEnded ended)
    {
        map.Local(ended.Shard)?.TrySend(ended);
        return new GoalsSeen([]);
    }

    private static object Outcome<T>(Answer<T> answer) => answer.Refusal switch
    {
        null => answer.Value!,
        { Kind: RefusalKind.Elsewhere } elsewhere => new Refusal(RefusalKind.Unavailable, elsewhere.Reason, BusRetryDelay),
        var refusal => refusal,
    };

    private ValueTask<Answer<T>> AskWhereverAsync<T>(ShardId shard, object question, out bool isHere)
    {
        var elsewhere = !IsHere(shard) && map.Owner(shard) is { } owner && owner.Node != self ? owner : null;
        isHere = elsewhere is null;
        return elsewhere is null ? AskAsync<T>(shard, question) : AskOverBusAsync<T>(elsewhere, question);
    }

    private async ValueTask<Answer<T>> AskOverBusAsync<T>(NodeRegistration owner, object question)
    {
        try
        {
            return BusCodec.DecodeAnswer((await bus.AskAsync(owner, BusCodec.EncodeQuestion(question), BusTimeout)).Span) switch
            {
                Refusal refusal => refusal,
                T value => value,
                var other => throw new InvalidDataException($"{question.GetType().Name} was answered with {other.GetType().Name}."),
            };
        }
        catch (Exception e) when (e is BusUnavailableException or InvalidDataException)
        {
            return new Refusal(RefusalKind.Unavailable, $"Node {owner.Node}, which owns the shard, could not be asked: {e.Message}", BusRetryDelay);
        }
    }

    public async ValueTask DelayAsync(TimeSpan delay)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var timer = dispatcher.Schedule(delay, done.SetResult);
        await done.Task;
    }
}
