using System.Globalization;
using Astra.Kernel.Timers;
using Xunit;

namespace Astra.Kernel.Tests.Timers;

public sealed class CronTests
{
    [Theory]
    [InlineData("* * * * *", "2030-01-01T00:00:00", "2030-01-01T00:01:00")]
    [InlineData("*/15 * * * *", "2030-01-01T00:14:59", "2030-01-01T00:15:00")]
    [InlineData("0 3 * * *", "2030-01-01T03:00:00", "2030-01-02T03:00:00")]
    [InlineData("30 6 1 * *", "2030-01-01T07:00:00", "2030-02-01T06:30:00")]
    [InlineData("0 0 29 2 *", "2030-01-01T00:00:00", "2032-02-29T00:00:00")]
    [InlineData("0 9 * * MON-FRI", "2030-01-04T09:00:00", "2030-01-07T09:00:00")]
    [InlineData("0 9 * * 7", "2030-01-01T00:00:00", "2030-01-06T09:00:00")]
    [InlineData("0 0 13 * FRI", "2030-01-01T00:00:00", "2030-01-04T00:00:00")]
    [InlineData("5,10-12 1 1 JAN,jul *", "2030-01-01T01:12:00", "2030-07-01T01:05:00")]
    [InlineData("10/20 4 * * *", "2030-01-01T04:10:00", "2030-01-01T04:30:00")]
    [InlineData("0 */6 * * *", "2030-01-01T18:30:00", "2030-01-02T00:00:00")]
    [InlineData("15 * 1 6 *", "2030-06-01T23:15:00", "2031-06-01T00:15:00")]
    public void The_next_time_is_the_first_after_that_which_all_fields_allow(string cron, string after, string next) => Check(cron, "UTC", after, next);

    // In Berlin clocks go from 02:00 to 03:00 on 31 March 2030 (01:00 UTC), and from 03:00 to 02:00 on 27 October (01:00 UTC).
    [Theory]
    [InlineData("30 2 * * *", "2030-03-30T12:00:00", "2030-03-31T01:00:00")]
    [InlineData("30 2 * * *", "2030-03-31T01:00:00", "2030-04-01T00:30:00")]
    [InlineData("15,45 2 * * *", "2030-03-31T01:00:00", "2030-04-01T00:15:00")]
    [InlineData("30 2 * * *", "2030-10-26T12:00:00", "2030-10-27T00:30:00")]
    [InlineData("30 2 * * *", "2030-10-27T00:30:00", "2030-10-28T01:30:00")]
    [InlineData("0 12 * * *", "2030-03-30T12:00:00", "2030-03-31T10:00:00")]
    [InlineData("*/30 * * * *", "2030-10-27T00:30:00", "2030-10-27T01:00:00")]
    [InlineData("*/30 * * * *", "2030-10-27T01:00:00", "2030-10-27T01:30:00")]
    [InlineData("0 * * * *", "2030-03-31T00:00:00", "2030-03-31T01:00:00")]
    public void Where_a_clock_is_moved_a_time_that_is_left_out_is_made_up_for_and_one_that_comes_twice_is_taken_once(string cron, string after, string next) =>
        Check(cron, "Europe/Berlin", after, next);

    [Theory]
    [InlineData("0 3 * *", "A cron expression has five fields")]
    [InlineData("60 * * * *", "'60' is no minute: it takes 0 to 59")]
    [InlineData("* 24 * * *", "'24' is no hour")]
    [InlineData("* * 0 * *", "'0' is no day of the month")]
    [InlineData("* * * FOO *", "'FOO' is no month")]
    [InlineData("* * * * 1-9", "'1-9' is no weekday")]
    [InlineData("*/0 * * * *", "'*/0' is no minute")]
    [InlineData("5-1 * * * *", "'5-1' is no minute")]
    [InlineData("every", "A cron expression has five fields")]
    [InlineData("every 0m", "is no interval")]
    [InlineData("every 5x", "is no interval")]
    [InlineData("at noon", "is no moment")]
    public void What_is_no_recurrence_is_refused_with_what_is(string when, string said)
    {
        Assert.False(Recurrence.TryParse(when, "UTC", DateTimeOffset.UnixEpoch, out _, out var problem));
        Assert.Contains(said, problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_time_zone_that_is_none_is_refused()
    {
        Assert.False(Recurrence.TryParse("* * * * *", "Europe/Atlantis", DateTimeOffset.UnixEpoch, out _, out var problem));
        Assert.StartsWith("There is no time zone 'Europe/Atlantis'", problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("every 5m", "2030-01-01T00:00:00", "2030-01-01T00:05:00")]
    [InlineData("every 90s", "2030-01-01T00:01:30", "2030-01-01T00:03:00")]
    [InlineData("every 1d", "2030-01-03T11:00:00", "2030-01-04T00:00:00")]
    [InlineData("at 2030-02-01T00:00:00Z", "2030-01-01T00:00:00", "2030-02-01T00:00:00")]
    [InlineData("at 2030-02-01T12:00:00+02:00", "2030-01-01T00:00:00", "2030-02-01T10:00:00")]
    [InlineData("at 2030-02-01T00:00:00Z", "2030-02-01T00:00:00", null)]
    public void Intervals_count_from_when_the_schedule_was_made_and_a_moment_comes_once(string when, string after, string? next) => Check(when, "UTC", after, next);

    [Fact]
    public void Every_time_is_later_than_the_one_before_for_years_on_end()
    {
        foreach (var cron in (string[])["*/7 * * * *", "30 2 * * *", "15 1-3 * * SUN", "0 0 1 * *"])
        {
            Assert.True(Recurrence.TryParse(cron, "America/New_York", DateTimeOffset.UnixEpoch, out var recurrence, out _));
            var at = Utc("2029-12-31T00:00:00");
            for (var i = 0; i < 2_000; i++)
            {
                var next = recurrence.Next(at);
                Assert.True(next > at, $"{cron}: {next} after {at}");
                at = next!.Value;
            }
        }
    }

    private static void Check(string when, string zone, string after, string? next)
    {
        Assert.True(Recurrence.TryParse(when, zone, Utc("2030-01-01T00:00:00"), out var recurrence, out var problem), problem);
        Assert.Equal(next is null ? null : Utc(next), recurrence.Next(Utc(after)));
    }

    private static DateTimeOffset Utc(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
}
