using Astra.Kernel;
using Astra.Llm.Money;

namespace Astra.Tests.Money;

/// <summary>Which budgets a call is paid from, when they begin anew, and what they tell.</summary>
public sealed class BudgetTests
{
    private static readonly TenantId Tenant = new(Guid.NewGuid());

    private readonly MovableTime _time = new();
    private readonly InMemoryBudgets _store;

    public BudgetTests() => _store = new InMemoryBudgets(_time);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_call_is_paid_from_every_level_that_has_a_budget_or_from_none()
    {
        var spender = new Spender(Tenant, "ada", new GoalId(Guid.NewGuid()), new TaskId(Guid.NewGuid()), Guid.NewGuid());
        BudgetKey[] keys =
        [
            new(BudgetKey.Platform, BudgetLevel.Platform, "", BudgetWindow.Month), new(Tenant, BudgetLevel.Tenant, "", BudgetWindow.Day), new(Tenant, BudgetLevel.Agent, "ada", BudgetWindow.Total),
            new(Tenant, BudgetLevel.Goal, spender.Goal!.Value.Value.ToString(), BudgetWindow.Total), new(Tenant, BudgetLevel.Task, spender.Task!.Value.Value.ToString(), BudgetWindow.Total),
            new(Tenant, BudgetLevel.Key, spender.Key!.Value.ToString(), BudgetWindow.Day),
        ];
        for (var i = 0; i < keys.Length; i++)
            await SetAsync(keys[i], 100 - i);
        await using var ledger = NewLedger();

        // The narrowest has 95: whoever asks for more is refused by it, and has taken nothing from the others.
        var refusal = (await ledger.ReserveAsync(spender, new Nanodollars(96), Ct)).Refusal!;
        Assert.Equal((BudgetLevel.Key, keys[5].Of, new Nanodollars(95), new Nanodollars(95)), (refusal.Level, refusal.Of, refusal.Cap, refusal.Left));
        await ledger.FlushAsync(Ct);
        Assert.All(await StandingsAsync(), standing => Assert.Equal((0L, 0L), (standing.Spent.Value, standing.Held.Value)));

        var reservation = (await ledger.ReserveAsync(spender, new Nanodollars(90), Ct)).Reservation!;
        Assert.Equal(6, (await StandingsAsync()).Count(standing => standing.Held.Value == 90));
        await reservation.SettleAsync(new Nanodollars(40));
        await ledger.FlushAsync(Ct);
        Assert.All(await StandingsAsync(), standing => Assert.Equal((40L, 0L), (standing.Spent.Value, standing.Held.Value)));
        Assert.True((await ledger.ReserveAsync(new Spender(new TenantId(Guid.NewGuid())), new Nanodollars(60), Ct)).Reservation is not null, "Another tenant pays from the platform's budget alone.");
    }

    [Fact]
    public async Task A_day_and_a_month_begin_anew_by_the_calendar_of_UTC_and_what_was_reserved_before_counts_before()
    {
        _time.Now = new DateTimeOffset(2031, 1, 31, 23, 59, 59, TimeSpan.Zero);
        await SetAsync(new BudgetKey(Tenant, BudgetLevel.Tenant, "", BudgetWindow.Day), 10);
        await SetAsync(new BudgetKey(Tenant, BudgetLevel.Agent, "ada", BudgetWindow.Month), 100);
        await using var ledger = NewLedger();
        var late = (await ledger.ReserveAsync(new Spender(Tenant, "ada"), new Nanodollars(10), Ct)).Reservation!;
        var refusal = (await ledger.ReserveAsync(new Spender(Tenant, "ada"), new Nanodollars(1), Ct)).Refusal!;
        Assert.Equal(new DateTimeOffset(2031, 2, 1, 0, 0, 0, TimeSpan.Zero), refusal.ResetsAt);

        _time.Now = _time.Now.AddSeconds(2);
        await late.SettleAsync(new Nanodollars(10));
        var early = (await ledger.ReserveAsync(new Spender(Tenant, "ada"), new Nanodollars(10), Ct)).Reservation!;
        await early.SettleAsync(new Nanodollars(7));
        await ledger.FlushAsync(Ct);
        Assert.All(await StandingsAsync(), standing => Assert.Equal(7, standing.Spent.Value));
        _time.Now = _time.Now.AddSeconds(-2);
        Assert.All(await StandingsAsync(), standing => Assert.Equal(10, standing.Spent.Value));
    }

