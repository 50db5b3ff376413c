using Astra.Kernel;
using Astra.Kernel.Tasks;
using Xunit;

namespace Astra.Testing.Contracts;

/// <summary>What every projection does with a goal whose rows break a rule: it blocks no other, until a person has decided.</summary>
public abstract class RefusedRowsContract : RowsContract
{
    [Fact]
    public async Task A_goal_that_the_tables_refuse_is_quarantined_and_blocks_nobody()
    {
        var (good, bad) = (NewGoal(7), NewGoal(7) with { EndedAt = Sample.At });

        var outcome = await ProjectAsync(7, 3, [good, bad], [Sample.Task(good), Sample.Task(bad)]);

        Assert.False(outcome.IsFenced);
        var quarantined = Assert.Single(outcome.Quarantined);
        Assert.Equal(bad.Id, quarantined.Goal);
        Assert.Contains("goal_ended_iff_final", quarantined.Reason, StringComparison.Ordinal);
        var shard = await LoadAsync(7);
        Assert.Equal(3, shard.Watermark);
        var loaded = Assert.Single(shard.Goals);
        Assert.Equal(good.Id, loaded.Goal.Id);
        Assert.Single(loaded.Tasks);
    }

    [Fact]
    public async Task A_quarantined_goal_stays_out_because_its_rows_are_no_longer_complete()
    {
        var goal = NewGoal(7);
        await ProjectAsync(7, 1, [goal], [Sample.Task(goal, "first")]);
        await ProjectAsync(7, 2, [goal], [Sample.Task(goal, "refused") with { EndedAt = Sample.At }]);

        var outcome = await ProjectAsync(7, 3, [goal], [Sample.Task(goal, "good")]);

        Assert.Contains("task_ended_iff_final", Assert.Single(outcome.Quarantined).Reason, StringComparison.Ordinal);
        var shard = await LoadAsync(7);
        Assert.Empty(shard.Goals);
        Assert.Equal(3, shard.Watermark);
    }

    [Fact]
    public async Task A_goal_that_is_released_has_the_rows_of_its_release_and_no_others()
    {
        var goal = NewGoal(7);
        await ProjectAsync(7, 1, [goal], [Sample.Task(goal, "old")]);
        await ProjectAsync(7, 2, [goal with { EndedAt = Sample.At }], [Sample.Task(goal, "missed")]);
        Assert.Equal(goal.Id, Assert.Single((await LoadAsync(7)).HeldBack).Goal);
        var listed = Assert.Single(await Store.Projection.ListQuarantinedAsync(Tenant, 10, None));
        Assert.Equal((goal.Id, goal.Title), (listed.Goal, listed.Title));
        Assert.Contains("goal_ended_iff_final", listed.Reason, StringComparison.Ordinal);
        Assert.Empty(await Store.Projection.ListQuarantinedAsync(Sample.Tenant(), 10, None));

        // Refused again: it stays, and nothing of it has changed.
        var task = Sample.Task(goal, "new");
        var epoch = (await EpochsAsync())[new ShardId(7)];
        Assert.Single((await ReleaseAsync(3, goal with { EndedAt = Sample.At })).Quarantined);
        Assert.Single((await LoadAsync(7)).HeldBack);

        Assert.Empty((await ReleaseAsync(4, goal)).Quarantined);
        var shard = await LoadAsync(7);
        Assert.Empty(shard.HeldBack);
        Assert.Equal([task.Id], Assert.Single(shard.Goals).Tasks.Select(row => row.Id));
        Assert.Equal(4, shard.Watermark);

        async Task<ProjectionOutcome> ReleaseAsync(long watermark, GoalRow row) => Assert.Single(await Store.Projection.ProjectAsync(
            [new ShardProjection(new ShardId(7), epoch, watermark, [row], [task], []) { Released = [(Tenant, goal.Id)] }], None));
    }

    [Fact]
    public async Task A_goal_that_is_given_up_is_gone_and_stays_known_as_given_up()
    {
        var (goal, other) = (NewGoal(7), NewGoal(7));
        await ProjectAsync(7, 1, [goal, other], [Sample.Task(goal), Sample.Task(other)]);
        await ProjectAsync(7, 2, [goal with { EndedAt = Sample.At }], []);
        var epoch = (await EpochsAsync())[new ShardId(7)];
        await Store.Projection.ProjectAsync([new ShardProjection(new ShardId(7), epoch, 3, [], [], []) { Discarded = [(Tenant, goal.Id)] }], None);

        var shard = await LoadAsync(7);
        Assert.Equal([new HeldBack(Tenant, goal.Id, IsDiscarded: true)], shard.HeldBack);
        Assert.Equal([other.Id], shard.Goals.Select(left => left.Goal.Id));
        Assert.Null(await Store.Projection.LoadGoalAsync(Tenant, goal.Id, None));
        Assert.Empty(await Store.Projection.ListQuarantinedAsync(Tenant, 10, None));
        await ProjectAsync(7, 4, [goal], [Sample.Task(goal)]);
        Assert.Null(await Store.Projection.FindGoalAsync(Tenant, goal.Id, None));
    }

    [Theory]
    [InlineData("task_ended_iff_final")]
    [InlineData("running_has_worker")]
    [InlineData("dead_has_failure")]
    [InlineData("counts_not_negative")]
    [InlineData("text_is_text")]
    public async Task A_task_that_breaks_a_rule_quarantines_its_goal_with_the_rule_as_the_reason(string rule)
    {
        var goal = NewGoal(7);
        var task = Sample.Task(goal);
        var broken = rule switch
        {
            "task_ended_iff_final" => task with { State = TaskState.Completed },
            "running_has_worker" => task with { Worker = null, WorkerName = null },
            "dead_has_failure" => Sample.Dead(task) with { Failure = null },
            "counts_not_negative" => task with { Attempt = -1 },
            _ => task with { WorkerName = "half a character: \ud800" },
        };

        var outcome = await ProjectAsync(7, 1, [goal], [broken]);

        Assert.Contains(rule, Assert.Single(outcome.Quarantined).Reason, StringComparison.Ordinal);
        Assert.Equal(1, (await LoadAsync(7)).Watermark);
    }

    [Fact]
    public async Task A_title_that_is_no_text_quarantines_the_goal()
    {
        var outcome = await ProjectAsync(7, 1, [NewGoal(7) with { Title = "a\0b" }, NewGoal(7)], []);

        Assert.Contains("text_is_text", Assert.Single(outcome.Quarantined).Reason, StringComparison.Ordinal);
        Assert.Single((await LoadAsync(7)).Goals);
    }

    [Fact]
    public async Task A_task_of_an_unknown_goal_is_quarantined()
    {
        var outcome = await ProjectAsync(7, 1, [], [Sample.Task(NewGoal(7))]);

        Assert.Contains("task_has_goal", Assert.Single(outcome.Quarantined).Reason, StringComparison.Ordinal);
    }
}
