using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Astra.Kernel.Timers;

/// <summary>
/// When a schedule fires: five cron fields in a time zone, <c>every 5m</c> from when it was made, or <c>at</c> one
/// moment. A pure function of the text and the time asked about.
/// </summary>
public sealed class Recurrence
{
    public static readonly TimeSpan IntervalMin = TimeSpan.FromSeconds(1);
    public static readonly TimeSpan IntervalMax = TimeSpan.FromDays(366);

    private readonly CronExpression? _cron;
    private readonly TimeZoneInfo _zone;
    private readonly TimeSpan _interval;
    private readonly DateTimeOffset _start;

    private Recurrence(CronExpression? cron, TimeZoneInfo zone, TimeSpan interval, DateTimeOffset start) => (_cron, _zone, _interval, _start) = (cron, zone, interval, start);

    /// <param name="start">When the schedule was made: intervals count from here.</param>
    public static bool TryParse(string when, string timeZone, DateTimeOffset start, [NotNullWhen(true)] out Recurrence? recurrence, [NotNullWhen(false)] out string? problem)
    {
        recurrence = null;
        if (FindZone(timeZone) is not { } zone)
        {
            problem = $"There is no time zone '{PlainText.Clean(timeZone, 60)}' here; names are like Europe/Berlin or UTC.";
            return false;
        }
        var text = when.Trim();
        if (text.StartsWith("every ", StringComparison.Ordinal))
        {
            if (Interval(text["every ".Length..].Trim()) is not { } interval || interval < IntervalMin || interval > IntervalMax)
            {
                problem = $"'{PlainText.Clean(text, 60)}' is no interval; write every 30s, every 5m, every 2h or every 1d, from a second to a year.";
                return false;
            }
            recurrence = new Recurrence(null, zone, interval, start);
        }
        else if (text.StartsWith("at ", StringComparison.Ordinal))
        {
            if (Moment(text["at ".Length..].Trim(), zone) is not { } at)
            {
                problem = $"'{PlainText.Clean(text, 60)}' is no moment; write at 2031-02-03T04:05:06Z, or without the Z in the schedule's time zone.";
                return false;
            }
            recurrence = new Recurrence(null, zone, TimeSpan.Zero, at);
        }
        else if (CronExpression.TryParse(text, out var cron, out problem))
            recurrence = new Recurrence(cron, zone, default, start);
        else
            return false;
        problem = null;
        return true;
    }

    /// <summary>The first time after that, or null when there is none.</summary>
    public DateTimeOffset? Next(DateTimeOffset after)
    {
        if (_cron is not null)
            return _cron.Next(after, _zone);
        if (_interval == TimeSpan.Zero)
            return _start > after ? _start : null;
        var count = after < _start ? 0 : (after - _start).Ticks / _interval.Ticks;
        return _start + TimeSpan.FromTicks((count + 1) * _interval.Ticks);
    }

    private static TimeZoneInfo? FindZone(string name) =>
        name is "UTC" ? TimeZoneInfo.Utc : TimeZoneInfo.TryFindSystemTimeZoneById(name, out var zone) ? zone : null;

    private static TimeSpan? Interval(string text)
    {
        if (text.Length < 2 || !int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return null;
        return text[^1] switch
        {
            's' => TimeSpan.FromSeconds(number),
            'm' => TimeSpan.FromMinutes(number),
            'h' => TimeSpan.FromHours(number),
            'd' => TimeSpan.FromDays(Math.Min(number, 10_000)),
            _ => null,
        };
    }

    private static DateTimeOffset? Moment(string text, TimeZoneInfo zone)
    {
        if (!DateTime.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out var moment) || !text.Contains('T'))
            return null;
        return moment.Kind switch
        {
            DateTimeKind.Utc => new DateTimeOffset(moment),
            DateTimeKind.Local when DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.None, out var offset) => offset.ToUniversalTime(),
            _ => zone.IsInvalidTime(moment) ? null : new DateTimeOffset(moment, zone.GetUtcOffset(moment)).ToUniversalTime(),
        };
    }
}
