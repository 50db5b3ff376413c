using System.Net;
using Astra.Governance;
using Astra.Sdk;
using Astra.Tests.Durability;

namespace Astra.Tests.Api;

/// <summary>The API while its database is away: stopping, crashed, or not taking connections.</summary>
public sealed class DatabaseAwayTests(PostgresFixture postgres)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_request_that_the_database_cannot_serve_right_now_is_answered_503_and_told_when_to_come_back()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        database.IsSpoiled = true;
        await using var store = await database.OpenStoreAsync();
        await using var server = await ServerFixture.StartAsync(new ServerWorld { Postgres = store }, "node");
        var client = await server.RawAsync();
        using (var before = await client.GetAsync("/api/v1/agents", Ct))
            Assert.Equal(HttpStatusCode.OK, before.StatusCode);

        var name = await database.ScalarAsync("SELECT current_database()");
        await SendAwayAsync(database, name);

        // The first of them still has a connection, which the database has just ended; later ones get none.
        for (var request = 0; request < 3; request++)
        {
            using var answer = await client.GetAsync("/api/v1/agents", Ct);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
            Assert.NotNull(answer.Headers.RetryAfter);
            Assert.Contains("The database does not answer right now", await answer.Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);
        }

        await BringBackAsync(database, name);
        using var after = await client.GetAsync("/api/v1/agents", Ct);
        Assert.Equal(HttpStatusCode.OK, after.StatusCode);
    }

    [Fact]
    public async Task A_step_whose_effect_could_not_be_written_down_while_the_database_was_away_is_tried_again()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        database.IsSpoiled = true;
        await using var store = await database.OpenStoreAsync();
        await using var server = await ServerFixture.StartAsync(new ServerWorld { Postgres = store, Home = await store.Tenants.EnsureAsync("default", Ct) }, "node");
        var name = await database.ScalarAsync("SELECT current_database()");
        var made = 0;
        var agent = TestAgent.Payer(async (turn, ct) =>
        {
            if (turn.Attempt == 1)
                await SendAwayAsync(database, name);
            try
            {
                return StepResult.Done(await turn.EffectAsync("pays", (_, _) => ValueTask.FromResult<object?>(Interlocked.Increment(ref made)), ct));
            }
            finally
            {
                await BringBackAsync(database, name);
            }
        });
        var goal = await server.RunRemotelyAsync(agent, Ct);
        Assert.Equal((GoalState.Completed, 1), (goal.State, made));
    }

    /// <summary>It takes no connections, and ends those it has.</summary>
    private static ValueTask SendAwayAsync(TestDatabase database, object? name) => PostgresFixture.ExecuteAsync(
        database.Cluster, "postgres", $"ALTER DATABASE {name} ALLOW_CONNECTIONS false; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");

    private static ValueTask BringBackAsync(TestDatabase database, object? name) =>
        PostgresFixture.ExecuteAsync(database.Cluster, "postgres", $"ALTER DATABASE {name} ALLOW_CONNECTIONS true");
}
