using System.Globalization;
using Astra.Kernel.Actors;
using Astra.Kernel.Scheduling;
using Astra.Kernel.Shards;

namespace Astra.Kernel.Timers;

/// <summary>
/// Fires the schedules whose shards this node owns. Once a second it asks which are due; each time they were due for
/// becomes a goal under a key made of the schedule and that time, on the schedule's own shard: whoever fires it twice, at
/// a takeover, after a crash or with a clock that was set, meets the goal that is there.
/// </summary>
/// <remarks>The row moves on only after the goals are durable. A clock that ran ahead leaves a row that is due too late;
/// those are looked for when the calendar was set, and at the start.</remarks>
internal sealed class ScheduleRunner(
    ISchedules schedules, ShardMap map, NodeOwnership ownership, IClock clock, KernelNotices notices, Func<Schedule, string?, ValueTask<Answer<Tasks.GoalRow>>> submit) : Actor
{
    private const int ReadMax = 1_000;

    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);
    private static readonly object Tick = new();

    private readonly Dictionary<ScheduleId, TimeSpan> _notAgainBefore = [];
    private bool _hasLookedBack;

    protected internal override ValueTask StartedAsync(ActorTurn turn)
    {
        turn.Schedule(Period, Tick);
        return default;
    }

    protected internal override async ValueTask ReceiveAsync(object message, ActorTurn turn)
    {
        if (ReferenceEquals(message, Tick))
            turn.Schedule(Period, Tick);
        else if (message is CalendarJumped)
            _hasLookedBack = false;
        if (map.LocalShards.Count == 0)
            return;
        try
        {
            if (!_hasLookedBack)
                await LookBackAsync();
            await FireDueAsync();
        }
        catch (Exception e)
        {
            notices.Publish(new KernelNotice.SchedulesDelayed(e.Message));
        }
    }

    /// <summary>The key of one firing. Its number is the first that leads to the schedule's own shard, so that the goal is
    /// made where the schedule is, without asking another node.</summary>
    public static string KeyOf(Schedule schedule, DateTimeOffset at)
    {
        var prefix = string.Create(CultureInfo.InvariantCulture, $"schedule:{schedule.Id}:{at.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}:");
        for (var number = 0; ; number++)
            if (prefix + number.ToString(CultureInfo.InvariantCulture) is var key && ShardId.OfName(schedule.Tenant, key) == schedule.Id.Shard)
                return key;
    }

    private async ValueTask FireDueAsync()
    {
        foreach (var schedule in await schedules.ReadDueAsync(clock.UtcNow, ReadMax, CancellationToken.None))
            if (IsMine(schedule) && !(_notAgainBefore.TryGetValue(schedule.Id, out var until) && until > clock.Elapsed))
                await FireAsync(schedule);
    }

    private bool IsMine(Schedule schedule) => ownership.Holds && map.Local(schedule.Id.Shard) is not null;

    private async ValueTask FireAsync(Schedule schedule)
    {
        if (!Recurrence.TryParse(schedule.When, schedule.TimeZone, schedule.CreatedAt, out var recurrence, out var problem))
        {
            // Only a machine without the time zone comes here: the door has read it before.
            await schedules.UpdateAsync(schedule with { NextAt = null, LastProblem = problem }, CancellationToken.None);
            return;
        }
        var (fire, missed, next) = Misfires.Of(recurrence, schedule.NextAt!.Value, clock.UtcNow, schedule.Misfire);
        var after = schedule with { MissedCount = schedule.MissedCount + missed };
        foreach (var at in fire)
        {
            var answer = await submit(schedule, KeyOf(schedule, at));
            if (answer.Refusal is { Kind: RefusalKind.Overloaded or RefusalKind.Unavailable or RefusalKind.Elsewhere } passing)
            {
                // Nothing is lost: the row stays where it is, and what was fired is met again under its key.
                _notAgainBefore[schedule.Id] = clock.Elapsed + (passing.RetryAfter ?? Period);
                return;
            }
            after = answer.Refusal is { } refusal
                ? after with { LastAt = at, LastProblem = refusal.Reason }
                : after with { LastAt = at, LastGoal = answer.Value.Id, LastProblem = null, FiredCount = after.FiredCount + (at > schedule.LastAt || schedule.LastAt is null ? 1 : 0) };
        }
        _notAgainBefore.Remove(schedule.Id);
        // Somebody else's change is not lost either: then the next look fires the same keys again and writes the rest.
        await schedules.UpdateAsync(after with { NextAt = next }, CancellationToken.None);
    }

    /// <summary>What is due later than it should be, by today's calendar, is set back. Times that were fired meet their keys.</summary>
    private async ValueTask LookBackAsync()
    {
        ScheduleId? last = null;
        while (await schedules.ReadLaterAsync(clock.UtcNow, last, ReadMax, CancellationToken.None) is { Count: > 0 } page)
        {
            foreach (var schedule in page)
                if (IsMine(schedule) && Recurrence.TryParse(schedule.When, schedule.TimeZone, schedule.CreatedAt, out var recurrence, out _)
                    && recurrence.Next(clock.UtcNow) is { } next && next < schedule.NextAt)
                    await schedules.UpdateAsync(schedule with { NextAt = next }, CancellationToken.None);
            last = page[^1].Id;
        }
        _hasLookedBack = true;
    }
}
