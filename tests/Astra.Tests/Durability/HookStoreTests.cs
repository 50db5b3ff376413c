using System.Security.Cryptography;
using System.Text;
using Astra.Kernel;
using Astra.Kernel.Tasks;
using Astra.Postgres;
using Astra.Testing.Contracts;
using Astra.Tools.Webhooks;
using Npgsql;
using Xunit;

namespace Astra.Tests.Durability;

/// <summary>What there is to tell of failures, and the outbox that it is told from.</summary>
public sealed class HookStoreTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const int Shard = 7;
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(1);
    private static readonly HookSecrets Secrets = new(SHA256.HashData("fleet"u8));

    private TestDatabase _database = null!;
    private PostgresStore _store = null!;
    private IReadOnlyDictionary<ShardId, Epoch> _epochs = null!;
    private TenantId _tenant;
    private long _watermark;

    private static CancellationToken None => CancellationToken.None;

    public async ValueTask InitializeAsync()
    {
        _database = await postgres.CreateDatabaseAsync();
        _store = await _database.OpenStoreAsync();
        _epochs = (await _store.Leases.RenewAsync(new NodeRegistration(new NodeId("a"), "http://127.0.0.1", Guid.NewGuid()), [], None)).Owned;
        _tenant = await _store.Tenants.EnsureAsync("acme", None);
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    [Fact]
    public async Task A_cause_is_news_when_it_has_no_other_dead_letters_and_again_when_it_is_back()
    {
        var goal = Sample.Goal(_tenant, Sample.GoalId(Shard));
        var (one, two) = (Dead(goal, "one"), Dead(goal, "two"));
        await ProjectAsync(goal, one, two);
        var group = Assert.Single(await HearAsync());
        Assert.Equal((_tenant, "damaged-archive", 2, "The archive is damaged.", one.Id), (group.Tenant, group.Fingerprint, group.Count, group.Reason, group.Task));

        await ProjectAsync(goal, one, two, Dead(goal, "three"));
        Assert.Empty(await HearAsync());
        await ProjectAsync(goal, one with { Attempt = 5 });
        Assert.Empty(await HearAsync());

        await _database.ScalarAsync("DELETE FROM tasks WHERE name <> 'one'");
        await ProjectAsync(goal, one with { Attempt = 6 });
        Assert.Equal(1, Assert.Single(await HearAsync()).Count);
        Assert.Empty(await HearAsync());
    }

    [Fact]
    public async Task Deaths_that_nobody_heard_of_are_told_after_a_crash_and_events_are_made_with_their_messages_or_not_at_all()
    {
        var hook = await AddAsync("dead_group.new");
        var goal = Sample.Goal(_tenant, Sample.GoalId(Shard));
        await ProjectAsync(goal, Dead(goal, "one"));
        // What composes the message fails as a process fails: in the middle.
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await _store.Hooks.HearAsync(_ => throw new InvalidOperationException("gone"), None));
        Assert.Empty(await _store.Hooks.ListEventsAsync(_tenant, 0, 10, None));

        Assert.Single(await HearAsync());
        var told = Assert.Single(await _store.Hooks.ListEventsAsync(_tenant, 0, 10, None));
        Assert.Equal((1L, "dead_group.new"), (told.Seq, told.Kind));
        Assert.Equal((MessageState.Waiting, 0), Assert.Single((await _store.Hooks.ListMessagesAsync(_tenant, hook.Id, 10, None)).Select(message => (message.State, message.Attempt))));
    }

    [Fact]
    public async Task An_hour_is_told_once_when_it_is_over()
    {
        var hook = await AddAsync("dead_rates.hour");
        var now = DateTimeOffset.UtcNow;
        var hour = new DateTimeOffset(now.Ticks - now.Ticks % TimeSpan.TicksPerHour, TimeSpan.Zero);
        var goal = Sample.Goal(_tenant, Sample.GoalId(Shard));
        await ProjectAsync(goal, Dead(goal, "a", hour.AddHours(-2)), Dead(goal, "b", hour.AddMinutes(-61)), Dead(goal, "c", now), Dead(goal, "d", hour.AddHours(-30)));

        var told = new List<HourOfDeaths>();
        for (var round = 0; round < 2; round++)
            await _store.Hooks.TellHoursAsync(passed =>
            {
                told.Add(passed);
                return FailureMessages.Of(passed);
            }, None);
        // Two hours at most: the third death is of the hour that is under way, unless that has just ended.
        Assert.Equal((_tenant, hour.AddHours(-2), 2), (told[0].Tenant, told[0].Hour, told[0].Rates.Sum(rate => rate.Count)));
        Assert.Equal(told.Count, (await _store.Hooks.ListEventsAsync(_tenant, 0, 10, None)).Count);
        Assert.All(told, passed => Assert.True(passed.Hour < now && passed.Hour > now.AddHours(-26)));
        Assert.Equal("dead_rates.hour", (await _store.Hooks.ListMessagesAsync(_tenant, hook.Id, 10, None))[^1].Kind);
    }

    [Fact]
    public async Task A_message_is_taken_by_one_until_its_lease_ends_and_a_try_that_was_overtaken_settles_nothing()
    {
        var hook = await AddAsync("dead_group.new");
        await DieAsync("one");
        var first = Assert.Single(await _store.Hooks.TakeAsync(10, [], TimeSpan.Zero, None));
        Assert.Equal((hook.Id, 1, hook.Url), (first.Hook, first.Attempt, first.Url));
        Assert.Equal(Key(), Secrets.Open(first.Tenant, first.Hook, first.SealedSecret.Span));
        var second = Assert.Single(await _store.Hooks.TakeAsync(10, [], Lease, None));
        Assert.Equal((first.Id, 2), (second.Id, second.Attempt));
        Assert.Empty(await _store.Hooks.TakeAsync(10, [], Lease, None));
        Assert.InRange((await _store.Hooks.NextDueAsync([], None))!.Value, TimeSpan.Zero, Lease);

        await _store.Hooks.SettleAsync(first, new TryOutcome(true, 200), null, None);
        Assert.Equal(MessageState.Waiting, Assert.Single(await _store.Hooks.ListMessagesAsync(_tenant, hook.Id, 10, None)).State);
        await _store.Hooks.SettleAsync(second, new TryOutcome(false, 503, "The receiver answered 503."), TimeSpan.Zero, None);
        var standing = Assert.Single(await _store.Hooks.ListAsync(_tenant, None));
        Assert.Equal((1, 0, "The receiver answered 503."), (standing.Waiting, standing.Failed, standing.Problem));
        var third = Assert.Single(await _store.Hooks.TakeAsync(10, [], Lease, None));
        await _store.Hooks.SettleAsync(third, new TryOutcome(true, 204), null, None);
        standing = Assert.Single(await _store.Hooks.ListAsync(_tenant, None));
        Assert.Equal((0, 0, null), (standing.Waiting, standing.Failed, standing.Problem));
        Assert.NotNull(standing.DeliveredAt);
        Assert.Null(await _store.Hooks.NextDueAsync([], None));
    }

    [Fact]
    public async Task Two_nodes_that_take_at_once_never_take_the_same_message_and_a_long_queue_lets_others_pass()
    {
        var (busy, quiet) = (await AddAsync("dead_group.new"), await AddAsync("dead_rates.hour"));
        for (var number = 0; number < 20; number++)
            await DieAsync($"cause {number}", $"cause {number}");
        await _store.Hooks.PostTestAsync(_tenant, quiet.Id, "{}"u8.ToArray(), None);
        await _database.ScalarAsync("UPDATE hook_deliveries SET due_at = clock_timestamp(), attempt = 0");
        var other = await _database.OpenStoreAsync();

        var firsts = await _store.Hooks.TakeAsync(3, [], Lease, None);
        Assert.Equal([busy.Id, busy.Id, quiet.Id], firsts.Select(message => message.Hook).OrderBy(hook => hook == quiet.Id));
        Assert.Empty(await _store.Hooks.TakeAsync(10, [busy.Id, quiet.Id], Lease, None));
        var rest = new List<DueMessage>();
        while (await Task.WhenAll(_store.Hooks.TakeAsync(10, [], Lease, None).AsTask(), other.Hooks.TakeAsync(10, [], Lease, None).AsTask()) is var taken && taken.Any(part => part.Count > 0))
            rest.AddRange(taken.SelectMany(part => part));
        Assert.Equal(18, rest.Count);
        Assert.Equal(21, rest.Concat(firsts).Select(message => message.Id).Distinct().Count());
    }

    [Fact]
    public async Task A_secret_is_sealed_bound_to_its_hook_and_out_of_reach_of_the_role_that_answers_people()
    {
        var (one, other) = (await AddAsync("dead_group.new"), await AddAsync("dead_group.new"));
        var box = (byte[])(await _database.ScalarAsync($"SELECT sealed_secret FROM hooks WHERE id = '{one.Id}'"))!;
        Assert.False(box.AsSpan().IndexOf(Key()) >= 0);
        Assert.Throws<AuthenticationTagMismatchException>(() => Secrets.Open(_tenant, other.Id, box));
        Assert.Throws<AuthenticationTagMismatchException>(() => Secrets.Open(Sample.Tenant(), one.Id, box));
        Assert.Throws<AuthenticationTagMismatchException>(() => new HookSecrets(SHA256.HashData("another fleet"u8)).Open(_tenant, one.Id, box));
        foreach (var (role, sql) in ((string, string)[])
            [("astra_app", "SELECT sealed_secret FROM hooks"), ("astra_app", "UPDATE hooks SET url = ''"), ("astra_app", "INSERT INTO failure_events SELECT * FROM failure_events"),
                ("astra_app", "DELETE FROM hook_deliveries"), ("astra_journal", "UPDATE hooks SET url = ''"), ("astra_journal", "DELETE FROM hooks"), ("astra_leases", "SELECT url FROM hooks")])
            Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, (await Assert.ThrowsAsync<PostgresException>(async () => await _database.ScalarAsync(sql, role))).SqlState);
    }

    [Fact]
    public async Task Nothing_of_a_tenant_is_there_for_another()
    {
        var hook = await AddAsync("dead_group.new");
        await DieAsync("one");
        var other = await _store.Tenants.EnsureAsync("other", None);

        Assert.Empty(await _store.Hooks.ListAsync(other, None));
        Assert.Empty(await _store.Hooks.ListMessagesAsync(other, hook.Id, 10, None));
        Assert.Empty(await _store.Hooks.ListEventsAsync(other, 0, 10, None));
        Assert.Null(await _store.Hooks.PostTestAsync(other, hook.Id, "{}"u8.ToArray(), None));
        Assert.False(await _store.Hooks.RemoveAsync(other, hook.Id, None));
        foreach (var table in (string[])["task_deaths", "hooks", "failure_events", "hook_deliveries"])
        {
            Assert.Equal(1L, await _database.ScalarAsync($"SELECT count(*) FROM {table}"));
            Assert.Equal(0L, await _database.ScalarAsync($"SELECT count(*) FROM {table}", "astra_app"));
        }
        Assert.True(await _store.Hooks.RemoveAsync(_tenant, hook.Id, None));
        Assert.Equal(0L, await _database.ScalarAsync("SELECT count(*) FROM hook_deliveries"));
    }

    [Fact]
    public async Task Old_history_is_forgotten_and_what_still_waits_is_not()
    {
        var hook = await AddAsync("dead_group.new");
        for (var number = 0; number < 3; number++)
            await DieAsync($"cause {number}", $"cause {number}");
        var taken = await _store.Hooks.TakeAsync(1, [], Lease, None);
        await _store.Hooks.SettleAsync(taken[0], new TryOutcome(true, 200), null, None);
        await _store.Hooks.ForgetAsync(TimeSpan.FromDays(8), None);
        Assert.Equal(3, (await _store.Hooks.ListMessagesAsync(_tenant, hook.Id, 10, None)).Count);

        await _store.Hooks.ForgetAsync(TimeSpan.FromSeconds(-1), None);
        Assert.Equal(2, (await _store.Hooks.ListMessagesAsync(_tenant, hook.Id, 10, None)).Count);
        Assert.Equal([2L, 3L], (await _store.Hooks.ListEventsAsync(_tenant, 0, 10, None)).Select(told => told.Seq));
        Assert.Equal(0L, await _database.ScalarAsync("SELECT count(*) FROM task_deaths"));
        await DieAsync("cause 4", "cause 4");
        Assert.Equal(4, (await _store.Hooks.ListEventsAsync(_tenant, 3, 10, None)).Single().Seq);
    }

    [Fact]
    public async Task A_hook_that_a_thousand_messages_wait_for_fails_the_next_where_people_look()
    {
        var hook = await AddAsync("dead_group.new");
        await _database.ScalarAsync($"""
            WITH e AS (INSERT INTO failure_events (tenant, seq, at, kind, body) SELECT '{_tenant.Value}', n, now(), 'dead_group.new', '' FROM generate_series(1, 1000) AS n RETURNING seq)
            INSERT INTO hook_deliveries (tenant, hook, seq, message, created_at, state, due_at) SELECT '{_tenant.Value}', '{hook.Id}', seq, gen_random_uuid(), now(), 1, now() FROM e
            """);
        await DieAsync("one");
        var standing = Assert.Single(await _store.Hooks.ListAsync(_tenant, None));
        Assert.Equal((1000, 1), (standing.Waiting, standing.Failed));
        Assert.Contains("thousand", (await _store.Hooks.ListMessagesAsync(_tenant, hook.Id, 1, None))[0].Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tenant_has_no_more_hooks_than_it_may()
    {
        await AddAsync("dead_group.new");
        var second = new Hook(_tenant, new HookId(Guid.NewGuid()), "https://example.org", ["dead_group.new"], "ada", DateTimeOffset.UtcNow);
        Assert.False(await _store.Hooks.AddAsync(second, Secrets.Seal(_tenant, second.Id, Key()), 1, None));
        Assert.True(await _store.Hooks.AddAsync(second, Secrets.Seal(_tenant, second.Id, Key()), 2, None));
        Assert.Equal(2, (await _store.Hooks.ListAsync(_tenant, None)).Count);
    }

    private static byte[] Key() => Encoding.ASCII.GetBytes("the secret of a hook: 256 bits..");

    private async Task<Hook> AddAsync(string kind)
    {
        var hook = new Hook(_tenant, new HookId(Guid.CreateVersion7()), "https://example.org/astra", [kind], "ada", DateTimeOffset.UtcNow);
        Assert.True(await _store.Hooks.AddAsync(hook, Secrets.Seal(_tenant, hook.Id, Key()), 20, None));
        return hook;
    }

    private async Task DieAsync(string name, string fingerprint = "damaged-archive")
    {
        var goal = Sample.Goal(_tenant, Sample.GoalId(Shard));
        var dead = Dead(goal, name);
        await ProjectAsync(goal, dead with { Failure = dead.Failure! with { Fingerprint = fingerprint } });
        await HearAsync();
    }

    private static TaskRow Dead(GoalRow goal, string name, DateTimeOffset? at = null) => Sample.Dead(Sample.Task(goal, name)) with { EndedAt = at ?? DateTimeOffset.UtcNow };

    private async Task ProjectAsync(GoalRow goal, params TaskRow[] tasks)
    {
        var unique = goal with { IdempotencyKey = null };
        Assert.False(Assert.Single(await _store.Projection.ProjectAsync(
            [new ShardProjection(new ShardId(Shard), _epochs[new ShardId(Shard)], ++_watermark, [unique], tasks, [])], None)).IsFenced);
    }

    private async Task<IReadOnlyList<NewGroup>> HearAsync()
    {
        var groups = new List<NewGroup>();
        await _store.Hooks.HearAsync(group =>
        {
            groups.Add(group);
            return FailureMessages.Of(group);
        }, None);
        return groups;
    }
}
