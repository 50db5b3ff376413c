using Astra.Kernel;
using Astra.Kernel.Journal;
using Astra.Postgres;
using Astra.Testing.Contracts;
using Npgsql;
using Xunit;

namespace Astra.Tests.Durability;

/// <summary>What becomes of a writer that is overtaken, at every moment at which it can be.</summary>
public sealed class FencingTests(PostgresFixture postgres) : IAsyncLifetime
{
    private static readonly ShardId Shard = new(7);
    private readonly TenantId _tenant = Sample.Tenant();
    private readonly GoalId _goal = Sample.GoalId(7);
    private TestDatabase _database = null!;
    private PostgresStore _old = null!;
    private PostgresStore _new = null!;

    public async ValueTask InitializeAsync()
    {
        _database = await postgres.CreateDatabaseAsync();
        _old = await _database.OpenStoreAsync();
        _new = await _database.OpenStoreAsync();
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    [Fact]
    public async Task A_takeover_waits_for_a_commit_in_flight_and_nothing_of_the_old_epoch_gets_in_after_it()
    {
        var before = await TakeAllAsync(_old, "old");
        // The old owner has been let through the fence, holds its shared locks and is stuck before its commit.
        await using var stuck = await StickInsertsAsync();
        var append = AppendAsync(_old, before, 1);
        await WaitUntilWaitingAsync("astra_journal");
        await ExpireAsync("old");

        var takeover = TakeAllAsync(_new, "new").AsTask();
        await WaitUntilWaitingAsync("astra_leases");
        Assert.False(takeover.IsCompleted);
        await stuck.ReleaseAsync();

        Assert.Equal(AppendOutcome.Committed, await append);
        var after = await takeover;
        Assert.True(after[Shard] > before[Shard]);
        Assert.Equal(AppendOutcome.Fenced, await AppendAsync(_old, before, 2));
        Assert.Equal([1], await SeqsAsync());
        Assert.Equal(AppendOutcome.Committed, await AppendAsync(_new, after, 2));
    }

    [Fact]
    public async Task A_writer_that_waits_at_the_fence_while_its_shard_changes_hands_is_fenced()
    {
        var before = await TakeAllAsync(_old, "old");
        await using var takeover = await _database.ConnectAsync();
        await using var transaction = await takeover.BeginTransactionAsync(CancellationToken.None);
        await ExecuteAsync(takeover, "UPDATE shards SET epoch = epoch + 1 WHERE shard = 7");

        var append = AppendAsync(_old, before, 1);
        await WaitUntilWaitingAsync("astra_journal");
        await transaction.CommitAsync(CancellationToken.None);

        Assert.Equal(AppendOutcome.Fenced, await append);
        Assert.Empty(await SeqsAsync());
    }

    [Fact]
    public async Task A_writer_that_wakes_after_a_takeover_is_fenced_and_so_are_its_rows()
    {
        var before = await TakeAllAsync(_old, "old");
        Assert.Equal(AppendOutcome.Committed, await AppendAsync(_old, before, 1));
        await ExpireAsync("old");
        await TakeAllAsync(_new, "new");

        Assert.Equal(AppendOutcome.Fenced, await AppendAsync(_old, before, 2));
        var rows = await _old.Projection.ProjectAsync(
            [new ShardProjection(Shard, before[Shard], 2, [Sample.Goal(_tenant, _goal)], [], [])], CancellationToken.None);
        Assert.True(Assert.Single(rows).IsFenced);
        Assert.Null(await _new.Projection.LoadGoalAsync(_tenant, _goal, CancellationToken.None));
        Assert.Equal([1], await SeqsAsync());
    }

    [Fact]
    public async Task A_takeover_that_waits_too_long_gives_up_and_keeps_its_lease()
    {
        var before = await TakeAllAsync(_old, "old");
        await using var stuck = await StickInsertsAsync();
        var append = AppendAsync(_old, before, 1);
        await WaitUntilWaitingAsync("astra_journal");
        await ExpireAsync("old");

        var renewal = await _new.Leases.RenewAsync(Node("new"), [], CancellationToken.None);

        Assert.Empty(renewal.Owned);
        Assert.True(Assert.Single(renewal.Nodes, node => node.Node.Node == new NodeId("new")).IsAlive);
        await stuck.ReleaseAsync();
        Assert.Equal(AppendOutcome.Committed, await append);
        Assert.Equal(ShardId.Count, (await TakeAllAsync(_new, "new")).Count);
    }

    [Fact]
    public async Task Two_nodes_that_take_over_at_once_never_own_the_same_shard()
    {
        await TakeAllAsync(_old, "old");
        await ExpireAsync("old");
        var (a, b) = (Node("a"), Node("b"));

        var renewals = await Task.WhenAll(
            _old.Leases.RenewAsync(a, [], CancellationToken.None).AsTask(), _new.Leases.RenewAsync(b, [], CancellationToken.None).AsTask());

        Assert.Empty(renewals[0].Owned.Keys.Intersect(renewals[1].Owned.Keys));
        Assert.InRange(renewals.Sum(renewal => renewal.Owned.Count), ShardId.Count / 2, ShardId.Count);
    }

    [Fact]
    public async Task Concurrent_writers_of_neighbouring_shards_do_not_disturb_each_other()
    {
        var epochs = await TakeAllAsync(_old, "old");

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => (i % 2 == 0 ? _old : _new).Journal.AppendAsync(
            [
                .. Enumerable.Range(0, 20).Select(j => new ShardId(i * 20 + j)).Reverse()
                    .Select(shard => new ShardAppend(shard, epochs[shard], Sample.Entries(_tenant, Sample.GoalId(shard.Value), 1, 2))),
            ],
            CancellationToken.None).AsTask()));

