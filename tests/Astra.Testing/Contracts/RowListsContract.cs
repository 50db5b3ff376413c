using Astra.Kernel;
using Astra.Kernel.Approvals;
using Astra.Kernel.Tasks;
using Xunit;

namespace Astra.Testing.Contracts;

/// <summary>What people are shown of many goals and tasks, page by page, each tenant its own.</summary>
public abstract class RowListsContract : RowsContract
{
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
        Assert.Empty(await Store.Projection.ListApprovalsAsync(other, null, 10, None));

        Assert.Equal(goal.Id, await Store.Projection.FindGoalOfTaskAsync(Tenant, task.Id, None));
        Assert.Single(await Store.Projection.ListGoalsAsync(Tenant, null, null, null, 10, None));
        Assert.Single(await Store.Projection.ListDeadTasksAsync(Tenant, null, null, 10, None));
    }

    [Fact]
    public async Task Goals_are_listed_newest_first_page_by_page()
    {
        GoalRow[] goals = [NewGoal(900), NewGoal(3), NewGoal(40), NewGoal(2), NewGoal(7)];
        foreach (var goal in goals)
            await ProjectAsync(goal.Id.Shard.Value, 1, [goal], []);

        var first = await Store.Projection.ListGoalsAsync(Tenant, null, null, null, 2, None);
        var second = await Store.Projection.ListGoalsAsync(Tenant, null, null, first[^1].Id, 2, None);
        var last = await Store.Projection.ListGoalsAsync(Tenant, null, null, second[^1].Id, 2, None);

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
            (await Store.Projection.ListGoalsAsync(Tenant, state, agent, null, 10, None)).Select(goal => goal.Id.Shard.Value);
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

        var first = await Store.Projection.ListChildrenAsync(Tenant, parent.Id, null, null, 3, None);
        var second = await Store.Projection.ListChildrenAsync(Tenant, parent.Id, null, first[^1].Id, 3, None);

        Assert.Equal(children.Select(child => child.Id).OrderByDescending(id => id.Value), first.Concat(second).Select(child => child.Id));
        Assert.Equal([children[2].Id], (await Store.Projection.ListChildrenAsync(Tenant, parent.Id, GoalState.Failed, null, 10, None)).Select(child => child.Id));
        Assert.Empty(await Store.Projection.ListChildrenAsync(Tenant, children[1].Id, null, null, 10, None));
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

        var first = await Store.Projection.ListDeadTasksAsync(Tenant, null, null, 2, None);
        var second = await Store.Projection.ListDeadTasksAsync(Tenant, null, first[^1].Task.Id, 2, None);

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

        var groups = await Store.Projection.ListDeadGroupsAsync(Tenant, 10, None);

        Assert.Equal(["damaged 2", "missing 1"], groups.Select(group => $"{group.Fingerprint} {group.Count}"));
        Assert.Equal((goal.CreatedAt.AddMinutes(1), goal.CreatedAt.AddMinutes(5), "b is bad", dead[1].Id), (groups[0].FirstAt, groups[0].LastAt, groups[0].SampleReason, groups[0].SampleTask));
        Assert.Equal(["tar", "zip"], groups[0].Kinds);
        Assert.Equal(["tool:unpack@1"], groups[0].Executors);
        Assert.Equal(["b", "a"], (await Store.Projection.ListDeadTasksAsync(Tenant, "damaged", null, 10, None)).Select(listed => listed.Task.Spec.Name));
        Assert.Equal(["damaged"], (await Store.Projection.ListDeadGroupsAsync(Tenant, 1, None)).Select(group => group.Fingerprint));
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
            (await Store.Projection.ListDeathRatesAsync(Tenant, noon, 10, None)).Select(rate => (rate.Hour, rate.Executor, rate.Count)));
        Assert.Equal(noon.AddHours(1), Assert.Single(await Store.Projection.ListDeathRatesAsync(Tenant, noon, 1, None)).Hour);
        Assert.Empty(await Store.Projection.ListDeathRatesAsync(Sample.Tenant(), noon, 10, None));
    }

    [Fact]
    public async Task Tasks_that_wait_for_a_word_on_their_effect_are_listed()
    {
        var goal = NewGoal(7);
        var lost = new Failure(FailureKind.UnknownEffect, "nobody knows", "effect");
        var parked = Minimal(Sample.Task(goal, "parked")) with { State = TaskState.Pending, Failure = lost };
        await ProjectAsync(7, 1, [goal], [parked, Minimal(Sample.Task(goal, "free")) with { State = TaskState.Ready, Failure = lost }, Sample.Task(goal, "running")]);

        Assert.Equal(["parked"], (await Store.Projection.ListUnknownEffectsAsync(Tenant, null, 10, None)).Select(listed => listed.Task.Spec.Name));
        Assert.Empty(await Store.Projection.ListUnknownEffectsAsync(Tenant, parked.Id, 10, None));
    }

    [Fact]
    public async Task Tasks_that_wait_for_votes_are_listed_until_they_have_them()
    {
        var goal = NewGoal(7);
        TaskRow Asking(string name, int votes) => Minimal(Sample.Task(goal, name)) is var row
            ? row with { State = TaskState.Pending, Spec = row.Spec with { Extras = new TaskExtras { Approval = new Approval(votes) } } } : row;
        TaskRow Voted(TaskRow row) => row with
        {
            Spec = row.Spec with { Extras = new TaskExtras { Approval = row.Spec.Extras.Approval! with { Votes = [new Vote("bob", Approval.DigestOf(row.Id, row.Spec), goal.CreatedAt, "fine")] } } },
        };
        TaskRow[] tasks = [Asking("one", 1), Asking("two", 2), Minimal(Sample.Task(goal, "plain")) with { State = TaskState.Pending }];
        await ProjectAsync(7, 1, [goal], tasks);
        Assert.Equal(["two", "one"], await ListAsync());
        Assert.Equal(["one"], (await Store.Projection.ListApprovalsAsync(Tenant, tasks[1].Id, 10, None)).Select(listed => listed.Task.Spec.Name));

        await ProjectAsync(7, 2, [goal], [Voted(tasks[0]) with { State = TaskState.Ready }, Voted(tasks[1])]);
        Assert.Equal(["two"], await ListAsync());
        Assert.Equal("bob", Assert.Single((await Store.Projection.ListApprovalsAsync(Tenant, null, 1, None))[0].Task.Spec.Extras.Approval!.Votes).By);
        await ProjectAsync(7, 3, [goal], [Voted(tasks[1]) with { State = TaskState.Cancelled, EndedAt = goal.CreatedAt, Reason = "Denied by eve." }]);
        Assert.Empty(await ListAsync());

        async Task<IEnumerable<string>> ListAsync() => (await Store.Projection.ListApprovalsAsync(Tenant, null, 10, None)).Select(listed => listed.Task.Spec.Name);
    }
}
