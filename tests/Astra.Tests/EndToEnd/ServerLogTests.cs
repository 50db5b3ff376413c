using System.Text.Json;
using System.Text.RegularExpressions;
using Astra.Hosting;
using Astra.Kernel;
using Astra.Kernel.Journal;
using Astra.Sdk;
using Astra.Tests.Api;
using Astra.Tests.Durability;
using Xunit;

namespace Astra.Tests.EndToEnd;

/// <summary>What a server writes about work that fails: enough to find it, and nothing of what is in it.</summary>
public sealed partial class ServerLogTests(PostgresFixture postgres) : IAsyncDisposable
{
    // In the input of a task and the reason it gives; in a title; in a name.
    private const string Content = "rosebud";

    private static readonly CancellationToken None = CancellationToken.None;

    private readonly AstraMachine _machine = new();

    [Fact]
    public async Task A_line_about_a_task_or_a_goal_has_its_ids_as_fields_and_nothing_of_its_content()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var server = await _machine.ServeAsync(_machine.Data, "--database", database.Address, "--log", "json");
        using var client = await AstraMachine.ClientAsync(_machine.Data);
        var agent = new TestAgent("picky")
        {
            OnStep = (turn, _) => throw (turn.InputAs<string>()!.StartsWith("bad", StringComparison.Ordinal)
                ? new PermanentFailureException($"It tastes of {turn.InputAs<string>()}.") : new InvalidOperationException($"Not yet: {turn.InputAs<string>()}.")),
        };
        await using var worker = await TestWorker.StartAsync(client, _machine.Data.ReadAdminKey()!, agent);
        var dead = await client.SubmitAsync(TestWorker.Meal($"bad {Content}") with { Title = Content, OnDeadTask = DeadTaskPolicy.Doom }, cancellationToken: None);
        var retried = await client.SubmitAsync(TestWorker.Meal($"slow {Content}") with { Title = Content }, cancellationToken: None);

        await server.SaysAsync("is a dead letter after attempt 1 (permanent)");
        await server.SaysAsync($"goal {dead.Id} failed");
        await server.SaysAsync("is followed by another");
        await client.CancelGoalAsync(retried.Id, Content, None);
        await client.StopServerAsync(None);
        var said = await server.EndsAsync();

