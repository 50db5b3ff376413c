using Astra.Kernel;
using Astra.Kernel.Tasks;
using Xunit;

namespace Astra.Testing.Contracts;

/// <summary>What every projection guarantees.</summary>
public abstract class ProjectionContract : StoreContract
{
    private readonly TenantId _tenant = Sample.Tenant();
    private IReadOnlyDictionary<ShardId, Epoch> _epochs = null!;

    [Fact]
    public async Task An_active_goal_is_loaded_with_its_tasks_as_they_were_written()
    {
        var goal = NewGoal(7) with { IdempotencyKey = "once" };
        var tasks = new[] { Sample.Task(goal, "one"), Sample.Dead(Sample.Task(goal, "two")), Minimal(Sample.Task(goal, "three")) };
        await ProjectAsync(7, 345, [goal], tasks);

        var shard = Assert.Single(await Store.Projection.LoadAsync([new ShardId(7)], None));

        Assert.Equal(new ShardId(7), shard.Shard);
        Assert.Equal(345, shard.Watermark);
        var loaded = Assert.Single(shard.Goals);
        Assert.Equal(Sample.Text(goal), Sample.Text(loaded.Goal));
        Assert.Equal(Sample.Text(tasks), Sample.Text(loaded.Tasks));
    }

    [Fact]
    public async Task Every_shard_asked_for_is_answered_in_the_order_asked()
    {
        var (first, second) = (NewGoal(9), NewGoal(9));
        await ProjectAsync(9, 20, [second, first], []);
        await ProjectAsync(5, 10, [NewGoal(5)], []);

        var shards = await Store.Projection.LoadAsync([new ShardId(9), new ShardId(1), new ShardId(5)], None);

        Assert.Equal([(9, 20L, 2), (1, 0L, 0), (5, 10L, 1)], shards.Select(shard => (shard.Shard.Value, shard.Watermark, shard.Goals.Count)));
        Assert.Equal([first.Id, second.Id], shards[0].Goals.Select(goal => goal.Goal.Id));
    }

    [Fact]
    public async Task A_finished_goal_is_not_loaded_with_its_shard_but_is_there_by_its_id()
    {
        var goal = Sample.Finished(NewGoal(7));
        var task = Sample.Dead(Sample.Task(goal));
        await ProjectAsync(7, 1, [goal], [task]);

        Assert.Empty((await LoadAsync(7)).Goals);
        var loaded = await Store.Projection.LoadGoalAsync(_tenant, goal.Id, None);
        Assert.Equal(Sample.Text(goal), Sample.Text(loaded!.Goal));
        Assert.Equal(Sample.Text(new[] { task }), Sample.Text(loaded.Tasks));
        Assert.Equal(Sample.Text(goal), Sample.Text((await Store.Projection.FindGoalAsync(_tenant, goal.Id, None))!));
    }

    [Fact]
    public async Task The_latest_projection_of_a_row_replaces_the_one_before()
    {
        var goal = NewGoal(7);
        var task = Sample.Task(goal);
        await ProjectAsync(7, 1, [goal], [task]);
        var laterGoal = goal with { Revision = 99, LastSeq = 400, Priority = 1, Counts = new TaskCounts(0, 0, 0, 0, 0, 1) };
        var laterTask = Sample.Dead(task) with { Spec = task.Spec with { Priority = -4 }, After = [], Attempt = 5, FailureCount = 3 };
        await ProjectAsync(7, 2, [laterGoal], [laterTask]);

        var loaded = Assert.Single((await LoadAsync(7)).Goals);
        Assert.Equal(Sample.Text(laterGoal), Sample.Text(loaded.Goal));
        Assert.Equal(Sample.Text(new[] { laterTask }), Sample.Text(loaded.Tasks));
    }

    [Fact]
    public async Task A_task_may_come_without_its_goal_when_the_goal_is_there()
    {
        var goal = NewGoal(7);
        await ProjectAsync(7, 1, [goal], []);
        var outcome = await ProjectAsync(7, 2, [], [Sample.Task(goal)]);

        Assert.Empty(outcome.Quarantined);
        Assert.Single(Assert.Single((await LoadAsync(7)).Goals).Tasks);
    }

