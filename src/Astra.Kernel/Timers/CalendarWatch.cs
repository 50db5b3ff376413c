using Astra.Kernel.Actors;
using Astra.Kernel.Scheduling;
using Astra.Kernel.Shards;

namespace Astra.Kernel.Timers;

/// <summary>
/// Notices within a second that the machine's calendar was set, and tells those who have set timers by it. Timers run on
/// the monotonic clock, which never jumps: without this a due time would come late or early by the jump.
/// </summary>
internal sealed class CalendarWatch(IClock clock, ShardMap map, IReadOnlyList<ActorRef> others) : Actor
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan JumpMin = TimeSpan.FromMilliseconds(500);
    private static readonly object Tick = new();

    private DateTimeOffset _origin;

    protected internal override ValueTask StartedAsync(ActorTurn turn)
    {
        _origin = Origin;
        turn.Schedule(Period, Tick);
        return default;
    }

    protected internal override ValueTask ReceiveAsync(object message, ActorTurn turn)
    {
        if (!ReferenceEquals(message, Tick))
            return default;
        turn.Schedule(Period, Tick);
        if ((Origin - _origin).Duration() < JumpMin)
            return default;
        _origin = Origin;
        foreach (var other in others)
            other.TrySend(CalendarJumped.Instance);
        foreach (var shard in ShardId.All)
            map.Local(shard)?.TrySend(CalendarJumped.Instance);
        return default;
    }

    private DateTimeOffset Origin => clock.UtcNow - clock.Elapsed;
}
