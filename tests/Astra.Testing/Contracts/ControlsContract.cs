using Astra.Kernel;
using Astra.Kernel.Controls;
using Astra.Kernel.Timers;
using Xunit;

namespace Astra.Testing.Contracts;

/// <summary>What every store of controls and schedules promises.</summary>
public abstract class ControlsContract : StoreContract
{
    [Fact]
    public async Task What_was_set_is_read_back_and_what_was_removed_is_gone()
    {
        var (tenant, other) = (Sample.Tenant(), Sample.Tenant());
        var at = new DateTimeOffset(2030, 1, 2, 3, 4, 5, TimeSpan.Zero);
        var limit = new Limit(LimitScope.Queue, "emails", 4, null, 60);
        await ApplyAsync(tenant, new ControlChange.SetLimit(limit with { Concurrency = 9 }));
        await ApplyAsync(tenant, new ControlChange.SetLimit(limit));
        await ApplyAsync(tenant, new ControlChange.SetLimit(new Limit(LimitScope.Tenant, "", null, 10, null)));
        await ApplyAsync(tenant, new ControlChange.SetWeight(new Weight("", 300)));
        await ApplyAsync(tenant, new ControlChange.SetWeight(new Weight("writer", 50)));
        await ApplyAsync(tenant, new ControlChange.PauseAgent(new PausedAgent("writer", "ada", "lunch", at)));
        await ApplyAsync(other, new ControlChange.SetLimit(limit));

        var read = await Store.Controls.ReadAsync(tenant, None);
        Assert.Equal([new Limit(LimitScope.Tenant, "", null, 10, null), limit], read.Limits);
        Assert.Equal([new Weight("", 300), new Weight("writer", 50)], read.Weights);
        Assert.Equal([new PausedAgent("writer", "ada", "lunch", at)], read.PausedAgents);
        Assert.Equal(new[] { tenant, other }.OrderBy(one => one.Value), (await Store.Controls.LoadAsync(None)).Tenants.Select(one => one.Tenant));

        Assert.True(await ApplyAsync(tenant, new ControlChange.RemoveLimit(LimitScope.Queue, "emails")));
        await ApplyAsync(tenant, new ControlChange.RemoveLimit(LimitScope.Tenant, ""));
        await ApplyAsync(tenant, new ControlChange.SetWeight(new Weight("", Weight.Default)));
        await ApplyAsync(tenant, new ControlChange.SetWeight(new Weight("writer", Weight.Default)));
        Assert.True(await ApplyAsync(tenant, new ControlChange.ResumeAgent("writer")));
        read = await Store.Controls.ReadAsync(tenant, None);
        Assert.Equal((0, 0, 0), (read.Limits.Count, read.Weights.Count, read.PausedAgents.Count));
        Assert.Single((await Store.Controls.ReadAsync(other, None)).Limits);
    }

    [Fact]
    public async Task Every_change_raises_the_version_and_who_paused_first_stays()
    {
        var tenant = Sample.Tenant();
        var before = await Store.Controls.ReadVersionAsync(None);
        Assert.True(await ApplyAsync(tenant, new ControlChange.PauseAgent(new PausedAgent("writer", "ada", null, DateTimeOffset.UnixEpoch))));
        Assert.True(await Store.Controls.ReadVersionAsync(None) > before);
        Assert.False(await ApplyAsync(tenant, new ControlChange.PauseAgent(new PausedAgent("writer", "bob", null, DateTimeOffset.UnixEpoch))));
        Assert.Equal("ada", Assert.Single((await Store.Controls.ReadAsync(tenant, None)).PausedAgents).By);
        Assert.False(await ApplyAsync(tenant, new ControlChange.RemoveLimit(LimitScope.Queue, "x")));
        Assert.False(await ApplyAsync(Sample.Tenant(), new ControlChange.ResumeAgent("writer")));
    }