    [Fact]
    public async Task A_removed_task_is_gone()
    {
        var goal = NewGoal(7);
        var (kept, removed) = (Sample.Task(goal, "kept"), Sample.Task(goal, "removed"));
        await ProjectAsync(7, 1, [goal], [kept, removed]);
        await ProjectAsync(7, 2, [], [], new RemovedTask(_tenant, removed.Id), new RemovedTask(_tenant, Sample.TaskId(7)));

        Assert.Equal([kept.Id], Assert.Single((await LoadAsync(7)).Goals).Tasks.Select(task => task.Id));
        Assert.Null(await Store.Projection.FindGoalOfTaskAsync(_tenant, removed.Id, None));
    }

    [Fact]
    public async Task A_task_that_is_added_and_moves_on_as_planned_is_the_row_it_would_be_if_it_were_written_whole()
    {
        var goal = NewGoal(7);
        var added = Minimal(Sample.Task(goal)) with { Attempt = 0, FailureCount = 0, ExpiryCount = 0 };
        await ProjectAsync(7, 1, [goal], [added], TaskRowChange.Added);
        Assert.Equal(Sample.Text(added), Sample.Text(Assert.Single((await LoadAsync(7)).Goals).Tasks.Single()));

        var running = added with
        {
            State = TaskState.Running, Attempt = 1, StartedAt = Sample.At.AddSeconds(1),
            Worker = new WorkerId(Guid.NewGuid()), WorkerName = "builder-3", WorkerProcess = Guid.NewGuid(),
        };
        await ProjectAsync(7, 2, [goal], [running], TaskRowChange.Moved);
        Assert.Equal(Sample.Text(running), Sample.Text(Assert.Single((await LoadAsync(7)).Goals).Tasks.Single()));

        var completed = added with
        {
            State = TaskState.Completed, Attempt = 1, StartedAt = running.StartedAt, EndedAt = Sample.At.AddSeconds(2), Output = Sample.Bytes("42"),
        };
        await ProjectAsync(7, 3, [goal], [completed], TaskRowChange.Moved);
        Assert.Equal(Sample.Text(completed), Sample.Text(Assert.Single((await LoadAsync(7)).Goals).Tasks.Single()));
    }

    [Fact]
    public async Task A_task_is_added_with_what_it_waits_for_and_adding_it_twice_is_adding_it_once()
    {
        var goal = NewGoal(7);
        var (first, second) = (Minimal(Sample.Task(goal, "first")), Minimal(Sample.Task(goal, "second")));
        first = first with { Attempt = 0, FailureCount = 0, ExpiryCount = 0 };
        second = second with { Attempt = 0, FailureCount = 0, ExpiryCount = 0, State = TaskState.Pending, After = [new Dependency(first.Id, DependencyKind.Completed)] };

        await ProjectAsync(7, 1, [goal], [first, second], TaskRowChange.Added);
        await ProjectAsync(7, 1, [goal], [first, second], TaskRowChange.Added);

        var tasks = Assert.Single((await LoadAsync(7)).Goals).Tasks;
        Assert.Equal([Sample.Text(first), Sample.Text(second)], tasks.OrderBy(task => task.Spec.Name, StringComparer.Ordinal).Select(Sample.Text));
    }

    [Fact]
    public async Task A_task_that_is_removed_and_there_again_is_made_anew_with_all_it_is()
    {
        var goal = NewGoal(7);
        var task = Sample.Task(goal);
        await ProjectAsync(7, 1, [goal], [task]);
        var replaced = task with { Spec = task.Spec with { Executor = "agent:other", Kind = "other", Input = "7"u8.ToArray() } };
        await ProjectAsync(7, 2, [goal], [replaced], new RemovedTask(_tenant, task.Id));
        Assert.Equal(Sample.Text(new[] { replaced }), Sample.Text(Assert.Single((await LoadAsync(7)).Goals).Tasks));

        // Also when another goal of the same batch is refused, and everything is written apart.
        await ProjectAsync(7, 3, [goal, NewGoal(7) with { EndedAt = Sample.At }], [task], new RemovedTask(_tenant, task.Id));
        Assert.Equal(Sample.Text(new[] { task }), Sample.Text(Assert.Single((await LoadAsync(7)).Goals).Tasks));
    }

