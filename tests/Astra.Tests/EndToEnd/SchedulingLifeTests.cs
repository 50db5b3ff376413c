using System.Net;
using System.Net.Http.Json;
using Astra.Kernel;
using Astra.Sdk;
using Astra.Tests.Api;
using Astra.Tests.Durability;
using Xunit;
using DeadTaskPolicy = Astra.Sdk.DeadTaskPolicy;
using GoalState = Astra.Sdk.GoalState;
using TaskState = Astra.Sdk.TaskState;

namespace Astra.Tests.EndToEnd;

/// <summary>Limits, schedules, pauses, deadlines and draining on real servers over PostgreSQL, which are killed.</summary>
public sealed class SchedulingLifeTests(PostgresFixture postgres) : IAsyncDisposable
{
    private readonly AstraMachine _machine = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("tenant", null, "The tenant runs 2 tasks here, and 2 is its limit.")]
    [InlineData("agent", "gated", "Agent gated runs 2 tasks here, and 2 is its limit.")]
    [InlineData("queue", "emails", "Queue emails runs 2 tasks here, and 2 is its limit.")]
    public async Task No_more_run_at_once_than_a_limit_allows(string scope, string? name, string because)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await _machine.ServeAsync(_machine.Data, "--database", database.Address);
        using var client = await AstraMachine.ClientAsync(_machine.Data);
        string[] limited = name is null ? [scope] : [scope, name];
        var set = await _machine.Astra(["limit", "set", .. limited, "--concurrency", "2"]).EndsWithAsync(0);
        Assert.Contains(scope, set.Out, StringComparison.Ordinal);
        await using var worker = new GatedWorker(client.Address, _machine.Data.ReadAdminKey()!);

        var goals = new List<Guid>();
        for (var number = 0; number < 5; number++)
            goals.Add((await client.SubmitAsync(Gated(number), cancellationToken: Ct)).Id);
        await Eventually.HoldsAsync("two of them run", () => Task.FromResult(worker.Running == 2));
        var waiting = await Eventually.SeeAsync("one that waits", async () =>
        {
            foreach (var goal in goals)
                if ((await client.GetPlanAsync(goal, Ct)).Tasks.Single(task => task.Name == "work") is { State: TaskState.Ready } ready)
                    return ready;
            return null;
        });
        Assert.StartsWith(because, (await client.WhyAsync(waiting.Id, Ct)).Sentence, StringComparison.Ordinal);
        var why = await _machine.Astra("why", waiting.Id.ToString()).EndsWithAsync(0);
        Assert.Contains(because, why.Out, StringComparison.Ordinal);

        worker.Open();
        foreach (var goal in goals)
            Assert.Equal(GoalState.Completed, (await client.FinishAsync(goal, Ct)).State);
        Assert.Equal(2, worker.MostAtOnce);
        await _machine.Astra(["limit", "remove", .. limited]).EndsWithAsync(0);
        Assert.Empty((await client.GetControlsAsync(Ct)).Limits);
    }

    [Fact]
    public async Task A_tool_runs_as_often_at_once_as_its_limit_allows()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await _machine.ServeAsync(_machine.Data, "--database", database.Address);
        using var client = await AstraMachine.ClientAsync(_machine.Data);
        await _machine.Astra("limit", "set", "tool", "shell", "--concurrency", "1").EndsWithAsync(0);
        var goal = await client.SubmitAsync(new GoalSubmission
        {
            Title = "three at once, if they may",
            Plan = [.. Enumerable.Range(0, 3).Select(number => new AddStep { Name = $"step-{number}", Executor = "tool:shell@1", Input = AstraJson.ToElement(new { command = "echo hello" }) })],
        }, cancellationToken: Ct);
        Assert.Equal(GoalState.Completed, (await client.FinishAsync(goal.Id, Ct)).State);
        var runs = (await client.GetPlanAsync(goal.Id, Ct)).Tasks.OrderBy(task => task.StartedAt).ToList();
        foreach (var (before, after) in runs.Zip(runs.Skip(1)))
            Assert.True(after.StartedAt >= before.EndedAt, $"{after.Name} began at {after.StartedAt:O}, while {before.Name} ran until {before.EndedAt:O}.");
    }

    [Fact]
    public async Task A_rate_is_kept_and_why_says_when_the_next_may_start()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var server = await _machine.ServeAsync(_machine.Data, "--database", database.Address);
        using var client = await AstraMachine.ClientAsync(_machine.Data);
        await _machine.Astra("limit", "set", "queue", "emails", "--per-minute", "1").EndsWithAsync(0);
        await using var worker = new GatedWorker(client.Address, _machine.Data.ReadAdminKey()!);
        worker.Open();
        var goal = await client.SubmitAsync(new GoalSubmission
        {
            Title = "two mails", Plan = [.. Enumerable.Range(0, 2).Select(number => new AddStep { Name = $"mail-{number}", Executor = "agent:gated", Queue = "emails" })],
        }, cancellationToken: Ct);
        await Eventually.HoldsAsync("one of them is done", async () => (await client.GetGoalAsync(goal.Id, Ct)).Tasks.Completed >= 1, server.ToString);
        var last = (await client.GetPlanAsync(goal.Id, Ct)).Tasks.Single(task => task.State == TaskState.Ready);
        Assert.StartsWith("Queue emails has started the 1 per minute that are its limit; the next may start in", (await client.WhyAsync(last.Id, Ct)).Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_schedule_fires_each_of_its_times_once_although_its_server_is_killed_again_and_again()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var server = await _machine.ServeAsync(_machine.Data, "--database", database.Address);
        var plan = _machine.Write("plan.yaml", "title: tick\nsteps:\n  - name: never\n    tool: shell@1\n    notBefore: 2100-01-01T00:00:00Z\n    input:\n      command: echo\n");
        var made = AstraJson.Read<ScheduleView>(System.Text.Encoding.UTF8.GetBytes(
            (await _machine.Astra("schedule", "create", "ticks", "--when", "every 1s", "--misfire", "all", "--plan", plan, "--json").EndsWithAsync(0)).Out));
        for (var kill = 0; kill < 3; kill++)
        {
            using (var client = await AstraMachine.ClientAsync(_machine.Data))
            {
                var before = (await client.GetScheduleAsync(made.Id, Ct)).FiredCount;
                await Eventually.HoldsAsync("it fires", async () => (await client.GetScheduleAsync(made.Id, Ct)).FiredCount > before, server.ToString);
            }
            await server.KillAsync();
            server = await _machine.ServeAsync(_machine.Data, "--database", database.Address);
        }

        using var last = await AstraMachine.ClientAsync(_machine.Data);
        var fired = (await last.GetScheduleAsync(made.Id, Ct)).FiredCount;
        await Eventually.HoldsAsync("it fires after the last kill too", async () => (await last.GetScheduleAsync(made.Id, Ct)).FiredCount > fired, server.ToString);
        await _machine.Astra("schedule", "pause", made.Id.ToString()).EndsWithAsync(0);
        // What was being fired when it was paused is a goal, and the row says so or will not.
        var schedule = await last.GetScheduleAsync(made.Id, Ct);
        var goals = 0;
        await Eventually.HoldsAsync("as many goals as times", async () =>
        {
            schedule = await last.GetScheduleAsync(made.Id, Ct);
            goals = await CountGoalsAsync(last);
            return goals == schedule.FiredCount;
        }, () => $"{goals} goals, {schedule.FiredCount} fired");
        Assert.Equal(0, schedule.MissedCount);
        Assert.Equal((long)Math.Round((schedule.LastAt!.Value - made.CreatedAt).TotalSeconds), schedule.FiredCount);
    }

    [Fact]
    public async Task A_time_that_passes_while_no_server_runs_is_made_up_for_once()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var server = await _machine.ServeAsync(_machine.Data, "--database", database.Address);
        Guid id;
        using (var client = await AstraMachine.ClientAsync(_machine.Data))
        {
            var at = DateTimeOffset.UtcNow.AddSeconds(3);
            id = (await client.CreateScheduleAsync(new ScheduleRequest { Name = "once", When = $"at {at:yyyy-MM-ddTHH:mm:ssZ}", Goal = Nobody("once") }, Ct)).Id;
            await server.KillAsync();
            await Eventually.HoldsAsync("its time has passed", () => Task.FromResult(DateTimeOffset.UtcNow > at));
        }
        for (var start = 0; start < 2; start++)
        {
            server = await _machine.ServeAsync(_machine.Data, "--database", database.Address);
            using var client = await AstraMachine.ClientAsync(_machine.Data);
            await Eventually.HoldsAsync("it has fired", async () => (await client.GetScheduleAsync(id, Ct)) is { FiredCount: 1, NextAt: null }, server.ToString);
            Assert.Equal(1, await CountGoalsAsync(client));
            Assert.Contains("has no time left to fire at", (await client.WhyAsync(id, Ct)).Sentence, StringComparison.Ordinal);
            await server.KillAsync();
        }
    }

    [Fact]
    public async Task Pauses_limits_and_weights_survive_a_kill_and_what_was_paused_runs_when_it_is_resumed()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var server = await _machine.ServeAsync(_machine.Data, "--database", database.Address);
        Guid goal, ofAgent;
        using (var client = await AstraMachine.ClientAsync(_machine.Data))
        {
            goal = (await client.SubmitAsync(new GoalSubmission { Title = "paused", Plan = [new AddStep { Name = "work", Executor = "agent:gated" }] }, cancellationToken: Ct)).Id;
            await _machine.Astra("goal", "pause", goal.ToString(), "--reason", "lunch").EndsWithAsync(0);
            await _machine.Astra("agent", "pause", "gated").EndsWithAsync(0);
            await _machine.Astra("agent", "weight", "gated", "300").EndsWithAsync(0);
            await _machine.Astra("tenant", "weight", "default", "50").EndsWithAsync(0);
            ofAgent = (await client.SubmitAsync(Gated(1), cancellationToken: Ct)).Id;
            await server.KillAsync();
        }

        await _machine.ServeAsync(_machine.Data, "--database", database.Address);
        using var again = await AstraMachine.ClientAsync(_machine.Data);
        await using var worker = new GatedWorker(again.Address, _machine.Data.ReadAdminKey()!);
        worker.Open();
        // Another goal of nobody's runs, so the worker is there and the others are kept from it.
        var free = await again.SubmitAsync(new GoalSubmission { Title = "free", Plan = [new AddStep { Name = "work", Executor = "agent:gated" }] }, cancellationToken: Ct);
        Assert.Equal(GoalState.Completed, (await again.FinishAsync(free.Id, Ct)).State);
        Assert.Equal("lunch", (await again.GetGoalAsync(goal, Ct)).Paused!.Reason);
        Assert.Contains("paused by", (await again.WhyAsync(goal, Ct)).Sentence, StringComparison.Ordinal);
        Assert.Contains("Agent gated is paused by", (await again.WhyAsync(ofAgent, Ct)).Sentence, StringComparison.Ordinal);
        var controls = await again.GetControlsAsync(Ct);
        Assert.Equal("gated", Assert.Single(controls.PausedAgents).Agent);
        Assert.Equal([(null, 50), ("gated", 300)], controls.Weights.OrderBy(weight => weight.Agent).Select(weight => (weight.Agent, weight.Weight)));

        await _machine.Astra("goal", "resume", goal.ToString()).EndsWithAsync(0);
        await _machine.Astra("agent", "resume", "gated").EndsWithAsync(0);
        Assert.Equal(GoalState.Completed, (await again.FinishAsync(goal, Ct)).State);
        Assert.Equal(GoalState.Completed, (await again.FinishAsync(ofAgent, Ct)).State);
    }

    [Fact]
    public async Task Drain_waits_for_what_runs_and_nothing_more_is_handed_out()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await _machine.ServeAsync(_machine.Data, "--database", database.Address);
        using var client = await AstraMachine.ClientAsync(_machine.Data);
        await using var worker = new GatedWorker(client.Address, _machine.Data.ReadAdminKey()!);
        var running = await client.SubmitAsync(new GoalSubmission { Title = "running", Plan = [new AddStep { Name = "work", Executor = "agent:gated" }] }, cancellationToken: Ct);
        await Eventually.HoldsAsync("it runs", () => Task.FromResult(worker.Running == 1));

        var draining = _machine.Astra("drain", "--wait");
        await Eventually.HoldsAsync("the server drains", async () => (await client.GetStatusAsync(Ct)).Draining);
        var later = await client.SubmitAsync(new GoalSubmission { Title = "later", Plan = [new AddStep { Name = "work", Executor = "agent:gated" }] }, cancellationToken: Ct);
        Assert.Contains("This node drains and hands nothing out", (await client.WhyAsync(later.Id, Ct)).Sentence, StringComparison.Ordinal);
        worker.Open();
        Assert.Contains("drains: 0 tasks run", (await draining.EndsWithAsync(0)).Out, StringComparison.Ordinal);
        Assert.Equal(GoalState.Completed, (await client.FinishAsync(running.Id, Ct)).State);
        Assert.Equal(GoalState.Active, (await client.GetGoalAsync(later.Id, Ct)).State);
        await _machine.Astra("drain", "--off").EndsWithAsync(0);
        Assert.Equal(GoalState.Completed, (await client.FinishAsync(later.Id, Ct)).State);
    }

    [Fact]
    public async Task The_shards_of_a_server_that_drains_go_to_the_other_which_answers_for_everything()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        using var servers = await TwoServers.StartAsync(_machine, database);
        var (one, other) = (servers.One, servers.Other);
        var goals = new List<Guid>();
        for (var number = 0; number < 20; number++)
            goals.Add((await one.SubmitAsync(Nobody($"goal {number}"), cancellationToken: Ct)).Id);
        await _machine.StartOn(_machine.DataOf("first"), "drain", "--wait").EndsWithAsync(0);
        await Eventually.HoldsAsync("the other owns every shard", async () => (await other.GetStatusAsync(Ct)) is var status && status.ShardsOwned == status.ShardsTotal);
        foreach (var goal in goals)
            await Eventually.HoldsAsync("the goal is there, asked of either", async () => await IsActiveAsync(one, goal) && await IsActiveAsync(other, goal));

        // A shard that has just come is a reason to ask again.
        static async Task<bool> IsActiveAsync(AstraClient client, Guid goal)
        {
            try
            {
                return (await client.GetGoalAsync(goal, Ct)).State == GoalState.Active;
            }
            catch (AstraException e) when (e.Status == 503)
            {
                return false;
            }
        }
    }

    [Fact]
    public async Task A_deadline_lapses_also_while_no_server_runs()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var server = await _machine.ServeAsync(_machine.Data, "--database", database.Address);
        Guid goal;
        using (var client = await AstraMachine.ClientAsync(_machine.Data))
        {
            var submission = new GoalSubmission
            {
                Title = "soon worth nothing", OnDeadTask = DeadTaskPolicy.Wait,
                Plan = [new AddStep { Name = "now", Executor = "agent:nobody", Deadline = DateTimeOffset.UtcNow.AddSeconds(1) }, new AddStep { Name = "later", Executor = "agent:nobody", Deadline = DateTimeOffset.UtcNow.AddSeconds(4) }],
            };
            goal = (await client.SubmitAsync(submission, cancellationToken: Ct)).Id;
            await Eventually.HoldsAsync("the first has lapsed", async () => (await client.GetGoalAsync(goal, Ct)).Tasks is { Dead: >= 1 });
            await server.KillAsync();
        }
        await _machine.ServeAsync(_machine.Data, "--database", database.Address);
        using var again = await AstraMachine.ClientAsync(_machine.Data);
        await Eventually.HoldsAsync("the second has lapsed", async () => (await again.GetGoalAsync(goal, Ct)).Tasks is { Dead: 2 });
        var groups = await _machine.Astra("dead", "groups").EndsWithAsync(0);
        Assert.Contains("Its deadline passed at", groups.Out, StringComparison.Ordinal);
        foreach (var task in (await again.GetPlanAsync(goal, Ct)).Tasks)
            Assert.Contains($"Task {task.Name} is a dead letter (permanent): Its deadline passed at", (await again.WhyAsync(task.Id, Ct)).Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_submission_beyond_a_bound_is_429_over_PostgreSQL_too_and_is_taken_when_there_is_room()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var world = new ServerWorld { Postgres = await database.OpenStoreAsync(), Limits = new KernelLimits { ActiveGoalsPerTenantMax = 1 } };
        await using var server = await ServerFixture.StartAsync(world, "node");
        using var raw = await server.RawAsync();
        var first = await SubmitAsync(raw, "first");
        Assert.Equal(HttpStatusCode.Created, first.StatusCode);
        var refused = await SubmitAsync(raw, "second");
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.True(refused.Headers.RetryAfter!.Delta >= TimeSpan.FromSeconds(1));
        Assert.Contains("The tenant has 1 active goals (limit 1).", await refused.Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);

        var goal = (await first.Content.ReadFromJsonAsync<GoalView>(AstraJson.Options, Ct))!;
        var client = await server.ClientAsync();
        await client.CancelGoalAsync(goal.Id, cancellationToken: Ct);
        Assert.Equal(HttpStatusCode.Created, (await SubmitAsync(raw, "second")).StatusCode);
    }

    [Fact]
    public async Task A_worker_that_hangs_is_given_nothing_more_and_why_says_so()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var store = await database.OpenStoreAsync();
        await using var server = await ServerFixture.StartAsync(new ServerWorld { Postgres = store, Home = await store.Tenants.EnsureAsync("default", Ct) }, "node");
        var client = await server.ClientAsync();
        await using var hung = await RawWorker.ConnectAsync(server);
        await hung.HelloAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Title = "short", Plan = [new AddStep { Name = "work", Executor = "agent:raw", LeaseSeconds = 1 }] }, cancellationToken: Ct);
        var task = (await hung.NextAsync<ServerFrame.Assign>()).Task;
        Assert.Equal(task.TaskId, (await hung.NextAsync<ServerFrame.Revoke>()).TaskId);
        Assert.StartsWith("Every worker that could take it has fallen silent (raw worker, for", (await client.WhyAsync(task.TaskId, Ct)).Sentence, StringComparison.Ordinal);
        // Whatever it says, it is there again.
        hung.Send(new WorkerFrame.Heartbeat([]));
        Assert.Equal((task.TaskId, 2), await hung.NextAsync<ServerFrame.Assign>() is var again ? (again.Task.TaskId, again.Task.Attempt) : default);
        hung.Send(new WorkerFrame.Complete(task.TaskId, 2, AstraJson.ToElement("done"), null));
        Assert.Equal(GoalState.Completed, (await client.FinishAsync(goal.Id, Ct)).State);
    }

    public ValueTask DisposeAsync() => _machine.DisposeAsync();

    private static GoalSubmission Gated(int number) => new()
    {
        Title = $"gated {number}", Agent = "gated", Plan = [new AddStep { Name = "work", Executor = "agent:gated", Queue = "emails" }],
    };

    private static GoalSubmission Nobody(string title) => new() { Title = title, Plan = [new AddStep { Name = "work", Executor = "agent:nobody" }] };

    private static async Task<int> CountGoalsAsync(AstraClient client)
    {
        var count = 0;
        string? cursor = null;
        do
        {
            var page = await client.ListGoalsAsync(cursor: cursor, limit: 500, cancellationToken: Ct);
            (count, cursor) = (count + page.Items.Count, page.Next);
        }
        while (cursor is not null);
        return count;
    }

    private static async Task<HttpResponseMessage> SubmitAsync(HttpClient raw, string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/goals") { Content = JsonContent.Create(Nobody(key), options: AstraJson.Options) };
        request.Headers.Add("Idempotency-Key", key);
        return await raw.SendAsync(request, Ct);
    }

    /// <summary>A worker whose steps end when they are let, and which counts how many run at once.</summary>
    private sealed class GatedWorker : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly TaskCompletionSource _gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Lock _counts = new();
        private readonly Task _working;
        private int _running;

        public GatedWorker(Uri address, string key) => _working = new AstraWorker(address, key) { Slots = 8, DrainTimeMax = TimeSpan.Zero }
            .Add(new TestAgent("gated") { OnStep = WorkAsync }).RunAsync(_stop.Token);

        public int MostAtOnce { get; private set; }

        public int Running
        {
            get
            {
                lock (_counts)
                    return _running;
            }
        }

        public void Open() => _gate.TrySetResult();

        public async ValueTask DisposeAsync()
        {
            _gate.TrySetResult();
            await _stop.CancelAsync();
            await _working;
            _stop.Dispose();
        }

        private async Task<StepResult> WorkAsync(StepTurn turn, CancellationToken cancellationToken)
        {
            lock (_counts)
                MostAtOnce = Math.Max(MostAtOnce, ++_running);
            try
            {
                await _gate.Task.WaitAsync(cancellationToken);
                return StepResult.Done("done");
            }
            finally
            {
                lock (_counts)
                    _running--;
            }
        }
    }
}
