using System.Net;
using Astra.Gateway;
using Astra.Governance;
using Astra.Kernel;
using Astra.Sdk;

namespace Astra.Tests.Api;

public sealed class MetricsTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Metrics_are_well_formed_and_count_what_the_kernel_counts()
    {
        await using var server = await ServerFixture.StartAsync(TestAgent.Echo(), new TestAgent("broken") { OnPlan = _ => throw new PermanentFailureException("the plan's secret name") });
        var client = await server.ClientAsync();
        await client.FinishAsync((await client.SubmitAsync(new GoalSubmission { Agent = "echo" }, cancellationToken: Ct)).Id, Ct);
        await client.FinishAsync((await client.SubmitAsync(new GoalSubmission { Agent = "broken" }, cancellationToken: Ct)).Id, Ct);
        await client.SubmitAsync(new GoalSubmission { Agent = "nobody" }, cancellationToken: Ct);
        await Assert.ThrowsAsync<AstraException>(() => client.SubmitAsync(new GoalSubmission { Agent = "echo", Title = new string('x', 300) }, cancellationToken: Ct));
        // The scheduler hears of a ready task after the submitter has heard of the goal.
        while (await server.SummariseAsync() is not { TasksReady: 1, TasksRunning: 0 })
            Ct.ThrowIfCancellationRequested();

        var text = await ScrapeAsync(server);
        var metrics = PrometheusReader.Read(text);
        Assert.Equal(3, metrics["astra_goals_submitted_total"].Value());
        Assert.Equal(1, metrics["astra_goals_ended_total"].Value(("state", "completed")));
        Assert.Equal(1, metrics["astra_goals_ended_total"].Value(("state", "failed")));
        Assert.Equal(1, metrics["astra_goals_active"].Value());
        Assert.Equal(1, metrics["astra_tasks_ready"].Value());
        Assert.Equal(1, metrics["astra_tasks_without_worker"].Value());
        Assert.Equal(1, metrics["astra_tenant_tasks_ready"].Value(("tenant", server.Home.ToString())));
        Assert.Equal(1, metrics["astra_shards_tasks_ready"].Samples.Values.Sum(sample => sample.Value));
        Assert.Equal(16, metrics["astra_shards_tasks_ready"].Samples.Count);
        Assert.Equal(1, metrics["astra_submissions_refused_total"].Value(("reason", "invalid")));
        var death = Assert.Single(metrics["astra_dead_letters_total"].Samples.Values);
        Assert.Equal(("permanent", 1), (death.Labels["kind"], death.Value));
        Assert.Matches("^[0-9a-f]{16}$", death.Labels["fingerprint"]);
        Assert.DoesNotContain("secret", text, StringComparison.Ordinal);
        var started = metrics["astra_tasks_started_total"].Value();
        Assert.Equal(started, Count(metrics, "astra_task_wait_seconds"));
        Assert.Equal(started, Count(metrics, "astra_task_run_seconds"));
        Assert.True(Count(metrics, "astra_commit_duration_seconds") > 0);
        Assert.Equal(metrics["astra_log_entries_total"].Value(), metrics["astra_commit_size_entries"].Samples.Values.Single(sample => sample.Name.EndsWith("_sum", StringComparison.Ordinal)).Value);
        Assert.True(metrics["astra_actors"].Value() >= 4_100, "Four parts of the node, and 4,096 shards.");
        Assert.Contains(metrics["astra_http_requests_total"].Samples.Values, sample => sample.Labels["status"] == "2xx" && sample.Labels["route"] == "/api/v1/goals/{id}" && sample.Labels["method"] == "GET");

        static double Count(IReadOnlyDictionary<string, Family> metrics, string name) => metrics[name].Samples[$"{name}_count{{}}"].Value;
    }

    [Fact]
    public async Task What_watches_the_server_live_shows_the_figures_that_a_scrape_shows()
    {
        await using var server = await ServerFixture.StartAsync(TestAgent.Echo(), new TestAgent("broken") { OnPlan = _ => throw new PermanentFailureException("no plan") });
        var client = await server.ClientAsync();
        await client.FinishAsync((await client.SubmitAsync(new GoalSubmission { Agent = "echo" }, cancellationToken: Ct)).Id, Ct);
        await client.FinishAsync((await client.SubmitAsync(new GoalSubmission { Agent = "broken" }, cancellationToken: Ct)).Id, Ct);
        await client.SubmitAsync(new GoalSubmission { Agent = "nobody" }, cancellationToken: Ct);
        await Assert.ThrowsAsync<AstraException>(() => client.SubmitAsync(new GoalSubmission { Agent = "echo", Title = new string('x', 300) }, cancellationToken: Ct));
        while (await client.GetVitalsAsync(cancellationToken: Ct) is not { TasksReady: 1, TasksRunning: 0, ProjectionBacklog: 0 })
            Ct.ThrowIfCancellationRequested();

        // Nothing happens any more between the two looks.
        var vitals = await client.GetVitalsAsync(cancellationToken: Ct);
        var metrics = PrometheusReader.Read(await ScrapeAsync(server));
        var counters = vitals.Counters;
        foreach (var (name, expected) in ((string, double)[])
        [
            ("astra_goals_active", vitals.GoalsActive), ("astra_tasks_ready", vitals.TasksReady), ("astra_tasks_running", vitals.TasksRunning), ("astra_tasks_not_due", vitals.TasksNotDue),
            ("astra_tasks_without_worker", vitals.TasksWithoutWorker), ("astra_shards_owned", vitals.ShardsOwned), ("astra_nodes_alive", vitals.NodesAlive),
            ("astra_projection_backlog_entries", vitals.ProjectionBacklog), ("astra_workers_connected", vitals.WorkersConnected), ("astra_worker_slots", vitals.Slots),
            ("astra_worker_slots_taken", vitals.SlotsTaken), ("astra_actors", vitals.Actors.Actors), ("astra_actors_not_running", vitals.Actors.NotRunning),
            ("astra_actor_dead_letters_total", vitals.ActorDeadLetters), ("astra_goals_submitted_total", counters.Submitted), ("astra_tasks_started_total", counters.Started),
            ("astra_log_entries_total", counters.Entries),
        ])
            Assert.True(metrics[name].Value() == expected, $"{name}: {metrics[name].Value()}, and live {expected}");
        Assert.Equal(counters.Completed, metrics["astra_tasks_ended_total"].Value(("state", "completed")));
        Assert.Equal(counters.Died, metrics["astra_tasks_ended_total"].Value(("state", "dead")));
        Assert.Equal(counters.Failed, metrics["astra_tasks_ended_total"].Value(("state", "dead")) + metrics["astra_tasks_retried_total"].Value(("cause", "failure")));
        Assert.Equal(counters.Expired, metrics["astra_tasks_retried_total"].Value(("cause", "lease")));
        Assert.Equal(counters.Refused, metrics["astra_submissions_refused_total"].Samples.Values.Sum(sample => sample.Value));
        Assert.Equal(counters.Commits, metrics["astra_commit_duration_seconds"].Samples["astra_commit_duration_seconds_count{}"].Value);
        Assert.Equal(1, counters.Died);
        Assert.Equal(Assert.Single(vitals.Tenants).Ready, metrics["astra_tenant_tasks_ready"].Value(("tenant", server.Home.ToString())));
        Assert.Equal(vitals.DeadLettersLastHour, metrics["astra_dead_letters_total"].Samples.Values.Sum(sample => sample.Value));
    }

    [Fact]
    public async Task Metrics_take_the_key_of_whoever_runs_the_server()
    {
        await using var server = await ServerFixture.StartAsync();
        using var http = new HttpClient { BaseAddress = server.Address };
        Assert.Equal(HttpStatusCode.Unauthorized, (await http.GetAsync("/metrics", Ct)).StatusCode);
        foreach (var (key, status) in new[]
        {
            (await server.NewKeyAsync(Role.PlatformAdmin), HttpStatusCode.OK), (await server.NewKeyAsync(new TenantId(Guid.NewGuid()), Role.PlatformAdmin), HttpStatusCode.OK),
            (await server.NewKeyAsync(Role.OrgAdmin), HttpStatusCode.OK), (await server.NewKeyAsync(Role.Member), HttpStatusCode.Forbidden),
            (await server.NewKeyAsync(new TenantId(Guid.NewGuid()), Role.OrgAdmin), HttpStatusCode.Forbidden),
        })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/metrics") { Headers = { Authorization = new("Bearer", key) } };
            Assert.Equal(status, (await http.SendAsync(request, Ct)).StatusCode);
        }
    }

    [Fact]
    public async Task Metrics_are_open_where_the_server_was_told_so()
    {
        await using var server = await ServerFixture.StartAsync(new GatewayOptions { StartedAt = DateTimeOffset.UtcNow, MetricsAreOpen = true });
        using var http = new HttpClient { BaseAddress = server.Address };
        var answer = await http.GetAsync("/metrics", Ct);
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", answer.Content.Headers.ContentType!.ToString());
        PrometheusReader.Read(await answer.Content.ReadAsStringAsync(Ct));
    }

    [Fact]
    public async Task However_many_tenants_there_are_the_series_are_bounded()
    {
        await using var server = await ServerFixture.StartAsync();
        for (var i = 0; i < 30; i++)
            await (await server.ClientAsync(new TenantId(Guid.NewGuid()))).SubmitAsync(new GoalSubmission { Agent = "nobody" }, cancellationToken: Ct);
        while ((await server.SummariseAsync()).TasksReady != 30)
            Ct.ThrowIfCancellationRequested();
        var ready = PrometheusReader.Read(await ScrapeAsync(server))["astra_tenant_tasks_ready"];
        Assert.Equal((21, 10), (ready.Samples.Count, ready.Value(("tenant", "other"))));
    }

    [Fact]
    public async Task Two_nodes_in_one_process_count_apart()
    {
        var world = new ServerWorld();
        await using var one = await ServerFixture.StartAsync(world, "one");
        await using var two = await ServerFixture.StartAsync(world, "two");
        var before = PrometheusReader.Read(await ScrapeAsync(two))["astra_goals_submitted_total"].Value();
        for (var i = 0; i < 5; i++)
            await SubmitWhenOwnedAsync(await one.ClientAsync());
        Assert.Equal(5, PrometheusReader.Read(await ScrapeAsync(one))["astra_goals_submitted_total"].Value());
        Assert.Equal(before, PrometheusReader.Read(await ScrapeAsync(two))["astra_goals_submitted_total"].Value());
    }

    /// <summary>While the second node takes its share, a shard may be on its way and the submission refused for a moment.</summary>
    private static async Task SubmitWhenOwnedAsync(AstraClient client)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        patience.CancelAfter(TimeSpan.FromMinutes(1));
        while (true)
        {
            try
            {
                await client.SubmitAsync(new GoalSubmission { Agent = "nobody" }, cancellationToken: patience.Token);
                return;
            }
            catch (AstraException e) when (e.Status == 503)
            {
                await Task.Delay(20, patience.Token);
            }
        }
    }

    private static async Task<string> ScrapeAsync(ServerFixture server) => await (await server.RawAsync()).GetStringAsync("/metrics", Ct);
}
