using Astra.Kernel.Actors;
using Astra.Testing.Time;
using Xunit;

namespace Astra.Kernel.Tests.Actors;

public class SupervisionPolicyTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public void The_backoff_doubles_from_100_ms_to_30_s()
    {
        double[] seconds = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30];
        Assert.Equal(seconds, Enumerable.Range(1, 11).Select(n => Backoff.Default.LongestBefore(n).TotalSeconds));
        Assert.Equal(TimeSpan.FromSeconds(30), Backoff.Default.LongestBefore(int.MaxValue));
    }

    [Fact]
    public void Jitter_shortens_a_delay_by_at_most_its_share()
    {
        var dice = new SeededRandomness(7);
        var delays = Enumerable.Range(0, 1000).Select(_ => Backoff.Default.Before(4, dice).TotalSeconds).ToList();
        Assert.All(delays, delay => Assert.InRange(delay, 0.64, 0.8));
        Assert.True(delays.Max() - delays.Min() > 0.1);
    }

    [Fact]
    public void A_backoff_that_never_grows_is_refused() =>
        Refused(() => new(backoff: new Backoff(TimeSpan.Zero, Second)));

    [Fact]
    public void A_backoff_that_starts_above_its_cap_is_refused() =>
        Refused(() => new(backoff: new Backoff(2 * Second, Second)));

    [Theory]
    [InlineData(-0.1)]
    [InlineData(1)]
    [InlineData(double.NaN)]
    public void A_jitter_that_is_not_a_share_is_refused(double jitter) =>
        Refused(() => new(backoff: new Backoff(Second, Second, jitter)));

    [Fact]
    public void A_negative_limit_and_an_empty_window_are_refused()
    {
        Refused(() => new(intensity: new RestartIntensity(-1, Second)));
        Refused(() => new(intensity: new RestartIntensity(1, TimeSpan.Zero)));
    }

    [Fact]
    public void A_group_strategy_that_may_never_restart_is_refused() =>
        Refused(() => new(RestartStrategy.OneForAll, intensity: new RestartIntensity(0, Second)));

    [Fact]
    public void A_limit_that_the_backoff_keeps_out_of_reach_is_refused()
    {
        Refused(() => new(intensity: new RestartIntensity(10, TimeSpan.FromMinutes(1))));
        _ = new SupervisionPolicy(intensity: new RestartIntensity(10, TimeSpan.FromMinutes(2)));
    }

    [Fact]
    public void An_unknown_strategy_is_refused() => Refused(() => new((RestartStrategy)9));

    [Fact]
    public void An_unknown_treatment_of_poison_is_refused() => Refused(() => new(poison: (PoisonPolicy)9));

    [Fact]
    public void A_backoff_before_restarts_that_are_not_allowed_is_refused()
    {
        Refused(() => new(backoff: Backoff.Default, intensity: new RestartIntensity(0, Second)));
        _ = new SupervisionPolicy(intensity: new RestartIntensity(0, Second));
    }

    [Fact]
    public void A_limit_that_is_none_and_a_delay_that_nobody_lives_to_see_are_refused()
    {
        Refused(() => new(intensity: new RestartIntensity(int.MaxValue, TimeSpan.MaxValue)));
        Refused(() => new(backoff: new Backoff(Second, TimeSpan.MaxValue)));
        Refused(() => new(
            backoff: new Backoff(TimeSpan.FromDays(365), TimeSpan.FromDays(365)),
            intensity: new RestartIntensity(1_000_000, TimeSpan.FromDays(365))));
    }

    public static TheoryData<string, Func<ActorOptions, ActorOptions>> IllegalOptions => new()
    {
        { "a name that is a path", sound => sound with { Name = "a/b" } },
        { "no name", sound => sound with { Name = "" } },
        { "nothing that makes an incarnation", sound => sound with { Create = null! } },
        { "no policy", sound => sound with { Children = null! } },
        { "a mailbox for nothing", sound => sound with { MailboxCapacityMax = 0 } },
        { "a mailbox larger than memory", sound => sound with { MailboxCapacityMax = int.MaxValue } },
        { "a message without time", sound => sound with { MessageDeadline = TimeSpan.Zero } },
        { "a deadline beyond the clock", sound => sound with { MessageDeadline = TimeSpan.MaxValue } },
        { "a stop in the past", sound => sound with { StopDeadline = TimeSpan.FromTicks(-1) } },
        { "a stop beyond the clock", sound => sound with { StopDeadline = TimeSpan.MaxValue } },
    };

    [Theory]
    [MemberData(nameof(IllegalOptions))]
    public void Options_that_make_no_sense_are_refused_where_the_actor_is_spawned_and_nothing_is_left_behind(
        string what, Func<ActorOptions, ActorOptions> spoil)
    {
        var world = new ActorWorld();
        var sound = ActorWorld.Script("a", (_, _) => default);
        var refused = Assert.ThrowsAny<ArgumentException>(() => world.System.Spawn(spoil(sound)));
        Assert.True(refused.Message.Length > 20, what);
        Assert.Empty(world.System.Inspect().Children);
        world.System.Spawn(sound);
    }

    private static void Refused(Func<SupervisionPolicy> make) => Assert.Throws<InvalidPolicyException>(make);
}