    [Fact]
    public async Task More_than_was_reserved_is_recorded_in_full_and_blocks_what_comes_after()
    {
        await SetAsync(new BudgetKey(Tenant, BudgetLevel.Tenant, "", BudgetWindow.Total), 100);
        await using var ledger = NewLedger();
        await (await ledger.ReserveAsync(new Spender(Tenant), new Nanodollars(50), Ct)).Reservation!.SettleAsync(new Nanodollars(130));
        await ledger.FlushAsync(Ct);
        Assert.Equal((130L, 0L, 0L), (await StandingsAsync()).Select(standing => (standing.Spent.Value, standing.Held.Value, standing.Left.Value)).Single());
        Assert.NotNull((await ledger.ReserveAsync(new Spender(Tenant), new Nanodollars(1), Ct)).Refusal);
    }

    [Fact]
    public async Task A_cap_that_is_lowered_holds_at_once_although_a_block_was_drawn_under_the_higher_one()
    {
        var key = new BudgetKey(Tenant, BudgetLevel.Tenant, "", BudgetWindow.Total);
        await SetAsync(key, 1_000_000);
        await using var ledger = NewLedger();
        await (await ledger.ReserveAsync(new Spender(Tenant), new Nanodollars(10), Ct)).Reservation!.SettleAsync(new Nanodollars(10));
        Assert.True((await StandingsAsync()).Single().Held.Value > 10, "A block is at hand.");

        await SetAsync(key, 25);
        await ledger.RefreshAsync(Ct);
        await using var allowed = (await ledger.ReserveAsync(new Spender(Tenant), new Nanodollars(15), Ct)).Reservation;
        Assert.NotNull(allowed);
        Assert.NotNull((await ledger.ReserveAsync(new Spender(Tenant), new Nanodollars(1), Ct)).Refusal);
        await SetAsync(key, null);
        await ledger.RefreshAsync(Ct);
        Assert.False(await ledger.MayRefuseAsync(new Spender(Tenant), Ct));
    }

    [Fact]
    public async Task Thresholds_are_told_once_each_and_a_budget_degrades_when_its_policy_says_so()
    {
        await SetAsync(new BudgetKey(Tenant, BudgetLevel.Tenant, "", BudgetWindow.Total), 100, new Degradation(60, "local"));
        await using var ledger = NewLedger();
        await using var other = NewLedger();
        var told = new System.Collections.Concurrent.ConcurrentQueue<int>();
        ledger.OnAlert = other.OnAlert = alert => told.Enqueue(alert.Percent);
        var tiers = new List<string?>();
        for (var i = 0; i < 10; i++)
        {
            var one = i % 2 == 0 ? ledger : other;
            await (await one.ReserveAsync(new Spender(Tenant), new Nanodollars(10), Ct)).Reservation!.SettleAsync(new Nanodollars(10));
            await one.FlushAsync(Ct);
            tiers.Add(one.DegradedTier(new Spender(Tenant)));
        }
        Assert.Equal([50, 80, 100], told);
        Assert.Equal(Enumerable.Repeat<string?>(null, 5).Concat(Enumerable.Repeat("local", 5)), tiers);
        Assert.Null(ledger.DegradedTier(new Spender(new TenantId(Guid.NewGuid()))));
    }

