using Astra.Kernel;
using Astra.Kernel.Effects;
using Astra.Kernel.InMemory;
using Astra.Kernel.Tasks;
using Astra.Simulation;
using Astra.Testing.Contracts;
using Xunit;

namespace Astra.Tests.Durability;

/// <summary>
/// Whole worlds of the simulation, with everything they did to their store done again to one in memory and to
/// PostgreSQL: log, goals, tasks, edges, dead letters and effects are compared row by row.
/// </summary>
public sealed class DifferentialTests(PostgresFixture postgres)
{
    // Between two looks at everything.
    private const int StepsBetweenLooks = 60;

    private const int PageMax = 10_000;

    private static CancellationToken None => CancellationToken.None;

    public static TheoryData<ulong> Seeds => [.. Enumerable.Range(1, 12).Select(seed => (ulong)seed)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task What_a_world_did_to_its_store_leaves_the_same_rows_in_memory_and_in_PostgreSQL(ulong seed)
    {
        var trace = new StoreTrace();
        Assert.Null(SimulationRun.Run(seed, trace: trace).Finding);
        Assert.NotEmpty(trace.Steps);

        await using var inPostgres = await PostgresUnderTest.OpenAsync(postgres);
        var memory = new InMemoryStore(new SystemClock(), TimeSpan.FromHours(1));
        await using var one = new Replayed(memory.Journal, memory.Projection, memory.Leases);
        await using var other = new Replayed(inPostgres.Journal, inPostgres.Projection, inPostgres.Leases);
        foreach (var (number, step) in trace.Steps.Index())
        {
            await one.TakeAsync(step);
            await other.TakeAsync(step);
            if (number % StepsBetweenLooks == StepsBetweenLooks - 1)
                await CompareAsync(one, other);
        }
        await CompareAsync(one, other);
    }

    [Fact]
    public void Among_the_worlds_are_dead_letters_effects_retries_skipped_steps_and_goals_after_goals()
    {
        var tasks = new List<TaskRow>();
        var goals = new List<GoalRow>();
        foreach (var seed in Seeds.Select(seed => seed.Data))
        {
            var trace = new StoreTrace();
            SimulationRun.Run(seed, trace: trace);
            tasks.AddRange(trace.Steps.SelectMany(step => step.Rows).SelectMany(rows => rows.Tasks));
            goals.AddRange(trace.Steps.SelectMany(step => step.Rows).SelectMany(rows => rows.Goals));
        }
        Assert.Contains(tasks, task => task.State == TaskState.Dead);
        Assert.Contains(tasks, task => task.Spec.Extras.Effect is { State: EffectState.Unknown });
        Assert.Contains(tasks, task => task.Spec.Extras.IsSkipped);
        Assert.Contains(tasks, task => task is { State: TaskState.Ready, Failure: not null });
        Assert.Contains(tasks, task => task.Spec.Extras.WantedOutcomes is not null);
        Assert.Contains(tasks, task => task.Spec.Extras.Delegations is not null);
        Assert.Contains(goals, goal => goal.Extras.After is not null && goal.State == GoalState.Completed);
        Assert.Contains(goals, goal => goal.Extras.Parent is not null);
    }

    private static async Task CompareAsync(Replayed one, Replayed other)
    {
        var (rows, sameRows) = (await one.DescribeAsync(), await other.DescribeAsync());
        Assert.Equal(rows.Keys, sameRows.Keys);
        foreach (var (what, row) in rows)
            Assert.True(row == sameRows[what], $"{what} differs.\nIn memory:     {row}\nIn PostgreSQL: {sameRows[what]}");
    }

    /// <summary>A store that is done to what was done to the world's. All of it is owned by one node here.</summary>
    private sealed class Replayed(IJournal journal, IProjection projection, IShardLeases leases) : IAsyncDisposable
    {
        private readonly NodeRegistration _self = new(new NodeId("replay"), "http://127.0.0.1", Guid.NewGuid());
        private readonly HashSet<(TenantId Tenant, GoalId Goal)> _goals = [];
        private readonly HashSet<(TenantId Tenant, string Key)> _keys = [];
        private readonly HashSet<(TenantId Tenant, TaskId Task)> _tasks = [];
        private readonly HashSet<string> _causes = [];
        private IReadOnlyDictionary<ShardId, Epoch>? _epochs;

        public async Task TakeAsync(StoreStep step)
        {
            _epochs ??= (await leases.RenewAsync(_self, [], None)).Owned;
            if (step.Appends.Count > 0)
                Assert.All(await journal.AppendAsync([.. step.Appends.Select(append => append with { Epoch = _epochs[append.Shard] })], None), outcome => Assert.Equal(AppendOutcome.Committed, outcome));
            if (step.Rows.Count > 0)
                Assert.All(await projection.ProjectAsync([.. step.Rows.Select(rows => rows with { Epoch = _epochs[rows.Shard] })], None), outcome =>
                {
                    Assert.False(outcome.IsFenced);
                    Assert.Empty(outcome.Quarantined);
                });
            foreach (var entry in step.Appends.SelectMany(append => append.Entries))
                _goals.Add((entry.Tenant, entry.Goal));
            foreach (var goal in step.Rows.SelectMany(rows => rows.Goals).Where(goal => goal.IdempotencyKey is not null))
                _keys.Add((goal.Tenant, goal.IdempotencyKey!));
            foreach (var task in step.Rows.SelectMany(rows => rows.Tasks))
            {
                _tasks.Add((task.Tenant, task.Id));
                if (task.Failure is { } failure)
                    _causes.Add(failure.Fingerprint);
            }
        }

        /// <summary>Everything that anybody can read, as text, by what it is.</summary>
        public async Task<SortedDictionary<string, string>> DescribeAsync()
        {
            var all = new SortedDictionary<string, string>(StringComparer.Ordinal);
            var shards = _goals.Select(goal => goal.Goal.Shard).Distinct().Order().ToArray();
            foreach (var snapshot in await projection.LoadAsync(shards, None))
            {
                all[$"watermark {snapshot.Shard}"] = $"{snapshot.Watermark}, {snapshot.HeldBack.Count} held back";
                all[$"active goals of {snapshot.Shard}"] = Sample.Text(snapshot.Goals);
            }
            var logs = await journal.ReadTailsAsync([.. shards.Select(shard => new ShardPosition(shard, 0))], None);
            foreach (var entry in logs.SelectMany(log => log))
                all[$"entry {entry.Shard}/{entry.Seq}"] = Sample.Text(entry);
            foreach (var (tenant, goal) in _goals)
            {
                var plan = await projection.LoadGoalAsync(tenant, goal, None);
                all[$"goal {goal}"] = Sample.Text(plan?.Goal);
                all[$"goal {goal} alone"] = Sample.Text(await projection.FindGoalAsync(tenant, goal, None));
                foreach (var task in plan?.Tasks ?? [])
                    all[$"task {task.Id}"] = Sample.Text(task);
                all[$"history of {goal}"] = string.Join(' ', (await journal.ReadGoalAsync(tenant, goal, 0, PageMax, None)).Select(entry => $"{entry.Seq}:{entry.Kind}"));
            }
            foreach (var (tenant, key) in _keys)
                all[$"key {tenant}/{key}"] = Sample.Text(await projection.FindByIdempotencyKeyAsync(tenant, key, None));
            foreach (var (tenant, task) in _tasks)
                all[$"goal of task {task}"] = Sample.Text(await projection.FindGoalOfTaskAsync(tenant, task, None));
            foreach (var tenant in _goals.Select(goal => goal.Tenant).Distinct())
                await DescribeListsAsync(tenant, all);
            return all;
        }

        private async Task DescribeListsAsync(TenantId tenant, SortedDictionary<string, string> all)
        {
            foreach (var state in (GoalState?[])[null, .. Enum.GetValues<GoalState>()])
                foreach (var agent in (string?[])[null, "writer", "reader"])
                    all[$"list {tenant} {state} {agent}"] = Sample.Text((await projection.ListGoalsAsync(tenant, state, agent, null, PageMax, None)).Select(goal => (goal.Id, goal.State, goal.LastSeq)));
            all[$"dead letters {tenant}"] = Sample.Text(await projection.ListDeadTasksAsync(tenant, null, null, PageMax, None));
            all[$"causes {tenant}"] = Sample.Text(await projection.ListDeadGroupsAsync(tenant, PageMax, None));
            all[$"unknown effects {tenant}"] = Sample.Text(await projection.ListUnknownEffectsAsync(tenant, null, PageMax, None));
            all[$"approvals {tenant}"] = Sample.Text(await projection.ListApprovalsAsync(tenant, null, PageMax, None));
            foreach (var cause in _causes)
                all[$"dead letters {tenant} {cause}"] = Sample.Text((await projection.ListDeadTasksAsync(tenant, cause, null, PageMax, None)).Select(listed => listed.Task.Id));
        }

        public ValueTask DisposeAsync() => leases.LeaveAsync(_self, None);
    }
}