        Assert.All(outcomes.SelectMany(one => one), outcome => Assert.Equal(AppendOutcome.Committed, outcome));
    }

    [Fact]
    public async Task A_database_that_hangs_up_leaves_the_outcome_open_and_the_next_append_finds_out()
    {
        var epochs = await TakeAllAsync(_old, "old");
        await AppendAsync(_old, epochs, 1);
        await using var stuck = await StickInsertsAsync();
        var append = AppendAsync(_old, epochs, 2);
        await WaitUntilWaitingAsync("astra_journal");

        await _database.ScalarAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'astra_journal' AND datname = current_database() AND wait_event_type = 'Lock'");

        await Assert.ThrowsAsync<JournalUnavailableException>(() => append);
        await stuck.ReleaseAsync();
        Assert.Equal([1], await SeqsAsync());
        Assert.Equal(AppendOutcome.Committed, await AppendAsync(_old, epochs, 2));
    }

    private static NodeRegistration Node(string name) => new(new NodeId(name), "http://127.0.0.1", Guid.NewGuid());

    private static async ValueTask<IReadOnlyDictionary<ShardId, Epoch>> TakeAllAsync(PostgresStore store, string node) =>
        (await store.Leases.RenewAsync(Node(node), [], CancellationToken.None)).Owned;

    private async Task<AppendOutcome> AppendAsync(PostgresStore store, IReadOnlyDictionary<ShardId, Epoch> epochs, long seq) =>
        (await store.Journal.AppendAsync([new ShardAppend(Shard, epochs[Shard], Sample.Entries(_tenant, _goal, seq, 1))], CancellationToken.None))[0];

    private async Task<IEnumerable<long>> SeqsAsync() =>
        (await _new.Journal.ReadTailsAsync([new ShardPosition(Shard, 0)], CancellationToken.None)).Single().Select(entry => entry.Seq);

    private async Task ExpireAsync(string node) =>
        await _database.ScalarAsync($"UPDATE nodes SET expires_at = clock_timestamp() WHERE node_id = '{node}'");

    /// <summary>Inserts into the log get through the fence, row locks and all, and then wait in a trigger until released.</summary>
    private async ValueTask<StuckInserts> StickInsertsAsync()
    {
        _database.IsSpoiled = true;
        var connection = await _database.ConnectAsync();
        await ExecuteAsync(connection, "BEGIN");
        await ExecuteAsync(connection, "CREATE FUNCTION wait_here() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END'");
        await ExecuteAsync(connection, "CREATE TRIGGER wait_here BEFORE INSERT ON log_00 FOR EACH ROW EXECUTE FUNCTION wait_here()");
        await ExecuteAsync(connection, "COMMIT");
        await ExecuteAsync(connection, "SELECT pg_advisory_lock(1)");
        return new StuckInserts(connection);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Until a connection of this role waits for a lock.</summary>
    private async Task WaitUntilWaitingAsync(string role)
    {
        await using var connection = await _database.ConnectAsync();
        await using var command = new NpgsqlCommand(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND datname = current_database() AND wait_event_type = 'Lock'", connection);
        command.Parameters.Add(new NpgsqlParameter { Value = role });
        while (await command.ExecuteScalarAsync() is 0L)
            await Task.Yield();
    }

    private sealed class StuckInserts(NpgsqlConnection connection) : IAsyncDisposable
    {
        public Task ReleaseAsync() => ExecuteAsync(connection, "SELECT pg_advisory_unlock_all()");

        public ValueTask DisposeAsync() => connection.DisposeAsync();
    }
}
