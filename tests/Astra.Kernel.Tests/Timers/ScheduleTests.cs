using System.Text;
using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Astra.Kernel.Timers;
using Xunit;

namespace Astra.Kernel.Tests.Timers;

public sealed class ScheduleTests
{
    private World _world = World.With();

    [Fact]
    public void A_schedule_submits_its_goal_at_each_of_its_times()
    {
        var schedule = Create("every 60s");
        _world.Advance(seconds: 301);
        Assert.Equal(5, Goals().Count);
        var now = Get(schedule);
        Assert.Equal((5L, 0L), (now.FiredCount, now.MissedCount));
        Assert.Equal(schedule.CreatedAt.AddSeconds(360), now.NextAt);
        Assert.Equal(schedule.CreatedAt.AddSeconds(300), now.LastAt);
    }

    [Fact]
    public void A_restart_neither_loses_nor_doubles_a_time()
    {
        Create("every 60s");
        for (var i = 0; i < 10; i++)
        {
            _world.Advance(seconds: 30);
            _world.Node.Restart();
        }
        _world.Advance(seconds: 1.5);
        Assert.Equal(5, Goals().Count);
    }

    [Fact]
    public void A_row_that_did_not_move_on_fires_the_same_goal_again()
    {
        var schedule = Create("every 60s");
        _world.Advance(seconds: 61);
        // The goal was durable, and the node died before the row was written.
        var fired = Get(schedule);
        Assert.True(_world.Node.Do(_ => _world.Store.Schedules.UpdateAsync(fired with { NextAt = fired.LastAt, FiredCount = 0 }, CancellationToken.None)));
        _world.Advance(seconds: 5);
        Assert.Single(Goals());
    }

    [Fact]
    public void After_a_takeover_the_next_owner_fires_and_nobody_else()
    {
        _world = World.With(nodes: 2);
        Create("every 60s");
        _world.Advance(seconds: 61);
        _world.Nodes[0].Crash();
        _world.Advance(seconds: 120);
        Assert.Equal(3, _world.Nodes[1].Ask(node => node.ListGoalsAsync(_world.Tenant, null, null, null, 100)).Value.Count);
    }

    [Theory]
    [InlineData(MisfirePolicy.Skip, 0, 10)]
    [InlineData(MisfirePolicy.Once, 1, 9)]
    [InlineData(MisfirePolicy.All, 10, 0)]
    public void What_was_missed_is_made_up_for_as_the_policy_says(MisfirePolicy policy, int fired, int missed)
    {
        var schedule = Create("every 600s", policy);
        _world.Node.Crash();
        _world.Advance(seconds: 6_300);
        _world.Node.Restart();
        _world.Advance(seconds: 5);
        Assert.Equal(((long)fired, (long)missed), (Get(schedule).FiredCount, Get(schedule).MissedCount));
        Assert.Equal(fired, Goals().Count);
    }

    [Fact]
    public void Never_more_than_a_hundred_are_made_up_for()
    {
        var schedule = Create("every 60s", MisfirePolicy.All);
        _world.Node.Crash();
        _world.Advance(seconds: 60 * 200 + 30);
        _world.Node.Restart();
        _world.Advance(seconds: 2);
        Assert.Equal(200, Get(schedule).FiredCount + Get(schedule).MissedCount);
        Assert.InRange(Get(schedule).FiredCount, 100, 101);
    }

    [Fact]
    public void A_clock_that_is_set_forward_fires_what_it_passes_by_the_policy()
    {
        var schedule = Create("every 600s", MisfirePolicy.All);
        _world.Virtual.Clock.ShiftCalendar(TimeSpan.FromSeconds(1_900));
        _world.Advance(seconds: 2);
        Assert.Equal(3, Goals().Count);
        Assert.Equal(3, Get(schedule).FiredCount);
    }

    [Fact]
    public void A_clock_that_ran_ahead_and_is_set_right_neither_doubles_nor_loses_a_time()
    {
        var schedule = Create("every 600s", MisfirePolicy.Skip);
        _world.Virtual.Clock.ShiftCalendar(TimeSpan.FromMinutes(3_650 * 24 * 60 + 5));
        _world.Advance(seconds: 2);
        _world.Virtual.Clock.ShiftCalendar(TimeSpan.FromMinutes(-(3_650 * 24 * 60 + 5)));
        _world.Advance(seconds: 2);
        Assert.Equal(schedule.CreatedAt.AddSeconds(600), Get(schedule).NextAt);
        _world.Advance(seconds: 1_810);
        Assert.Equal(3, Goals().Count);
    }

