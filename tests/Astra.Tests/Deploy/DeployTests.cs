using System.Text.Json;
using System.Text.RegularExpressions;
using Astra.Sdk;
using Astra.Tests.Api;
using Astra.Tests.Durability;
using Astra.Tests.EndToEnd;
using Astra.Tests.Structure;
using Xunit;
using YamlDotNet.Serialization;

namespace Astra.Tests.Deploy;

/// <summary>The files in deploy/, held against what a real server shows.</summary>
public sealed partial class DeployTests(PostgresFixture postgres) : IAsyncDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly AstraMachine _machine = new();

    [Fact]
    public async Task Every_query_of_a_rule_or_a_panel_asks_a_running_server_for_series_and_labels_that_it_has()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await _machine.ServeAsync(_machine.Data, "--database", database.Address);
        using var client = await AstraMachine.ClientAsync(_machine.Data);
        await using var worker = await TestWorker.StartAsync(client, _machine.Data.ReadAdminKey()!, TestWorker.Picky());
        // Something of everything that has labels: what is done, what is dead, what waits.
        var goal = await client.SubmitAsync(TestWorker.Meal("soup", "bad-sour-1"), cancellationToken: None);
        await client.RegisterAgentAsync(new AgentRegistration("nobody", "Has no worker, so that its goals stay."), None);
        await client.SubmitAsync(new GoalSubmission { Agent = "nobody" }, cancellationToken: None);
        var metrics = await Eventually.SeeAsync("a dead letter and a task that waits, in the metrics", async () =>
            await ScrapeAsync(client) is var scraped && scraped["astra_dead_letters_total"].Samples.Count > 0 && scraped["astra_tenant_tasks_ready"].Samples.Count > 0 ? scraped : null);
        Assert.Equal(GoalState.Active, (await client.GetGoalAsync(goal.Id, None)).State);

        var queries = Alerts().Select(alert => alert.Query).Concat(Panels()).ToList();
        Assert.True(queries.Count > 55, $"{queries.Count}");
        Assert.All(queries, query => Assert.Null(ProblemOf(query, metrics)));
        var variables = Variables().ToList();
        Assert.NotEmpty(variables);
        Assert.All(variables, variable => Assert.Null(ProblemOf(variable, metrics)));
        // What an alert says of itself, it knows.
        foreach (var alert in Alerts())
        {
            var labels = PromQl.LabelsOf(alert.Query, name => Find(name, metrics));
            Assert.All(LabelSaid().Matches(string.Join(' ', alert.Texts.Values)), said => Assert.Contains(said.Groups["label"].Value, labels));
        }
    }

    [Fact]
    public void Every_alert_says_what_is_the_matter_what_it_means_and_what_to_do()
    {
        var alerts = Alerts().ToList();
        Assert.True(alerts.Count > 10);
        Assert.Equal(alerts.Select(alert => alert.Name).Distinct(), alerts.Select(alert => alert.Name));
        Assert.All(alerts, alert =>
        {
            Assert.Matches("^Astra[A-Za-z]+$", alert.Name);
            Assert.Contains(alert.Severity, (string[])["warning", "critical"]);
            Assert.Equal(["action", "description", "summary"], alert.Texts.Keys.Order(StringComparer.Ordinal));
            Assert.All(alert.Texts.Values, text => Assert.Matches(@"^[^ ].{15,}[.?]$", text));
        });
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

    public ValueTask DisposeAsync() => _machine.DisposeAsync();

    private async Task<IReadOnlyDictionary<string, Family>> ScrapeAsync(AstraClient client) =>
        PrometheusReader.Read(await AstraMachine.ScrapeAsync(client.Address, _machine.Data.ReadAdminKey()!));

    private static string? ProblemOf(string query, IReadOnlyDictionary<string, Family> metrics)
    {
        try
        {
            PromQl.LabelsOf(query, name => Find(name, metrics));
            return null;
        }
        catch (FormatException e)
        {
            return e.Message;
        }
    }

    /// <summary>With what the scrape itself adds. A series without a sample has no labels that anybody has seen.</summary>
    private static Series? Find(string name, IReadOnlyDictionary<string, Family> metrics)
    {
        var labels = new Dictionary<string, IReadOnlySet<string>?> { ["instance"] = null, ["job"] = new HashSet<string> { "astra" } };
        if (name == "up")
            return new Series(labels);
        var family = metrics.GetValueOrDefault(name) ?? (HistogramPart().Replace(name, "") is var whole && metrics.GetValueOrDefault(whole) is { Type: "histogram" } histogram ? histogram : null);
        if (family is null || (family.Name == name && family.Type == "histogram"))
            return null;
        foreach (var label in family.Samples.Values.Where(sample => sample.Name == name).SelectMany(sample => sample.Labels).GroupBy(label => label.Key, label => label.Value))
            labels[label.Key] = label.ToHashSet();
        return new Series(labels);
    }

    private static IEnumerable<Alert> Alerts() =>
        from Dictionary<object, object> rules in (List<object>)Yaml("deploy/prometheus/astra.rules.yml")["groups"]
        from Dictionary<object, object> rule in (List<object>)rules["rules"]
        let texts = (Dictionary<object, object>)rule["annotations"]
        select new Alert(
            (string)rule["alert"], (string)rule["expr"], (string)((Dictionary<object, object>)rule["labels"])["severity"],
            texts.ToDictionary(text => (string)text.Key, text => (string)text.Value));

    private static IEnumerable<string> Panels()
    {
        using var dashboard = JsonDocument.Parse(Repository.Read("deploy/grafana/astra.json"));
        return
        [
            .. from panel in dashboard.RootElement.GetProperty("panels").EnumerateArray()
               from target in panel.GetProperty("targets").EnumerateArray()
               select target.GetProperty("expr").GetString()!,
        ];
    }

    /// <summary>What the dashboard asks for to fill its variables, as a query that gives the same: Grafana's `label_values` is
    /// no PromQL.</summary>
    private static IEnumerable<string> Variables()
    {
        using var dashboard = JsonDocument.Parse(Repository.Read("deploy/grafana/astra.json"));
        return
        [
            .. from variable in dashboard.RootElement.GetProperty("templating").GetProperty("list").EnumerateArray()
               where variable.GetProperty("type").GetString() == "query"
               select LabelValues().Replace(variable.GetProperty("query").GetString()!, "sum by (${label}) (${series})"),
        ];
    }

    private static Dictionary<object, object> Yaml(string path) =>
        (Dictionary<object, object>)new DeserializerBuilder().Build().Deserialize(Repository.Read(path))!;

    private sealed record Alert(string Name, string Query, string Severity, IReadOnlyDictionary<string, string> Texts);

    [GeneratedRegex("_(bucket|sum|count)$")]
    private static partial Regex HistogramPart();

    [GeneratedRegex(@"\$labels\.(?<label>\w+)")]
    private static partial Regex LabelSaid();

    [GeneratedRegex(@"^label_values\((?<series>\w+), (?<label>\w+)\)$")]
    private static partial Regex LabelValues();
}
