using Astra.Kernel.Actors;

namespace Astra.Kernel.Shards;

/// <summary>Asks a shard, wherever it is, and turns everything that can go wrong on the way into a refusal.</summary>
internal sealed class ShardDoor(ShardMap map, NodeId self, IDispatcher dispatcher)
{
    private static readonly TimeSpan AskTimeout = TimeSpan.FromSeconds(15);

    private static readonly Refusal Full = new(RefusalKind.Overloaded, "The shard has more requests than it can queue. Try again in a moment.", TimeSpan.FromMilliseconds(100));

    public async ValueTask<Answer<T>> AskAsync<T>(ShardId shard, object request)
    {
        if (map.Local(shard) is not { } actor)
            // A shard that is ours and not here is being loaded; whoever asks must not be sent round in a circle.
            return map.Owner(shard) is { } owner && owner.Node != self
                ? new Refusal(RefusalKind.Elsewhere, $"Shard {shard} belongs to node {owner.Node}.", Address: owner.Address)
                : ShardActor.Starting;
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

    public async ValueTask DelayAsync(TimeSpan delay)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var timer = dispatcher.Schedule(delay, done.SetResult);
        await done.Task;
    }
}