    [Fact]
    public async Task Outcomes_that_dependencies_want_come_back_with_them()
    {
        var goal = NewGoal(7) with { DeadTaskPolicy = DeadTaskPolicy.Skip };
        var task = Sample.Task(goal);
        var after = new[] { new Dependency(Sample.TaskId(7), DependencyKind.Completed), new Dependency(Sample.TaskId(7), DependencyKind.Outcome, "yes") };
        await ProjectAsync(7, 1, [goal], [task with { After = after, Spec = task.Spec with { Extras = task.Spec.Extras with { WantedOutcomes = [null, "yes"], Outcome = "no", IsSkipped = true } } }]);
        var loaded = Assert.Single(Assert.Single((await LoadAsync(7)).Goals).Tasks);
        Assert.Equal(after, loaded.After);
        Assert.Equal(("no", true), (loaded.Spec.Extras.Outcome, loaded.Spec.Extras.IsSkipped));
    }

    [Fact]
    public async Task After_a_takeover_the_old_owner_writes_no_rows_and_others_do()
    {
        var before = await EpochsAsync();
        var after = await TakeOverAsync("a", "b");
        var (stale, fresh) = (NewGoal(7), NewGoal(8));

        var outcomes = await Store.Projection.ProjectAsync(
            [
                new ShardProjection(new ShardId(7), before[new ShardId(7)], 5, [stale], [Sample.Task(stale)], []),
                new ShardProjection(new ShardId(8), after[new ShardId(8)], 6, [fresh], [Sample.Task(fresh)], []),
            ],
            None);

        Assert.Equal([true, false], outcomes.Select(outcome => outcome.IsFenced));
        Assert.Null(await Store.Projection.LoadGoalAsync(_tenant, stale.Id, None));
        Assert.Equal(0, (await LoadAsync(7)).Watermark);
        Assert.NotNull(await Store.Projection.LoadGoalAsync(_tenant, fresh.Id, None));
        Assert.Equal(6, (await LoadAsync(8)).Watermark);
    }

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
        var listed = Assert.Single(await Store.Projection.ListQuarantinedAsync(_tenant, 10, None));
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
            [new ShardProjection(new ShardId(7), epoch, watermark, [row], [task], []) { Released = [(_tenant, goal.Id)] }], None));
    }

    [Fact]
    public async Task A_goal_that_is_given_up_is_gone_and_stays_known_as_given_up()
    {
        var (goal, other) = (NewGoal(7), NewGoal(7));
        await ProjectAsync(7, 1, [goal, other], [Sample.Task(goal), Sample.Task(other)]);
        await ProjectAsync(7, 2, [goal with { EndedAt = Sample.At }], []);
        var epoch = (await EpochsAsync())[new ShardId(7)];
        await Store.Projection.ProjectAsync([new ShardProjection(new ShardId(7), epoch, 3, [], [], []) { Discarded = [(_tenant, goal.Id)] }], None);

        var shard = await LoadAsync(7);
        Assert.Equal([new HeldBack(_tenant, goal.Id, IsDiscarded: true)], shard.HeldBack);
        Assert.Equal([other.Id], shard.Goals.Select(left => left.Goal.Id));
        Assert.Null(await Store.Projection.LoadGoalAsync(_tenant, goal.Id, None));
        Assert.Empty(await Store.Projection.ListQuarantinedAsync(_tenant, 10, None));
        await ProjectAsync(7, 4, [goal], [Sample.Task(goal)]);
        Assert.Null(await Store.Projection.FindGoalAsync(_tenant, goal.Id, None));
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

    [Fact]
    public async Task A_tenant_uses_an_idempotency_key_for_one_goal_only()
    {
        var (first, second) = (NewGoal(7) with { IdempotencyKey = "once" }, NewGoal(8) with { IdempotencyKey = "once" });
        var elsewhere = Sample.Goal(Sample.Tenant(), Sample.GoalId(9)) with { IdempotencyKey = "once" };
        await ProjectAsync(7, 1, [first], []);

        Assert.Contains("one_goal_per_idempotency_key", Assert.Single((await ProjectAsync(8, 1, [second], [])).Quarantined).Reason, StringComparison.Ordinal);
        Assert.Empty((await ProjectAsync(9, 1, [elsewhere], [])).Quarantined);
        Assert.Equal(first.Id, (await Store.Projection.FindByIdempotencyKeyAsync(_tenant, "once", None))!.Id);
        Assert.Equal(elsewhere.Id, (await Store.Projection.FindByIdempotencyKeyAsync(elsewhere.Tenant, "once", None))!.Id);
        Assert.Null(await Store.Projection.FindByIdempotencyKeyAsync(_tenant, "twice", None));
    }

    [Fact]
    public async Task Nothing_of_a_tenant_is_there_for_another()
    {
        var goal = NewGoal(7) with { IdempotencyKey = "once" };
        var task = Sample.Dead(Sample.Task(goal));
        await ProjectAsync(7, 1, [goal], [task]);
        var other = Sample.Tenant();

        Assert.Null(await Store.Projection.LoadGoalAsync(other, goal.Id, None));
        Assert.Null(await Store.Projection.FindGoalAsync(other, goal.Id, None));
        Assert.Null(await Store.Projection.FindByIdempotencyKeyAsync(other, "once", None));
        Assert.Null(await Store.Projection.FindGoalOfTaskAsync(other, task.Id, None));
        Assert.Empty(await Store.Projection.ListGoalsAsync(other, null, null, null, 10, None));
        Assert.Empty(await Store.Projection.ListDeadTasksAsync(other, null, null, 10, None));
        Assert.Empty(await Store.Projection.ListDeadGroupsAsync(other, 10, None));
        Assert.Empty(await Store.Projection.ListUnknownEffectsAsync(other, null, 10, None));

        Assert.Equal(goal.Id, await Store.Projection.FindGoalOfTaskAsync(_tenant, task.Id, None));
        Assert.Single(await Store.Projection.ListGoalsAsync(_tenant, null, null, null, 10, None));
        Assert.Single(await Store.Projection.ListDeadTasksAsync(_tenant, null, null, 10, None));
    }

    [Fact]
    public async Task Goals_are_listed_newest_first_page_by_page()
    {
        GoalRow[] goals = [NewGoal(900), NewGoal(3), NewGoal(40), NewGoal(2), NewGoal(7)];
        foreach (var goal in goals)
            await ProjectAsync(goal.Id.Shard.Value, 1, [goal], []);

        var first = await Store.Projection.ListGoalsAsync(_tenant, null, null, null, 2, None);
        var second = await Store.Projection.ListGoalsAsync(_tenant, null, null, first[^1].Id, 2, None);
        var last = await Store.Projection.ListGoalsAsync(_tenant, null, null, second[^1].Id, 2, None);

        Assert.Equal(goals.Reverse().Select(goal => goal.Id), first.Concat(second).Concat(last).Select(goal => goal.Id));
        Assert.Equal(Sample.Text(goals[^1]), Sample.Text(first[0]));
    }

    [Fact]
    public async Task Goals_are_listed_by_state_and_by_agent()
    {
        GoalRow[] goals = [NewGoal(1), Sample.Finished(NewGoal(2)), NewGoal(3) with { Agent = null }, Sample.Finished(NewGoal(4)) with { Agent = "other" }];
        foreach (var goal in goals)
            await ProjectAsync(goal.Id.Shard.Value, 1, [goal], []);

        Assert.Equal([3, 1], await ShardsAsync(GoalState.Active, null));
        Assert.Equal([4, 2], await ShardsAsync(GoalState.Failed, null));
        Assert.Equal([2, 1], await ShardsAsync(null, "auditor"));
        Assert.Equal([4], await ShardsAsync(GoalState.Failed, "other"));
        Assert.Empty(await ShardsAsync(GoalState.Completed, null));

        async Task<IEnumerable<int>> ShardsAsync(GoalState? state, string? agent) =>
            (await Store.Projection.ListGoalsAsync(_tenant, state, agent, null, 10, None)).Select(goal => goal.Id.Shard.Value);
    }

    [Fact]
    public async Task The_children_of_a_goal_are_listed_newest_first_page_by_page_and_by_state()
    {
        var (parent, stranger) = (NewGoal(1), NewGoal(2));
        GoalRow[] children = [.. Enumerable.Range(0, 4).Select(i => Child(parent, 10 + i))];
        children[2] = Sample.Finished(children[2]);
        // Whatever else a goal has, its parent is found; and so it is when there is nothing else.
        children[3] = children[3] with { Extras = new GoalExtras { Parent = parent.Id } };
        foreach (var goal in (GoalRow[])[parent, stranger, .. children, Child(children[0], 20), Child(stranger, 21)])
            await ProjectAsync(goal.Id.Shard.Value, 1, [goal], []);

        var first = await Store.Projection.ListChildrenAsync(_tenant, parent.Id, null, null, 3, None);
        var second = await Store.Projection.ListChildrenAsync(_tenant, parent.Id, null, first[^1].Id, 3, None);

        Assert.Equal(children.Select(child => child.Id).OrderByDescending(id => id.Value), first.Concat(second).Select(child => child.Id));
        Assert.Equal([children[2].Id], (await Store.Projection.ListChildrenAsync(_tenant, parent.Id, GoalState.Failed, null, 10, None)).Select(child => child.Id));
        Assert.Empty(await Store.Projection.ListChildrenAsync(_tenant, children[1].Id, null, null, 10, None));
        Assert.Empty(await Store.Projection.ListChildrenAsync(Sample.Tenant(), parent.Id, null, null, 10, None));

        GoalRow Child(GoalRow of, int shard)
        {
            var goal = NewGoal(shard);
            return goal with { Extras = goal.Extras with { Parent = of.Id } };
        }
    }

    [Fact]
    public async Task Dead_tasks_are_listed_newest_first_page_by_page()
    {
        var goal = NewGoal(7);
        var dead = Enumerable.Range(0, 3).Select(i => Sample.Dead(Sample.Task(goal, $"dead {i}"))).ToArray();
        await ProjectAsync(7, 1, [goal], [dead[0], Sample.Task(goal, "running"), dead[1], dead[2]]);

        var first = await Store.Projection.ListDeadTasksAsync(_tenant, null, null, 2, None);
        var second = await Store.Projection.ListDeadTasksAsync(_tenant, null, first[^1].Task.Id, 2, None);

        Assert.Equal(Sample.Text(dead.Reverse()), Sample.Text(first.Concat(second).Select(listed => listed.Task)));
        Assert.All(first, listed => Assert.Equal((goal.Title, goal.Agent), (listed.GoalTitle, listed.Agent)));
    }

    [Fact]
    public async Task Dead_tasks_are_grouped_by_cause_and_listed_by_it()
    {
        var goal = NewGoal(7);
        TaskRow Dead(string name, string fingerprint, int minute, string kind) => Sample.Dead(Sample.Task(goal, name)) with
        {
            EndedAt = goal.CreatedAt.AddMinutes(minute), Failure = new Failure(FailureKind.Permanent, $"{name} is bad", fingerprint),
            Spec = Sample.Task(goal, name).Spec with { Kind = kind },
        };
        TaskRow[] dead = [Dead("a", "damaged", 1, "zip"), Dead("b", "damaged", 5, "tar"), Dead("c", "missing", 3, "zip")];
        await ProjectAsync(7, 1, [goal], [.. dead, Sample.Task(goal, "running")]);

        var groups = await Store.Projection.ListDeadGroupsAsync(_tenant, 10, None);

        Assert.Equal(["damaged 2", "missing 1"], groups.Select(group => $"{group.Fingerprint} {group.Count}"));
        Assert.Equal((goal.CreatedAt.AddMinutes(1), goal.CreatedAt.AddMinutes(5), "b is bad", dead[1].Id), (groups[0].FirstAt, groups[0].LastAt, groups[0].SampleReason, groups[0].SampleTask));
        Assert.Equal(["tar", "zip"], groups[0].Kinds);
        Assert.Equal(["tool:unpack@1"], groups[0].Executors);
        Assert.Equal(["b", "a"], (await Store.Projection.ListDeadTasksAsync(_tenant, "damaged", null, 10, None)).Select(listed => listed.Task.Spec.Name));
        Assert.Equal(["damaged"], (await Store.Projection.ListDeadGroupsAsync(_tenant, 1, None)).Select(group => group.Fingerprint));
    }

    [Fact]
    public async Task Each_death_counts_once_in_its_hour_and_still_does_after_a_replay()
    {
        var goal = NewGoal(7);
        var noon = new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
        TaskRow Dead(string name, int minute, string executor, int attempt = 1) => Sample.Dead(Sample.Task(goal, name)) with
        {
            EndedAt = noon.AddMinutes(minute), Attempt = attempt, Spec = Sample.Task(goal, name).Spec with { Kind = "unpack", Executor = executor },
        };
        TaskRow[] first = [Dead("a", 1, "tool:unpack@1"), Dead("b", 59, "tool:unpack@1"), Dead("c", 2, "tool:unpack@2"), Dead("d", -1, "tool:unpack@1")];
        await ProjectAsync(7, 1, [goal], first);
        // The same row again tells of nothing new. A later death does, with another attempt or, where a deadline ended it,
        // without one; and being tried anew takes nothing back.
        await ProjectAsync(7, 2, [goal], [first[0] with { EndedAt = noon.AddMinutes(61) }, first[1], first[2] with { State = TaskState.Ready, EndedAt = null, Failure = null }]);

        Assert.Equal(
            [(noon.AddHours(1), "tool:unpack@1", 1), (noon, "tool:unpack@1", 2), (noon, "tool:unpack@2", 1)],
            (await Store.Projection.ListDeathRatesAsync(_tenant, noon, 10, None)).Select(rate => (rate.Hour, rate.Executor, rate.Count)));
        Assert.Equal(noon.AddHours(1), Assert.Single(await Store.Projection.ListDeathRatesAsync(_tenant, noon, 1, None)).Hour);
        Assert.Empty(await Store.Projection.ListDeathRatesAsync(Sample.Tenant(), noon, 10, None));
    }

    [Fact]
    public async Task Tasks_that_wait_for_a_word_on_their_effect_are_listed()
    {
        var goal = NewGoal(7);
        var lost = new Failure(FailureKind.UnknownEffect, "nobody knows", "effect");
        var parked = Minimal(Sample.Task(goal, "parked")) with { State = TaskState.Pending, Failure = lost };
        await ProjectAsync(7, 1, [goal], [parked, Minimal(Sample.Task(goal, "free")) with { State = TaskState.Ready, Failure = lost }, Sample.Task(goal, "running")]);

        Assert.Equal(["parked"], (await Store.Projection.ListUnknownEffectsAsync(_tenant, null, 10, None)).Select(listed => listed.Task.Spec.Name));
        Assert.Empty(await Store.Projection.ListUnknownEffectsAsync(_tenant, parked.Id, 10, None));
    }

    [Fact]
    public async Task A_fixed_task_shows_its_new_input_and_executor()
    {
        var goal = NewGoal(7);
        var dead = Sample.Dead(Sample.Task(goal));
        await ProjectAsync(7, 1, [goal], [dead]);
        var repaired = dead with { Spec = dead.Spec with { Executor = "tool:unpack@2", Input = new byte[] { 1, 2, 3 }, Extras = dead.Spec.Extras with { FixCount = 1 } } };
        await ProjectAsync(7, 2, [goal], [repaired]);

        Assert.Equal(Sample.Text(repaired), Sample.Text((await Store.Projection.LoadGoalAsync(_tenant, goal.Id, None))!.Tasks.Single()));
    }

    [Fact]
    public async Task A_projection_of_nothing_moves_the_watermark()
    {
        var outcome = await ProjectAsync(7, 11, [], []);

        Assert.False(outcome.IsFenced);
        Assert.Empty(outcome.Quarantined);
        Assert.Equal(11, (await LoadAsync(7)).Watermark);
        Assert.Empty(await Store.Projection.ProjectAsync([], None));
    }

    private GoalRow NewGoal(int shard) => Sample.Goal(_tenant, Sample.GoalId(shard));

    /// <summary>Every field that may be empty is.</summary>
    private static TaskRow Minimal(TaskRow task) => task with
    {
        Spec = new TaskSpec { Name = task.Spec.Name, Executor = "agent:a" },
        After = [],
        State = TaskState.Ready,
        DueAt = null,
        StartedAt = null,
        Worker = null,
        WorkerName = null,
    };

    private async ValueTask<IReadOnlyDictionary<ShardId, Epoch>> EpochsAsync() => _epochs ??= await OwnEverythingAsync();

    private async ValueTask<ProjectionOutcome> ProjectAsync(int shard, long watermark, GoalRow[] goals, TaskRow[] tasks, params RemovedTask[] removed)
    {
        var epochs = await EpochsAsync();
        return Assert.Single(await Store.Projection.ProjectAsync(
            [new ShardProjection(new ShardId(shard), epochs[new ShardId(shard)], watermark, goals, tasks, removed)], None));
    }

    private async ValueTask ProjectAsync(int shard, long watermark, GoalRow[] goals, TaskRow[] tasks, TaskRowChange change)
    {
        var epochs = await EpochsAsync();
        var image = new ShardProjection(new ShardId(shard), epochs[new ShardId(shard)], watermark, goals, tasks, []) { Changes = [.. tasks.Select(_ => change)] };
        Assert.False(Assert.Single(await Store.Projection.ProjectAsync([image], None)).IsFenced);
    }

    private async ValueTask<ShardSnapshot> LoadAsync(int shard) => Assert.Single(await Store.Projection.LoadAsync([new ShardId(shard)], None));
}
