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

    public ValueTask DisposeAsync() => _machine.DisposeAsync();
}
