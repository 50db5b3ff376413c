using Astra.Hosting;
using Astra.Kernel;
using Astra.Kernel.Tasks;
using Astra.Postgres;
using Astra.Testing.Contracts;
using Xunit;

namespace Astra.Tests.Durability;

/// <summary>The ring of segments: rolling on, dropping what nobody needs, and keeping everything else.</summary>
public sealed class LogSegmentsTests(PostgresFixture postgres) : IAsyncLifetime
{
    private static readonly ShardId Shard = new(7);
    private readonly GoalRow _goal = Sample.Goal(Sample.Tenant(), Sample.GoalId(7));
    private TestDatabase _database = null!;
    private PostgresStore _store = null!;
    private Epoch _epoch;

    public async ValueTask InitializeAsync()
    {
        _database = await postgres.CreateDatabaseAsync();
        // Any size is too large, so that every roll goes on.
        _store = await _database.OpenStoreAsync(segmentBytesMax: 0);
        var node = new NodeRegistration(new NodeId("a"), "http://127.0.0.1", Guid.NewGuid());
        _epoch = (await _store.Leases.RenewAsync(node, [], CancellationToken.None)).Owned[Shard];
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    [Fact]
    public async Task Numbers_and_histories_go_on_across_segments()
    {
        await AppendAsync(1);
        Assert.True(await RollAsync());
        await AppendAsync(2);
        Assert.True(await RollAsync());
        await AppendAsync(3);

        Assert.Equal(3L, await _database.ScalarAsync("SELECT count(DISTINCT segment) FROM log"));
        Assert.Equal([1, 2, 3], await SeqsAsync());
        var afterRestart = await _database.OpenStoreAsync();
        Assert.Equal([AppendOutcome.Refused], await AppendAsync(afterRestart, 3));
        Assert.Equal([AppendOutcome.Committed], await AppendAsync(afterRestart, 4));
        Assert.Equal([1, 2, 3, 4], (await _store.Journal.ReadGoalAsync(_goal.Tenant, _goal.Id, 0, 100, CancellationToken.None)).Select(entry => entry.Seq));
    }

    [Fact]
    public async Task A_segment_is_not_rolled_before_its_time()
    {
        var patient = await _database.OpenStoreAsync();
        await AppendAsync(1);

        Assert.False(await patient.Segments.RollAsync(CancellationToken.None));
    }

    [Fact]
    public async Task Without_a_free_segment_the_open_one_goes_on()
    {
        for (var seq = 1; seq <= 8; seq++)
        {
            await AppendAsync(seq);
            Assert.Equal(seq < 8, await RollAsync());
        }
        Assert.Equal([AppendOutcome.Committed], await AppendAsync(9));
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8, 9], await SeqsAsync());
    }

    [Fact]
    public async Task A_segment_is_dropped_when_it_is_old_projected_and_of_finished_goals_only()
    {
        await AppendAsync(1);
        await RollAsync();
        await AppendAsync(2);
        Assert.Equal(0, await DropAsync());

        // Projected, but the goal is still active and may need its history.
        await ProjectAsync(_goal, 2);
        Assert.Equal(0, await DropAsync());

        await ProjectAsync(Sample.Finished(_goal), 2);
        Assert.Equal(0, await DropAsync(promisedHistory: TimeSpan.FromDays(1)));
        Assert.Equal(1, await DropAsync());
        Assert.Equal([2], await SeqsAsync());

        // The ring has its segment back, and the numbers go on where they were.
        Assert.Equal([AppendOutcome.Committed], await AppendAsync(3));
        Assert.Equal(7L, await _database.ScalarAsync("SELECT count(*) FROM log_segments WHERE opened_at IS NULL"));
    }

    [Fact]
    public async Task A_segment_with_a_quarantined_goal_stays()
    {
        await AppendAsync(1);
        await RollAsync();
        await ProjectAsync(_goal with { State = GoalState.Completed }, 1);

        Assert.Equal(0, await DropAsync());
        Assert.Single(await _store.Journal.ReadGoalAsync(_goal.Tenant, _goal.Id, 0, 100, CancellationToken.None));
    }

    [Fact]
    public async Task A_shard_of_which_nothing_is_left_in_the_log_goes_on_where_it_was()
    {
        await AppendAsync(1);
        await AppendAsync(2);
        await RollAsync();
        await ProjectAsync(Sample.Finished(_goal), 2);
        Assert.Equal(1, await DropAsync());

        var afterRestart = await _database.OpenStoreAsync();
        Assert.Equal([AppendOutcome.Refused], await AppendAsync(afterRestart, 1));
        Assert.Equal([AppendOutcome.Committed], await AppendAsync(afterRestart, 3));
        Assert.Equal([3], await SeqsAsync());
        Assert.Equal(2, (await _store.Projection.LoadAsync([Shard], CancellationToken.None)).Single().Watermark);
    }

    [Fact]
    public async Task Two_servers_that_tidy_at_once_drop_a_segment_once()
    {
        await AppendAsync(1);
        await RollAsync();
        await ProjectAsync(Sample.Finished(_goal), 1);
        var other = await _database.OpenStoreAsync(segmentBytesMax: 0);
        var dropped = await Task.WhenAll(DropAsync().AsTask(), other.Segments.DropProjectedSegmentsAsync(default, CancellationToken.None).AsTask());
        Assert.Equal(1, dropped.Sum());
    }

    [Fact]
    public async Task Somebody_who_reads_history_is_waited_for_a_moment_and_then_let_be()
    {
        await AppendAsync(1);
        await RollAsync();
        await ProjectAsync(Sample.Finished(_goal), 1);
        await using var reader = await _database.ConnectAsync("astra_journal");
        await using (var transaction = await reader.BeginTransactionAsync(CancellationToken.None))
        {
            await using var reading = new Npgsql.NpgsqlCommand("SELECT count(*) FROM log", reader, transaction);
            await reading.ExecuteScalarAsync(CancellationToken.None);
            Assert.Equal(0, await DropAsync());
        }
        Assert.Equal(1, await DropAsync());
    }

    [Fact]
    public async Task A_keeper_rolls_at_every_look_and_drops_what_is_older_than_the_history_that_is_kept()
    {
        await AppendAsync(1);
        await ProjectAsync(Sample.Finished(_goal), 1);
        var said = new List<string>();
        var patient = new SegmentKeeper(_store.Segments, TimeSpan.FromDays(1), TimeProvider.System, said.Add);
        await patient.LookAsync(CancellationToken.None);
        Assert.Equal(2L, await _database.ScalarAsync("SELECT count(*) FROM log_segments WHERE opened_at IS NOT NULL"));
        await patient.LookAsync(CancellationToken.None);
        Assert.Empty(said);

        await _database.ScalarAsync("UPDATE astra.log_segments SET opened_at = opened_at - interval '2 days', closed_at = closed_at - interval '25 hours' WHERE closed_at IS NOT NULL RETURNING 1");
        // The keeper that has just looked looks again only after a while; the next one does at once.
        await patient.LookAsync(CancellationToken.None);
        Assert.Equal([1], await SeqsAsync());
        await new SegmentKeeper(_store.Segments, TimeSpan.FromDays(1), TimeProvider.System, said.Add).LookAsync(CancellationToken.None);
        Assert.Empty(await SeqsAsync());
        Assert.Contains("older than 1 day", Assert.Single(said), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_segment_of_a_goal_that_was_given_up_in_quarantine_goes()
    {
        await AppendAsync(1);
        await RollAsync();
        await ProjectAsync(_goal with { State = GoalState.Completed }, 1);
        await _store.Projection.ProjectAsync([new ShardProjection(Shard, _epoch, 1, [], [], []) { Discarded = [(_goal.Tenant, _goal.Id)] }], CancellationToken.None);
        Assert.Equal(1, await DropAsync());
    }

    private ValueTask<bool> RollAsync() => _store.Segments.RollAsync(CancellationToken.None);

    private ValueTask<int> DropAsync(TimeSpan promisedHistory = default) =>
        _store.Segments.DropProjectedSegmentsAsync(promisedHistory, CancellationToken.None);

    private ValueTask<IReadOnlyList<AppendOutcome>> AppendAsync(long seq) => AppendAsync(_store, seq);

    private ValueTask<IReadOnlyList<AppendOutcome>> AppendAsync(PostgresStore store, long seq) => store.Journal.AppendAsync(
        [new ShardAppend(Shard, _epoch, Sample.Entries(_goal.Tenant, _goal.Id, seq, 1))], CancellationToken.None);

    private async Task ProjectAsync(GoalRow goal, long watermark) => await _store.Projection.ProjectAsync(
        [new ShardProjection(Shard, _epoch, watermark, [goal with { LastSeq = watermark }], [], [])], CancellationToken.None);

    private async Task<IEnumerable<long>> SeqsAsync() =>
        (await _store.Journal.ReadTailsAsync([new ShardPosition(Shard, 0)], CancellationToken.None)).Single().Select(entry => entry.Seq);
}