        Assert.DoesNotContain(Content, said.Out + said.Error, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(_machine.Data.ReadAdminKey()!, said.Out + said.Error, StringComparison.Ordinal);
        var lines = said.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonElement.Parse(line)).ToList();
        var death = Assert.Single(lines, line => Text(line, "message").Contains("dead letter", StringComparison.Ordinal));
        var retry = lines.First(line => Text(line, "message").Contains("followed by another", StringComparison.Ordinal));
        foreach (var (line, goal) in ((JsonElement, Guid)[])[(death, dead.Id), (retry, retried.Id)])
        {
            var task = Assert.Single((await TasksAsync(database, goal)));
            Assert.Equal((goal, task, goal.ToString("N"), 1), (line.GetProperty("goalId").GetGuid(), line.GetProperty("taskId").GetGuid(), Text(line, "traceId"), line.GetProperty("attempt").GetInt32()));
        }
        var home = (Guid)(await database.ScalarAsync($"SELECT tenant FROM goals WHERE id = '{dead.Id}'"))!;
        var about = lines.Where(line => Id().IsMatch(Text(line, "message"))).ToList();
        Assert.True(about.Count >= 3);
        Assert.All(about, line =>
        {
            Assert.Equal((home, "warning"), (line.GetProperty("tenantId").GetGuid(), Text(line, "level")));
            Assert.NotEqual("", Text(line, "nodeId"));
            Assert.True(line.TryGetProperty("shard", out _));
            string[] fields = [.. new[] { "goalId", "taskId" }.Where(name => line.TryGetProperty(name, out _)).Select(name => Text(line, name))];
            Assert.All(Id().Matches(Text(line, "message")), id => Assert.Contains(id.Value, fields));
        });
    }

    [Fact]
    public async Task A_goal_in_quarantine_is_a_line_with_its_tenant_and_without_what_the_tables_have_against_it()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var server = await _machine.ServeAsync(_machine.Data, "--database", database.Address, "--log", "json");
        using var client = await AstraMachine.ClientAsync(_machine.Data);
        await database.ScalarAsync($"ALTER TABLE astra.goals ADD CONSTRAINT no_{Content} CHECK (title <> '{Content}')");
        var goal = await client.SubmitAsync(TestWorker.Meal("nothing") with { Title = Content }, cancellationToken: None);
        var line = JsonElement.Parse(await server.SaysAsync("is in quarantine"));
        var home = (Guid)(await database.ScalarAsync("SELECT tenant FROM astra.tenants WHERE name = 'default'"))!;
        Assert.Equal((home, goal.Id, "warning"), (line.GetProperty("tenantId").GetGuid(), line.GetProperty("goalId").GetGuid(), Text(line, "level")));
        Assert.Equal($"goal {goal.Id} is in quarantine, its rows are not kept up; see `astra goal quarantine list`", Text(line, "message"));
        Assert.True(line.TryGetProperty("shard", out _));
        Assert.DoesNotContain(Content, server.Error, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_mistake_of_the_server_is_a_line_with_its_place_and_its_kind_and_nothing_that_somebody_sent()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var server = await _machine.ServeAsync(_machine.Data, "--database", database.Address, "--log", "json");
        using var client = await AstraMachine.ClientAsync(_machine.Data);
        // PostgreSQL repeats the row in the details of such an error, and the constraint's name in its message.
        await database.ScalarAsync($"ALTER TABLE astra.agents ADD CONSTRAINT no_{Content} CHECK (name <> '{Content}')");
        var refused = await Assert.ThrowsAsync<AstraException>(() => client.RegisterAgentAsync(new AgentRegistration(Content, ""), None));
        Assert.Equal(500, refused.Status);
        Assert.Equal(404, (await Assert.ThrowsAsync<AstraException>(() => client.GetAgentAsync($"{Content}%0Ax", None))).Status);
        var line = JsonElement.Parse(await server.SaysAsync("error in"));
        Assert.StartsWith("error in POST /api/v1/agents", Text(line, "message"), StringComparison.Ordinal);
        Assert.EndsWith("PostgresException, SQLSTATE 23514; `--verbose` says more", Text(line, "message"), StringComparison.Ordinal);
        Assert.True(line.TryGetProperty("tenantId", out _));
        Assert.DoesNotContain(Content, server.Error, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_thousand_failures_in_a_second_are_fifty_lines_and_one_that_counts_the_rest()
    {
        var output = new StringWriter();
        var (tenant, goal) = (new TenantId(Guid.NewGuid()), new GoalId(Guid.NewGuid()));
        var failed = new KernelEvent.GoalFailed("no matter");
        var entry = new JournalEntry
        {
            Shard = goal.Shard, Seq = 1, At = DateTimeOffset.UnixEpoch, Tenant = tenant, Goal = goal, Kind = EventKind.GoalFailed,
            CodecVersion = EventCodec.VersionOf(failed), Data = EventCodec.Encode(failed),
        };
        await using (var log = new TroubleLog(new ServerLog(output, isJson: true), new NodeId("node"), new StoppedClock()))
            log.Committed(new Commit(DateTimeOffset.UnixEpoch, TimeSpan.Zero, [new ShardAppend(goal.Shard, default, [.. Enumerable.Repeat(entry, 1_000)])]));

        var lines = output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonElement.Parse(line)).ToList();
        Assert.Equal(51, lines.Count);
        Assert.StartsWith("950 lines", Text(lines[^1], "message"), StringComparison.Ordinal);
        Assert.DoesNotContain("no matter", output.ToString(), StringComparison.Ordinal);
    }

    public ValueTask DisposeAsync() => _machine.DisposeAsync();

    private static string Text(JsonElement line, string name) => line.GetProperty(name).GetString()!;

    private static async Task<Guid[]> TasksAsync(TestDatabase database, Guid goal) =>
        (Guid[])(await database.ScalarAsync($"SELECT array_agg(id) FROM tasks WHERE goal = '{goal}' AND kind = 'eat'"))!;

    private sealed class StoppedClock : TimeProvider
    {
        public override long GetTimestamp() => 0;
    }

    [GeneratedRegex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")]
    private static partial Regex Id();
}
