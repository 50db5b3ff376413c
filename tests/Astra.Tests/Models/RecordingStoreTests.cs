using Astra.Hosting;
using Astra.Kernel;
using Astra.Llm.Caching;
using Astra.Llm.Money;
using Astra.Llm.Recording;
using Astra.Postgres;
using Astra.Testing.Contracts;
using Astra.Tests.Durability;

namespace Astra.Tests.Models;

/// <summary>Recordings, and answers from the cache as usage, in the database.</summary>
public sealed class RecordingStoreTests(PostgresFixture postgres) : IAsyncLifetime
{
    private static readonly DateTimeOffset Noon = new(2031, 2, 3, 12, 0, 0, TimeSpan.Zero);

    private readonly TenantId _tenant = new(Guid.NewGuid());
    private readonly GoalId _goal = new(Guid.NewGuid());
    private TestDatabase _database = null!;
    private PostgresStore _store = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _database = await postgres.CreateDatabaseAsync();
        _store = await _database.OpenStoreAsync();
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    [Fact]
    public async Task What_was_recorded_of_a_goal_is_read_in_its_order_once_each_and_by_its_tenant_alone()
    {
        var recordings = Enumerable.Range(0, 5).Select(Recording).ToList();
        await _store.Recordings.WriteAsync([.. recordings, recordings[0]], Ct);
        await _store.Recordings.WriteAsync([recordings[1] with { Answer = new byte[] { 9 } }, Recording(7) with { Goal = new GoalId(Guid.NewGuid()) }], Ct);
        var read = await _store.Recordings.ReadAsync(_tenant, _goal, Ct);
        Assert.Equal(
            recordings.Select(recording => (recording.Id, recording.Task, recording.Kind, recording.Request, recording.Name, recording.At, recording.Attempt, Bytes: Convert.ToHexString(recording.Answer.Span))),
            read.Select(recording => (recording.Id, recording.Task, recording.Kind, recording.Request, recording.Name, recording.At, recording.Attempt, Bytes: Convert.ToHexString(recording.Answer.Span))));
        Assert.Empty(await _store.Recordings.ReadAsync(new TenantId(Guid.NewGuid()), _goal, Ct));
    }

