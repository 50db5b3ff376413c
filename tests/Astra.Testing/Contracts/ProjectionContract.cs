using Astra.Kernel;
using Astra.Kernel.Tasks;
using Xunit;

namespace Astra.Testing.Contracts;

/// <summary>What every projection guarantees of the rows that it writes and loads.</summary>
public abstract class ProjectionContract : RowsContract
{
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
        var loaded = await Store.Projection.LoadGoalAsync(Tenant, goal.Id, None);
        Assert.Equal(Sample.Text(goal), Sample.Text(loaded!.Goal));
        Assert.Equal(Sample.Text(new[] { task }), Sample.Text(loaded.Tasks));
        Assert.Equal(Sample.Text(goal), Sample.Text((await Store.Projection.FindGoalAsync(Tenant, goal.Id, None))!));
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
        await ProjectAsync(7, 2, [], [], new RemovedTask(Tenant, removed.Id), new RemovedTask(Tenant, Sample.TaskId(7)));

        Assert.Equal([kept.Id], Assert.Single((await LoadAsync(7)).Goals).Tasks.Select(task => task.Id));
        Assert.Null(await Store.Projection.FindGoalOfTaskAsync(Tenant, removed.Id, None));
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
        await ProjectAsync(7, 2, [goal], [replaced], new RemovedTask(Tenant, task.Id));
        Assert.Equal(Sample.Text(new[] { replaced }), Sample.Text(Assert.Single((await LoadAsync(7)).Goals).Tasks));

        // Also when another goal of the same batch is refused, and everything is written apart.
        await ProjectAsync(7, 3, [goal, NewGoal(7) with { EndedAt = Sample.At }], [task], new RemovedTask(Tenant, task.Id));
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
        Assert.Null(await Store.Projection.LoadGoalAsync(Tenant, stale.Id, None));
        Assert.Equal(0, (await LoadAsync(7)).Watermark);
        Assert.NotNull(await Store.Projection.LoadGoalAsync(Tenant, fresh.Id, None));
        Assert.Equal(6, (await LoadAsync(8)).Watermark);
    }

    [Fact]
    public async Task A_tenant_uses_an_idempotency_key_for_one_goal_only()
    {
        var (first, second) = (NewGoal(7) with { IdempotencyKey = "once" }, NewGoal(8) with { IdempotencyKey = "once" });
        var elsewhere = Sample.Goal(Sample.Tenant(), Sample.GoalId(9)) with { IdempotencyKey = "once" };
        await ProjectAsync(7, 1, [first], []);

        Assert.Contains("one_goal_per_idempotency_key", Assert.Single((await ProjectAsync(8, 1, [second], [])).Quarantined).Reason, StringComparison.Ordinal);
        Assert.Empty((await ProjectAsync(9, 1, [elsewhere], [])).Quarantined);
        Assert.Equal(first.Id, (await Store.Projection.FindByIdempotencyKeyAsync(Tenant, "once", None))!.Id);
        Assert.Equal(elsewhere.Id, (await Store.Projection.FindByIdempotencyKeyAsync(elsewhere.Tenant, "once", None))!.Id);
        Assert.Null(await Store.Projection.FindByIdempotencyKeyAsync(Tenant, "twice", None));
    }

    [Fact]
    public async Task A_fixed_task_shows_its_new_input_and_executor()
    {
        var goal = NewGoal(7);
        var dead = Sample.Dead(Sample.Task(goal));
        await ProjectAsync(7, 1, [goal], [dead]);
        var repaired = dead with { Spec = dead.Spec with { Executor = "tool:unpack@2", Input = new byte[] { 1, 2, 3 }, Extras = dead.Spec.Extras with { FixCount = 1 } } };
        await ProjectAsync(7, 2, [goal], [repaired]);

        Assert.Equal(Sample.Text(repaired), Sample.Text((await Store.Projection.LoadGoalAsync(Tenant, goal.Id, None))!.Tasks.Single()));
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
}