    [Fact]
    public void A_clock_that_is_set_back_fires_nothing_twice()
    {
        Create("every 60s");
        _world.Advance(seconds: 181);
        _world.Virtual.Clock.ShiftCalendar(TimeSpan.FromSeconds(-120));
        _world.Advance(seconds: 119);
        Assert.Equal(3, Goals().Count);
        _world.Advance(seconds: 62);
        Assert.Equal(4, Goals().Count);
    }

    [Fact]
    public void A_one_shot_fires_once()
    {
        var schedule = Create($"at {_world.Now.AddSeconds(30):yyyy-MM-ddTHH:mm:ssZ}");
        _world.Advance(seconds: 100);
        Assert.Single(Goals());
        Assert.Null(Get(schedule).NextAt);
    }

    [Fact]
    public void A_paused_schedule_fires_nothing_and_goes_on_from_when_it_is_resumed()
    {
        var schedule = Create("every 60s", MisfirePolicy.All);
        Assert.Equal("ada", _world.Node.Ask(node => node.PauseScheduleAsync(_world.Caller, schedule.Id)).Value.PausedBy);
        _world.Advance(seconds: 200);
        Assert.Empty(Goals());
        _world.Node.Ask(node => node.ResumeScheduleAsync(_world.Caller, schedule.Id));
        _world.Advance(seconds: 45);
        Assert.Single(Goals());
    }

    [Fact]
    public void A_schedule_that_is_removed_fires_no_more_and_one_that_is_run_fires_beside_its_times()
    {
        var schedule = Create("every 60s");
        Assert.True(_world.Node.Ask(node => node.RunScheduleAsync(_world.Caller, schedule.Id, null)).IsOk);
        Assert.True(_world.Node.Ask(node => node.RemoveScheduleAsync(_world.Caller, schedule.Id)).IsOk);
        _world.Advance(seconds: 200);
        Assert.Single(Goals());
        Assert.Equal(RefusalKind.NotFound, _world.Node.Refused(node => node.GetScheduleAsync(_world.Tenant, schedule.Id)).Kind);
    }

    [Fact]
    public void A_server_that_refuses_for_the_moment_is_asked_again_until_it_takes_the_goal()
    {
        _world = World.With(limits: new KernelLimits { ActiveGoalsPerTenantMax = 1 });
        var first = _world.Submit("a");
        var schedule = Create("every 60s", MisfirePolicy.All);
        _world.Advance(seconds: 130);
        Assert.Equal(0, Get(schedule).FiredCount);
        _world.Cancel(first);
        _world.Advance(seconds: 10);
        _world.Worker().CompleteAll();
        _world.Advance(seconds: 30);
        Assert.Equal(2, Get(schedule).FiredCount);
    }

    [Fact]
    public void Another_tenant_finds_no_schedule_and_a_name_is_taken_once()
    {
        var schedule = Create("every 60s");
        Assert.Equal(RefusalKind.NotFound, _world.Node.Refused(node => node.GetScheduleAsync(new TenantId(new Guid(8, 8, 8, new byte[8])), schedule.Id)).Kind);
        Assert.Equal(RefusalKind.Conflict, _world.Node.Refused(node => Add(node, schedule.Name, "every 60s", MisfirePolicy.Once)).Kind);
        Assert.Equal(RefusalKind.Invalid, _world.Node.Refused(node => Add(node, _world.Key("past"), "at 2020-01-01T00:00:00Z", MisfirePolicy.Once)).Kind);
    }

    private Schedule Create(string when, MisfirePolicy misfire = MisfirePolicy.Once) => _world.Node.Ask(node => Add(node, _world.Key("nightly"), when, misfire)).Value;

    private ValueTask<Answer<Schedule>> Add(KernelNode node, string name, string when, MisfirePolicy misfire) =>
        node.AddScheduleAsync(_world.Caller, name, when, "UTC", misfire, Encoding.UTF8.GetBytes("a"));

    private Schedule Get(Schedule schedule) => _world.Node.Ask(node => node.GetScheduleAsync(_world.Tenant, schedule.Id)).Value;

    private IReadOnlyList<GoalRow> Goals() => _world.Node.Ask(node => node.ListGoalsAsync(_world.Tenant, null, null, null, 1_000)).Value;
}