    [Fact]
    public async Task Recordings_wait_while_the_database_is_away_and_are_all_there_after_a_flush()
    {
        var store = new UnreliableStore(_store.Recordings) { Failures = 1 };
        var said = new List<string>();
        await using var recorder = new Recorder(store, TimeProvider.System, said.Add);
        for (var i = 0; i < 500; i++)
            recorder.Add(Recording(i));
        await recorder.FlushAsync(Ct);
        Assert.Equal(500, (await _store.Recordings.ReadAsync(_tenant, _goal, Ct)).Count);
        Assert.Contains("wait", Assert.Single(said), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Recordings_go_when_their_goal_has_been_over_for_as_long_as_they_are_kept_and_those_of_others_stay()
    {
        var node = new NodeRegistration(new NodeId("a"), "http://127.0.0.1", Guid.NewGuid());
        var shard = new ShardId(7);
        var epoch = (await _store.Leases.RenewAsync(node, [], Ct)).Owned[shard];
        var (active, lately, longAgo) = (Sample.Goal(_tenant, Sample.GoalId(7)), Sample.Finished(Sample.Goal(_tenant, Sample.GoalId(7))), Sample.Finished(Sample.Goal(_tenant, Sample.GoalId(7))));
        await _store.Projection.ProjectAsync([new ShardProjection(shard, epoch, 9, [active with { LastSeq = 9 }, lately with { LastSeq = 9 }, longAgo with { LastSeq = 9 }], [], [])], Ct);
        Assert.Equal(1L, await _database.ScalarAsync($"WITH set AS (UPDATE astra.goals SET ended_at = now() - interval '29 days' WHERE id = '{lately.Id.Value}' RETURNING 1) SELECT count(*) FROM set"));
        Assert.Equal(1L, await _database.ScalarAsync($"WITH set AS (UPDATE astra.goals SET ended_at = now() - interval '31 days' WHERE id = '{longAgo.Id.Value}' RETURNING 1) SELECT count(*) FROM set"));
        var (old, young) = (DateTimeOffset.UtcNow.AddDays(-40), DateTimeOffset.UtcNow.AddDays(-20));
        var (unknown, unknownYoung) = (new GoalId(Guid.NewGuid()), new GoalId(Guid.NewGuid()));
        await _store.Recordings.WriteAsync(
        [
            .. new[] { active.Id, lately.Id, longAgo.Id, unknown }.SelectMany(goal => Enumerable.Range(0, 5).Select(i => Recording(i) with { Goal = goal, At = old.AddMinutes(i) })),
            Recording(9) with { Goal = unknownYoung, At = young },
        ], Ct);

        // For good is for good.
        await new RecordingKeeper(_store.Recordings, kept: null, TimeProvider.System, _ => Assert.Fail("Nothing is looked at.")).LookAsync(Ct);
        var other = await _database.OpenStoreAsync();
        var forgotten = await Task.WhenAll(ForgetAsync(_store), ForgetAsync(other));
        Assert.Equal(10, forgotten.Sum() + await ForgetAsync(_store));
        Assert.Equal([5, 5, 0, 0, 1], await CountsAsync(active.Id, lately.Id, longAgo.Id, unknown, unknownYoung));

        var counted = new List<long>();
        var keeper = new RecordingKeeper(_store.Recordings, TimeSpan.FromDays(28), TimeProvider.System, counted.Add);
        await keeper.LookAsync(Ct);
        // An hour later again, and not before.
        await keeper.LookAsync(Ct);
        Assert.Equal([5L], counted);
        Assert.Equal([5, 0, 0, 0, 1], await CountsAsync(active.Id, lately.Id, longAgo.Id, unknown, unknownYoung));

        static async Task<long> ForgetAsync(PostgresStore store) => await store.Recordings.ForgetAsync(TimeSpan.FromDays(30), batchMax: 3, Ct);

        async Task<IReadOnlyList<int>> CountsAsync(params GoalId[] goals)
        {
            var counts = new List<int>();
            foreach (var goal in goals)
                counts.Add((await _store.Recordings.ReadAsync(_tenant, goal, Ct)).Count);
            return counts;
        }
    }

    [Fact]
    public async Task Somebody_who_forgets_recordings_is_left_alone_with_it()
    {
        await _store.Recordings.WriteAsync([Recording(1) with { At = DateTimeOffset.UtcNow.AddDays(-40) }], Ct);
        await using (var connection = await _database.ConnectAsync("astra_journal"))
        await using (var transaction = await connection.BeginTransactionAsync(Ct))
        {
            await using var held = new Npgsql.NpgsqlCommand("SELECT pg_advisory_xact_lock(1919247219)", connection, transaction);
            await held.ExecuteNonQueryAsync(Ct);
            Assert.Equal(0, await _store.Recordings.ForgetAsync(TimeSpan.FromDays(30), 500, Ct));
        }
        Assert.Equal(1, await _store.Recordings.ForgetAsync(TimeSpan.FromDays(30), 500, Ct));
    }

    [Fact]
    public async Task Answers_from_the_cache_are_calls_without_cost()
    {
        var paid = new UsageRecord(
            Guid.CreateVersion7(), Guid.CreateVersion7(), Noon, new Spender(_tenant), "p", "m", AttemptOutcome.Completed, new TokenUsage(10, 0, 0, 5, 0), UsageSource.Reported,
            new Nanodollars(70), Noon.AddYears(-1), TimeSpan.FromMilliseconds(20), null);
        var cached = paid with { Attempt = Guid.CreateVersion7(), At = Noon.AddSeconds(1), Outcome = AttemptOutcome.Cached, Usage = TokenUsage.None, Cost = Nanodollars.Zero, Calls = 1_000 };
        await _store.Usage.WriteAsync([paid, cached], Ct);
        Assert.Equal([paid.Attempt, cached.Attempt], (await _store.Usage.OfRequestAsync(_tenant, paid.Request, Ct)).Select(record => record.Attempt));
        Assert.Equal(paid, (await _store.Usage.OfRequestAsync(_tenant, paid.Request, Ct))[0]);
        Assert.Empty(await _store.Usage.OfRequestAsync(new TenantId(Guid.NewGuid()), paid.Request, Ct));
        var sum = Assert.Single(await _store.Usage.SumAsync(_tenant, UsageGrouping.Model, Noon.AddDays(-1), Noon.AddDays(1), 10, Ct));
        Assert.Equal((1_001L, 70L, 15L, 0L), (sum.Calls, sum.Cost.Value, sum.Usage.Input + sum.Usage.Output, sum.UnpricedCalls));
    }

    private Recording Recording(int number) => new(
        _tenant, _goal, new TaskId(Guid.NewGuid()), number % 2 == 0 ? RecordingKind.Model : RecordingKind.Tool, Guid.CreateVersion7(Noon.AddSeconds(number)), Noon.AddSeconds(number),
        Digest.Of(BitConverter.GetBytes(number)), "p/m", BitConverter.GetBytes(number)) { Attempt = number };

    private sealed class UnreliableStore(IRecordingStore inner) : IRecordingStore
    {
        public int Failures { get; set; }

        public ValueTask WriteAsync(IReadOnlyList<Recording> recordings, CancellationToken cancellationToken) =>
            Failures-- > 0 ? throw new IOException("The database is away.") : inner.WriteAsync(recordings, cancellationToken);

        public ValueTask<IReadOnlyList<Recording>> ReadAsync(TenantId tenant, GoalId goal, CancellationToken cancellationToken) => inner.ReadAsync(tenant, goal, cancellationToken);
    }
}
