using Astra.Kernel;
using Astra.Llm.Caching;
using Astra.Llm.Money;
using Astra.Llm.Recording;
using Astra.Postgres;
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
            recordings.Select(recording => (recording.Id, recording.Task, recording.Kind, recording.Request, recording.Name, recording.At, Bytes: Convert.ToHexString(recording.Answer.Span))),
            read.Select(recording => (recording.Id, recording.Task, recording.Kind, recording.Request, recording.Name, recording.At, Bytes: Convert.ToHexString(recording.Answer.Span))));
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
    public async Task Answers_from_the_cache_are_calls_without_cost()
    {
        var paid = new UsageRecord(
            Guid.CreateVersion7(), Guid.CreateVersion7(), Noon, new Spender(_tenant), "p", "m", AttemptOutcome.Completed, new TokenUsage(10, 0, 0, 5, 0), UsageSource.Reported,
            new Nanodollars(70), Noon.AddYears(-1), TimeSpan.FromMilliseconds(20), null);
        var cached = paid with { Attempt = Guid.CreateVersion7(), Outcome = AttemptOutcome.Cached, Usage = TokenUsage.None, Cost = Nanodollars.Zero, Calls = 1_000 };
        await _store.Usage.WriteAsync([paid, cached], Ct);
        var sum = Assert.Single(await _store.Usage.SumAsync(_tenant, UsageGrouping.Model, Noon.AddDays(-1), Noon.AddDays(1), 10, Ct));
        Assert.Equal((1_001L, 70L, 15L, 0L), (sum.Calls, sum.Cost.Value, sum.Usage.Input + sum.Usage.Output, sum.UnpricedCalls));
    }

    private Recording Recording(int number) => new(
        _tenant, _goal, new TaskId(Guid.NewGuid()), number % 2 == 0 ? RecordingKind.Model : RecordingKind.Tool, Guid.CreateVersion7(Noon.AddSeconds(number)), Noon.AddSeconds(number),
        Digest.Of(BitConverter.GetBytes(number)), "p/m", BitConverter.GetBytes(number));

    private sealed class UnreliableStore(IRecordingStore inner) : IRecordingStore
    {
        public int Failures { get; set; }

        public ValueTask WriteAsync(IReadOnlyList<Recording> recordings, CancellationToken cancellationToken) =>
            Failures-- > 0 ? throw new IOException("The database is away.") : inner.WriteAsync(recordings, cancellationToken);

        public ValueTask<IReadOnlyList<Recording>> ReadAsync(TenantId tenant, GoalId goal, CancellationToken cancellationToken) => inner.ReadAsync(tenant, goal, cancellationToken);
    }
}
