using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Astra.Kernel.Timers;

/// <summary>
/// Five fields: minute, hour, day of the month, month, day of the week (0 and 7 are Sunday); each *, numbers, ranges,
/// lists, steps, and names for months and days. When both days are restricted either of them will do, as cron has it.
/// </summary>
/// <remarks>
/// Where a zone's clock is moved: a time of day that is left out is made up for at the first moment after the gap; one
/// that comes twice is taken the first time. An hour field that begins with * follows the clock as it runs instead, so
/// that "every ten minutes" neither pauses nor repeats.
/// </remarks>
internal sealed class CronExpression
{
    // Leap days come at most eight years apart; a day of the week on one, at most forty.
    private const int YearsMax = 41;

    private static readonly string[] Months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
    private static readonly string[] Days = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

    private readonly ulong _minutes, _hours, _daysOfMonth, _months, _daysOfWeek;
    private readonly bool _isEitherDay, _followsClock;

    private CronExpression(ulong minutes, ulong hours, ulong daysOfMonth, ulong months, ulong daysOfWeek, bool isEitherDay, bool followsClock) =>
        (_minutes, _hours, _daysOfMonth, _months, _daysOfWeek, _isEitherDay, _followsClock) = (minutes, hours, daysOfMonth, months, daysOfWeek, isEitherDay, followsClock);

    public static bool TryParse(string text, [NotNullWhen(true)] out CronExpression? expression, [NotNullWhen(false)] out string? problem)
    {
        expression = null;
        var fields = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (fields.Length != 5)
        {
            problem = $"A cron expression has five fields (minute hour day month weekday), and '{text}' has {fields.Length}.";
            return false;
        }
        ulong minutes = 0, hours = 0, days = 0, months = 0, weekdays = 0;
        problem = Field(fields[0], "minute", 0, 59, [], ref minutes) ?? Field(fields[1], "hour", 0, 23, [], ref hours) ?? Field(fields[2], "day of the month", 1, 31, [], ref days)
            ?? Field(fields[3], "month", 1, 12, Months, ref months) ?? Field(fields[4], "weekday", 0, 7, Days, ref weekdays);
        if (problem is not null)
            return false;
        if ((weekdays & (1UL << 7)) != 0)
            weekdays |= 1;
        expression = new CronExpression(minutes, hours, days, months, weekdays, fields[2][0] != '*' && fields[4][0] != '*', fields[1][0] == '*');
        return true;
    }

    /// <summary>The first time after that; null when there is none within forty years.</summary>
    public DateTimeOffset? Next(DateTimeOffset after, TimeZoneInfo zone) => _followsClock ? NextByClock(after, zone) : NextByDay(after, zone);

    private DateTimeOffset? NextByDay(DateTimeOffset after, TimeZoneInfo zone)
    {
        // A day back: what stands in a gap or comes twice may lie on either side of it.
        var local = TimeZoneInfo.ConvertTime(after, zone).Date.AddDays(-1);
        var until = local.AddYears(YearsMax);
        for (var day = local; day < until; day = day.AddDays(1))
        {
            if (!IsDay(day))
            {
                if ((_months & (1UL << day.Month)) == 0)
                    day = new DateTime(day.Year, day.Month, DateTime.DaysInMonth(day.Year, day.Month));
                continue;
            }
            for (var hour = 0; hour < 24; hour++)
                for (var minute = 0; (_hours & (1UL << hour)) != 0 && minute < 60; minute++)
                    if ((_minutes & (1UL << minute)) != 0 && At(day.AddHours(hour).AddMinutes(minute), zone) is var at && at > after)
                        return at;
        }
        return null;
    }

    private DateTimeOffset? NextByClock(DateTimeOffset after, TimeZoneInfo zone)
    {
        var minute = TimeSpan.FromMinutes(1);
        var at = new DateTimeOffset(after.UtcTicks - after.UtcTicks % minute.Ticks, TimeSpan.Zero) + minute;
        var until = at.AddYears(YearsMax);
        while (at < until)
        {
            var local = TimeZoneInfo.ConvertTime(at, zone);
            if (!IsDay(local.Date))
                // Not quite to the next midnight: a clock may be moved on the way.
                at += local.Hour < 21 ? TimeSpan.FromMinutes((22 - local.Hour) * 60 - local.Minute) : ToQuarter(local);
            else if ((_hours & (1UL << local.Hour)) == 0)
                at += ToQuarter(local);
            else if ((_minutes & (1UL << local.Minute)) == 0)
                at += minute;
            else
                return at;
        }
        return null;
    }

    // Days and hours begin, and clocks are moved, at a quarter of an hour in every zone there is.
    private static TimeSpan ToQuarter(DateTimeOffset local) => TimeSpan.FromMinutes(15 - local.Minute % 15);

    private bool IsDay(DateTime day)
    {
        if ((_months & (1UL << day.Month)) == 0)
            return false;
        var (ofMonth, ofWeek) = ((_daysOfMonth & (1UL << day.Day)) != 0, (_daysOfWeek & (1UL << (int)day.DayOfWeek)) != 0);
        return _isEitherDay ? ofMonth || ofWeek : ofMonth && ofWeek;
    }

    /// <summary>The moment a zone's clock shows this, ascending with what it shows.</summary>
    private static DateTimeOffset At(DateTime local, TimeZoneInfo zone)
    {
        if (zone.IsInvalidTime(local))
        {
            // The minute before the gap is the last one that was shown; the gap ends right after it.
            var before = local;
            while (zone.IsInvalidTime(before))
                before = before.AddMinutes(-1);
            return new DateTimeOffset(before, zone.GetUtcOffset(before)).AddMinutes(1).ToUniversalTime();
        }
        var offset = zone.IsAmbiguousTime(local) ? zone.GetAmbiguousTimeOffsets(local).Max() : zone.GetUtcOffset(local);
        return new DateTimeOffset(local, offset).ToUniversalTime();
    }

    private static string? Field(string text, string what, int min, int max, string[] names, ref ulong bits)
    {
        foreach (var part in text.Split(','))
        {
            var (range, step, hasStep) = part.Split('/') switch
            {
                [var all] => (all, 1, false),
                [var some, var by] when int.TryParse(by, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 => (some, number, true),
                _ => ("", 0, false),
            };
            int from, to;
            if (range == "*")
                (from, to) = (min, max == 7 ? 6 : max);
            else if (range.Split('-') is var ends && ends.Length is 1 or 2 && Number(ends[0], min, names) is { } first && Number(ends[^1], min, names) is { } last)
                (from, to) = (first, ends.Length == 1 && hasStep ? max : last);
            else
                return Bad();
            if (from < min || to > max || from > to)
                return Bad();
            for (var value = from; value <= to; value += step)
                bits |= 1UL << value;
        }
        return null;

        string Bad() => $"'{PlainText.Clean(text, 40)}' is no {what}: it takes {min} to {max}, as *, 5, 1-5, 1,3,5 or */10{(names.Length > 0 ? $", or names such as {names[0]}" : "")}.";
    }

    private static int? Number(string text, int min, string[] names)
    {
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return number;
        var index = Array.FindIndex(names, name => name.Equals(text, StringComparison.OrdinalIgnoreCase));
        return index < 0 ? null : index + min;
    }
}
