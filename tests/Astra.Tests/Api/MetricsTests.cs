using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using Astra.Gateway;
using Astra.Governance;
using Astra.Kernel;
using Astra.Sdk;
using Astra.Tests.Structure;
using YamlDotNet.Serialization;

namespace Astra.Tests.Api;

public sealed partial class MetricsTests
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
    public async Task Every_series_that_a_rule_or_the_dashboard_names_exists()
    {
        await using var server = await ServerFixture.StartAsync();
        var metrics = PrometheusReader.Read(await ScrapeAsync(server));
        var queries = Rules().Concat(Panels()).ToList();
        Assert.True(queries.Count > 40);
        var unknown =
            from query in queries
            from Match name in MetricName().Matches(query)
            let family = metrics.GetValueOrDefault(name.Value) ?? metrics.GetValueOrDefault(HistogramPart().Replace(name.Value, ""))
            where family is null || (family.Name != name.Value && family.Type != "histogram")
            select $"{name.Value} in {query}";
        Assert.Empty(unknown);

        // What they select by exists too.
        var kinds = metrics["astra_notices_total"].Samples.Values.Select(sample => sample.Labels["kind"]).ToHashSet();
        var reasons = metrics["astra_submissions_refused_total"].Samples.Values.Select(sample => sample.Labels["reason"]).ToHashSet();
        foreach (var query in queries)
        {
            Assert.All(Regex.Matches(query, "kind=\"(?<value>[^\"]+)\""), match => Assert.Contains(match.Groups["value"].Value, kinds));
            Assert.All(Regex.Matches(query, "reason=\"(?<value>[^\"]+)\""), match => Assert.Contains(match.Groups["value"].Value, reasons));
        }
    }

    [Fact]
    public void The_scrape_configuration_names_the_rules_and_the_path()
    {
        var config = Yaml("deploy/prometheus/prometheus.yml");
        Assert.Equal("astra.rules.yml", Assert.Single((List<object>)config["rule_files"]));
        var job = (Dictionary<object, object>)Assert.Single((List<object>)config["scrape_configs"]);
        Assert.Equal(("astra", "/metrics"), ((string)job["job_name"], (string)job["metrics_path"]));
        Assert.True(((Dictionary<object, object>)job["authorization"]).ContainsKey("credentials_file"));
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

    private static IEnumerable<string> Rules() =>
        from Dictionary<object, object> rules in (List<object>)Yaml("deploy/prometheus/astra.rules.yml")["groups"]
        from Dictionary<object, object> rule in (List<object>)rules["rules"]
        let texts = (Dictionary<object, object>)rule["annotations"]
        where texts.ContainsKey("summary") && texts.ContainsKey("description") && rule.ContainsKey("alert")
        select (string)rule["expr"];

    private static IEnumerable<string> Panels()
    {
        using var dashboard = JsonDocument.Parse(Repository.Read("deploy/grafana/astra.json"));
        return
        [
            .. from panel in dashboard.RootElement.GetProperty("panels").EnumerateArray()
               from target in panel.GetProperty("targets").EnumerateArray()
               select target.GetProperty("expr").GetString()!,
            .. from variable in dashboard.RootElement.GetProperty("templating").GetProperty("list").EnumerateArray()
               where variable.GetProperty("type").GetString() == "query"
               select variable.GetProperty("query").GetString()!,
        ];
    }

    private static Dictionary<object, object> Yaml(string path) =>
        (Dictionary<object, object>)new DeserializerBuilder().Build().Deserialize(Repository.Read(path))!;

    [GeneratedRegex(@"\b(astra|process)_[a-z_]+\b")]
    private static partial Regex MetricName();

    [GeneratedRegex("_(bucket|sum|count)$")]
    private static partial Regex HistogramPart();
}