    [Fact]
    public async Task What_is_not_settled_comes_to_nothing_before_it_was_sent_and_to_the_worst_case_after_and_ends_once()
    {
        await SetAsync(new BudgetKey(Tenant, BudgetLevel.Tenant, "", BudgetWindow.Total), 100);
        await using var ledger = NewLedger();
        await (await ledger.ReserveAsync(new Spender(Tenant), new Nanodollars(30), Ct)).Reservation!.DisposeAsync();
        var sent = (await ledger.ReserveAsync(new Spender(Tenant), new Nanodollars(40), Ct)).Reservation!;
        sent.Sent();
        await sent.DisposeAsync();
        await sent.DisposeAsync();
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await sent.SettleAsync(new Nanodollars(1)));
        await ledger.FlushAsync(Ct);
        Assert.Equal((40L, 0L), (await StandingsAsync()).Select(standing => (standing.Spent.Value, standing.Held.Value)).Single());
    }

    [Fact]
    public async Task Who_gives_up_waiting_has_reserved_nothing()
    {
        await SetAsync(new BudgetKey(Tenant, BudgetLevel.Tenant, "", BudgetWindow.Total), 100);
        await using var ledger = NewLedger();
        for (var i = 0; i < 200; i++)
        {
            using var impatience = new CancellationTokenSource();
            var asked = ledger.ReserveAsync(new Spender(Tenant), new Nanodollars(100), impatience.Token).AsTask();
            await impatience.CancelAsync();
            try
            {
                await (await asked).Reservation!.DisposeAsync();
            }
            catch (OperationCanceledException)
            {
                // It was too late for it.
            }
        }
        await using var whole = (await ledger.ReserveAsync(new Spender(Tenant), new Nanodollars(100), Ct)).Reservation;
        Assert.NotNull(whole);
    }

    [Fact]
    public async Task A_ledger_that_was_forgotten_begins_anew_and_counts_nothing_twice()
    {
        await SetAsync(new BudgetKey(Tenant, BudgetLevel.Tenant, "", BudgetWindow.Total), 100);
        await using var ledger = NewLedger();
        await (await ledger.ReserveAsync(new Spender(Tenant), new Nanodollars(10), Ct)).Reservation!.SettleAsync(new Nanodollars(10));
        await ledger.FlushAsync(Ct);
        await _store.CloseAsync(ledger.Id, Ct);

        var refused = await ledger.ReserveAsync(new Spender(Tenant), new Nanodollars(10), Ct);
        Assert.Equal(BudgetRefusalReason.Unavailable, refused.Refusal?.Reason);
        await (await ledger.ReserveAsync(new Spender(Tenant), new Nanodollars(10), Ct)).Reservation!.SettleAsync(new Nanodollars(10));
        await ledger.FlushAsync(Ct);
        Assert.Equal((20L, 0L), (await StandingsAsync()).Select(standing => (standing.Spent.Value, standing.Held.Value)).Single());
    }

    [Fact]
    public async Task A_budget_that_another_node_has_set_holds_for_whatever_call_comes_next()
    {
        await using var here = NewLedger();
        await using var there = NewLedger();
        Assert.False(await here.MayRefuseAsync(new Spender(Tenant), Ct));
        await SetAsync(new BudgetKey(Tenant, BudgetLevel.Tenant, "", BudgetWindow.Total), 10);
        await there.SpreadAsync(Ct);
        Assert.True(await here.MayRefuseAsync(new Spender(Tenant), Ct));
        Assert.NotNull((await here.ReserveAsync(new Spender(Tenant), new Nanodollars(11), Ct)).Refusal);
    }

    [Fact]
    public async Task A_budget_has_spread_no_sooner_than_every_look_before_it_is_too_old_even_if_timers_are_early()
    {
        await using var ledger = new BudgetLedger(_store, new EarlyTimers());
        var since = TimeProvider.System.GetTimestamp();
        await ledger.SpreadAsync(Ct);
        Assert.True(TimeProvider.System.GetElapsedTime(since) >= new LedgerOptions().LookAge);
    }

    [Fact]
    public async Task Prices_that_were_set_elsewhere_are_read_before_a_call_is_admitted()
    {
        var reading = new TaskCompletionSource();
        await using var ledger = NewLedger();
        Assert.False(await ledger.MayRefuseAsync(new Spender(Tenant), Ct));
        ledger.OnChange = _ => reading.Task;
        await SetAsync(new BudgetKey(Tenant, BudgetLevel.Tenant, "", BudgetWindow.Total), 10);
        var looking = ledger.RefreshAsync(Ct);
        Assert.False(looking.IsCompleted);
        reading.SetResult();
        await looking;
    }

    [Fact]
    public async Task A_node_that_was_thought_dead_and_comes_back_does_not_spend_what_was_forgiven()
    {
        var key = new BudgetKey(Tenant, BudgetLevel.Tenant, "", BudgetWindow.Total);
        await SetAsync(key, 1_000_000);
        await using var sleeper = new BudgetLedger(_store, _time, new LedgerOptions { IdleTime = TimeSpan.FromHours(1), ReportPeriod = TimeSpan.FromHours(1), LookAge = TimeSpan.Zero });
        await using var other = NewLedger();
        await (await sleeper.ReserveAsync(new Spender(Tenant), new Nanodollars(100), Ct)).Reservation!.SettleAsync(new Nanodollars(100));
        var held = (await StandingsAsync()).Single().Held.Value;
        Assert.True(held > 1_000, "A block is at hand.");

        // By the calendar an hour goes by, in which the sleeper's clock stood still.
        _time.Now = _time.Now.AddHours(1);
        Assert.Equal(held, (await _store.ForgiveAsync(key, Ct)).Value);
        var rest = (await StandingsAsync()).Single().Left.Value;
        await (await other.ReserveAsync(new Spender(Tenant), new Nanodollars(rest), Ct)).Reservation!.SettleAsync(new Nanodollars(rest));
        await other.FlushAsync(Ct);
        var made = 0L;
        while ((await sleeper.ReserveAsync(new Spender(Tenant), new Nanodollars(100), Ct)).Reservation is { } reservation)
        {
            await reservation.SettleAsync(new Nanodollars(100));
            made += 100;
        }
        Assert.Equal(0, made);
    }

    [Fact]
    public async Task While_the_store_is_away_calls_go_on_from_what_is_at_hand_and_then_are_refused_as_unavailable()
    {
        await SetAsync(new BudgetKey(Tenant, BudgetLevel.Tenant, "", BudgetWindow.Total), 1_000_000);
        var store = new LossyStore(_store);
        await using var ledger = new BudgetLedger(store, _time, new LedgerOptions { IdleTime = TimeSpan.FromHours(1) });
        await (await ledger.ReserveAsync(new Spender(Tenant), new Nanodollars(10), Ct)).Reservation!.SettleAsync(new Nanodollars(10));
        store.Die();

        var made = 0;
        while ((await ledger.ReserveAsync(new Spender(Tenant), new Nanodollars(10), Ct)) is var outcome && outcome.Reservation is { } reservation)
        {
            await reservation.SettleAsync(new Nanodollars(10));
            made++;
        }
        Assert.InRange(made, 100, 1_000);
        Assert.Equal(BudgetRefusalReason.Unavailable, (await ledger.ReserveAsync(new Spender(Tenant), new Nanodollars(10), Ct)).Refusal?.Reason);
    }

    private BudgetLedger NewLedger() => new(_store, _time);

    private async Task SetAsync(BudgetKey key, long? cap, Degradation? degrade = null) =>
        await _store.SetAsync(new Budget(key, cap is { } nanos ? new Nanodollars(nanos) : null, degrade, "test", _time.Now), _time.Now, Ct);

    private async Task<IReadOnlyList<BudgetStanding>> StandingsAsync() =>
        [.. await _store.ListAsync(BudgetKey.Platform, _time.Now, Ct), .. await _store.ListAsync(Tenant, _time.Now, Ct)];

    /// <summary>As the system's are, whose clock has another resolution than the one that times are taken with, only more so.</summary>
    private sealed class EarlyTimers : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, dueTime > TimeSpan.Zero ? dueTime / 2 : dueTime, period);
    }

    /// <summary>A calendar that is set by the test; time itself passes as always.</summary>
    private sealed class MovableTime : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = new(2031, 1, 1, 12, 0, 0, TimeSpan.Zero);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