    [Fact]
    public async Task A_schedule_is_read_back_as_it_was_written_and_only_one_of_two_changes_gets_in()
    {
        var schedule = NewSchedule(Sample.Tenant(), "nightly", minutes: 5);
        Assert.True(await Store.Schedules.AddAsync(schedule, None));
        Assert.False(await Store.Schedules.AddAsync(NewSchedule(schedule.Tenant, "nightly", minutes: 5), None));
        Assert.True(await Store.Schedules.AddAsync(NewSchedule(Sample.Tenant(), "nightly", minutes: 5), None));
        AssertSame(schedule, await Store.Schedules.FindAsync(schedule.Tenant, schedule.Id, None));
        Assert.Null(await Store.Schedules.FindAsync(Sample.Tenant(), schedule.Id, None));

        var changed = schedule with { NextAt = null, LastAt = schedule.NextAt, LastGoal = Sample.GoalId(7), LastProblem = "no", FiredCount = 3, MissedCount = 2, PausedBy = "ada" };
        Assert.True(await Store.Schedules.UpdateAsync(changed, None));
        Assert.False(await Store.Schedules.UpdateAsync(changed, None));
        AssertSame(changed with { Version = 2 }, Assert.Single(await Store.Schedules.ListAsync(schedule.Tenant, None)));
        Assert.True(await Store.Schedules.RemoveAsync(schedule.Tenant, schedule.Id, None));
        Assert.False(await Store.Schedules.RemoveAsync(schedule.Tenant, schedule.Id, None));
    }

    [Fact]
    public async Task What_is_due_is_read_for_every_tenant_and_what_is_paused_is_not()
    {
        var (soon, later, paused) = (NewSchedule(Sample.Tenant(), "soon", 1), NewSchedule(Sample.Tenant(), "later", 60), NewSchedule(Sample.Tenant(), "paused", 1) with { PausedBy = "ada" });
        foreach (var schedule in (Schedule[])[soon, later, paused])
            await Store.Schedules.AddAsync(schedule, None);
        var at = soon.NextAt!.Value;
        // A store that is shared holds those of others too.
        var made = new HashSet<ScheduleId> { soon.Id, later.Id, paused.Id };
        Assert.Equal([soon.Id], Mine(await Store.Schedules.ReadDueAsync(at, 1_000, None)));
        Assert.Empty(Mine(await Store.Schedules.ReadDueAsync(at.AddSeconds(-1), 1_000, None)));
        Assert.Equal([later.Id], Mine(await Store.Schedules.ReadLaterAsync(at, null, 1_000, None)));
        Assert.Empty(Mine(await Store.Schedules.ReadLaterAsync(at, later.Id, 1_000, None)));

        IEnumerable<ScheduleId> Mine(IReadOnlyList<Schedule> read) => read.Select(schedule => schedule.Id).Where(made.Contains);
    }

    [Fact]
    public async Task A_node_that_drains_wants_no_shards_while_another_can_have_them()
    {
        var (a, b) = (Node("a"), Node("b"));
        Assert.Equal(ShardId.Count, (await RenewAsync(a with { IsDraining = true })).Owned.Count);
        await RenewAsync(b);
        var surplus = await RenewAsync(a with { IsDraining = true });
        Assert.Equal(ShardId.Count, surplus.Surplus.Count);
        Assert.Empty((await RenewAsync(a with { IsDraining = true }, [.. surplus.Surplus])).Owned);
        Assert.Equal(ShardId.Count, (await RenewAsync(b)).Owned.Count);
        Assert.True((await RenewAsync(b)).Nodes.Single(node => node.Node.Node == a.Node).Node.IsDraining);
        await RenewAsync(a);
        Assert.Equal(ShardId.Count / 2, (await RenewAsync(b)).Surplus.Count);
    }

    private ValueTask<bool> ApplyAsync(TenantId tenant, ControlChange change) => Store.Controls.ApplyAsync(tenant, change, None);

    private static Schedule NewSchedule(TenantId tenant, string name, int minutes) => new()
    {
        Tenant = tenant, Id = new ScheduleId(Guid.CreateVersion7()), Name = name, When = "every 5m", TimeZone = "UTC", Misfire = MisfirePolicy.All, Submission = new byte[] { 1, 2, 3 },
        CreatedBy = "ada", CreatedAt = new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero), NextAt = new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero).AddMinutes(minutes),
    };

    private static void AssertSame(Schedule expected, Schedule? actual)
    {
        Assert.NotNull(actual);
        Assert.Equal(expected.Submission.ToArray(), actual.Submission.ToArray());
        Assert.Equal(expected with { Submission = default }, actual with { Submission = default });
    }
}
