using System.Text;
using System.Text.Json;
using Astra.Sdk;
using Astra.Tests.Api;
using Astra.Tests.Durability;
using Astra.Tests.Structure;
using Xunit;

namespace Astra.Tests.EndToEnd;

/// <summary>A real server with everything that watches it.</summary>
public sealed class ObservedServerTests(PostgresFixture postgres) : IAsyncDisposable
{
    private readonly AstraMachine _machine = new();

    [Fact]
    public async Task A_goal_leaves_a_trace_figures_and_a_log_that_programs_read()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var collector = new OtlpReceiver();
        var server = await _machine.ServeAsync(_machine.Data, "--database", database.Address, "--log", "json", "--otlp", collector.Address.ToString());
        var run = await _machine.Astra("run", Path.Combine(Repository.Root, "examples/plans/hello.yaml"), "--json").EndsWithAsync(0);
        var goal = AstraJson.Read<GoalView>(Encoding.UTF8.GetBytes(run.Out));

        var actors = JsonElement.Parse((await _machine.Astra("ps", "/journal-writer", "--json").EndsWithAsync(0)).Out);
        Assert.Equal("running", actors.GetProperty("actor").GetProperty("state").GetString());
        var top = JsonElement.Parse((await _machine.Astra("top", "--once", "--json", "--interval", "0.1").EndsWithAsync(0)).Out);
        Assert.Equal(1, top.GetProperty("now").GetProperty("counters").GetProperty("submitted").GetInt32());
        await _machine.Astra("restart", "/shards/shard-0").EndsWithAsync(0);
        await _machine.Astra("kill", "/shards").EndsWithAsync(1);
        await _machine.Astra("down").EndsWithAsync(0);
        var said = await server.EndsWithAsync(0);

        var lines = said.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonElement.Parse(line)).ToList();
        Assert.All(lines, line => Assert.True(line.GetProperty("at").GetDateTimeOffset() > DateTimeOffset.UnixEpoch && line.GetProperty("level").GetString() is "info" or "warning"));
        var restart = Assert.Single(lines, line => line.TryGetProperty("actor", out var actor) && actor.GetString() == "/shards/shard-0");
        Assert.Contains("restart, asked for by key:", restart.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal(0, Assert.Single(lines, line => line.TryGetProperty("shard", out _)).GetProperty("shard").GetInt32());
        Assert.DoesNotContain("astra_", said.Error, StringComparison.Ordinal);

        var spans = collector.Spans.Where(span => span.TraceId == goal.Id.ToString("N")).ToList();
        var root = Assert.Single(spans, span => span.ParentId == "");
        Assert.Equal(3, spans.Count(span => span.ParentId == root.Id));
        Assert.Equal(3, spans.Count(span => span.Name.StartsWith("tool shell", StringComparison.Ordinal)));
        Assert.Contains(collector.Spans, span => span.Name == "commit" && span.Links.Contains(root.Id));
    }

    [Fact]
    public async Task Each_attempt_at_a_model_is_a_span_and_a_measurement_by_the_conventions_for_generative_AI()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var collector = new OtlpReceiver();
        var asked = 0;
        await using var servers = new ModelServers(
            _machine, database, _ => Interlocked.Increment(ref asked) == 1 ? Models.ModelScript.Status(500, "a secret reason") : ModelServers.Answer(5), "--otlp", collector.Address.ToString());
        await servers.StartAsync(0);
        var goal = Guid.NewGuid();
        Assert.Equal(System.Net.HttpStatusCode.BadGateway, await servers.AskAsync(0, goal));
        Assert.Equal(System.Net.HttpStatusCode.OK, await servers.AskAsync(0, goal));
        await servers.StopAsync(0);

        var spans = collector.Spans.Where(span => span.Name == "chat m1").OrderBy(span => span.Start).ToList();
        Assert.All(spans, span => Assert.Equal(
            (goal.ToString("N"), "chat", "box", "m1", goal.ToString()),
            (span.TraceId, span.Attributes["gen_ai.operation.name"], span.Attributes["gen_ai.provider.name"], span.Attributes["gen_ai.request.model"], span.Attributes["astra.goal.id"])));
        Assert.Equal(["failed", "completed"], spans.Select(span => span.Attributes["astra.outcome"]));
        Assert.Equal(("failed", false), (spans[0].Attributes["error.type"], spans[1].Attributes.ContainsKey("error.type")));
        Assert.Equal(
            ("7", "5", $"{ModelServers.CostOf(5)}"),
            (spans[1].Attributes["gen_ai.usage.input_tokens"], spans[1].Attributes["gen_ai.usage.output_tokens"], spans[1].Attributes["astra.cost_nanodollars"]));
        Assert.True(spans[1].Start < spans[1].End);
        Assert.DoesNotContain(spans, span => span.Attributes.Values.Any(value => value.Contains("secret", StringComparison.Ordinal)));

        var tokens = collector.Points.Where(point => point.Name == "gen_ai.client.token.usage").ToList();
        Assert.All(tokens, point => Assert.Equal(
            ("{token}", "chat", "box", "m1"),
            (point.Unit, point.Attributes["gen_ai.operation.name"], point.Attributes["gen_ai.provider.name"], point.Attributes["gen_ai.request.model"])));
        Assert.Equal(7, Assert.Single(tokens, point => point.Attributes["gen_ai.token.type"] == "input").Sum);
        Assert.Equal(5, Assert.Single(tokens, point => point.Attributes["gen_ai.token.type"] == "output").Sum);
        var durations = collector.Points.Where(point => point.Name == "gen_ai.client.operation.duration").ToList();
        Assert.Equal(1UL, Assert.Single(durations, point => point.Unit == "s" && point.Attributes.GetValueOrDefault("error.type") == "failed").Count);
        Assert.Equal(1UL, Assert.Single(durations, point => !point.Attributes.ContainsKey("error.type")).Count);
        Assert.All(collector.Paths, path => Assert.Matches("^POST /v1/(traces|metrics) application/x-protobuf$", path));
    }

    public ValueTask DisposeAsync() => _machine.DisposeAsync();
}
