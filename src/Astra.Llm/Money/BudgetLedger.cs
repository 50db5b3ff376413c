namespace Astra.Llm.Money;

public sealed record LedgerOptions
{
    /// <summary>Of this server, for whoever looks who holds what.</summary>
    public string Node { get; init; } = "node";

    /// <summary>A ledger that says nothing for so long is dead. What it holds goes on counting as spent.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long what is spent or free waits to be told to the store.</summary>
    public TimeSpan ReportPeriod { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>What nobody has used for so long goes back.</summary>
    public TimeSpan IdleTime { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How old a look at which budgets there are may be when a call is admitted by it; whoever sets a budget waits so long
    /// for every node to know it. A look is one row, and a node that nobody asks takes none.</summary>
    public TimeSpan LookAge { get; init; } = TimeSpan.FromMilliseconds(500);
}

/// <summary>
/// The budgets of this node: reserves at every level or at none. What it has at hand is taken without a lock and without a round
/// trip; who finds too little waits for the next draw, which is made for all who wait together. It never holds more than the
/// store has written down for it, so however many nodes there are, and whenever one dies, no cap is passed.
/// </summary>
/// <remarks>Two rules hold that up, whatever answer of the store is lost. What goes back is gone from here before it is said, and
/// never taken again. What is drawn is here only after the store has said so.</remarks>
public sealed class BudgetLedger : IBudgets, IAsyncDisposable
{
    private readonly BudgetLines _lines = new();
    private readonly LedgerExchange _exchange;
    private readonly LedgerLoop _loop;
    private readonly TimeProvider _clock;
    private readonly LedgerOptions _options;

    public BudgetLedger(IBudgetStore store, TimeProvider clock, LedgerOptions? options = null, Action<string>? say = null)
    {
        (_clock, _options) = (clock, options ?? new LedgerOptions());
        _exchange = new LedgerExchange(store, clock, _options, _lines);
        _loop = new LedgerLoop(_exchange, clock, _options, say ?? (static _ => { }));
    }

    /// <summary>Told after a threshold was reached, once in the fleet.</summary>
    public Action<BudgetAlert> OnAlert
    {
        get => _exchange.OnAlert;
        set => _exchange.OnAlert = value;
    }

    /// <summary>Told when budgets or prices have changed anywhere; calls wait until it has returned.</summary>
    public Func<CancellationToken, Task> OnChange
    {
        get => _exchange.OnChange;
        set => _exchange.OnChange = value;
    }

    /// <summary>Told of every call that no budget had room for; must return at once.</summary>
    public Action<BudgetRefusal> OnRefused { get; set; } = static _ => { };

    public LedgerId Id => _exchange.Id;

    public ValueTask<bool> MayRefuseAsync(Spender spender, CancellationToken cancellationToken) =>
        CanAdmitByLook ? ValueTask.FromResult(_lines.Of(spender).Length > 0) : LookAndSeeAsync(spender, cancellationToken);

    public string? DegradedTier(Spender spender)
    {
        var now = _clock.GetUtcNow();
        foreach (var line in _lines.Of(spender))
        {
            if (line.Budget is not { Degrade: { } degrade, Cap: { } cap })
                continue;
            var cell = line.CellAt(now, _exchange.Add);
            if (cell.Seen is { } seen && (Int128)(seen.Account.Spent + cell.Settled - cell.SettledReported) * 100 >= (Int128)cap.Value * degrade.AtPercent)
                return degrade.ToTier;
        }
        return null;
    }

    public async ValueTask<Nanodollars?> LeftAsync(Spender spender, CancellationToken cancellationToken)
    {
        var looked = await _loop.AskAsync(spender, worstCase: 0, cancellationToken);
        if (looked.Refusal is not null || looked.Cells.Length == 0)
            return looked.Refusal is null ? null : Nanodollars.Zero;
        return new Nanodollars(Math.Max(0, looked.Cells.Min(cell => cell.AtHand + Math.Max(0, cell.Seen?.Account.Left ?? 0))));
    }

    public ValueTask<ReserveOutcome> ReserveAsync(Spender spender, Nanodollars worstCase, CancellationToken cancellationToken)
    {
        var amount = Math.Clamp(worstCase.Value, 0, DrawRules.AmountMax);
        if (CanAdmitByLook)
        {
            var cells = _exchange.CellsOf(spender);
            if (_exchange.TryTakeAtHand(cells, amount))
                return ValueTask.FromResult<ReserveOutcome>(new Held(_loop, cells, amount));
        }
        return WaitAsync(spender, amount, cancellationToken);
    }

    /// <summary>Gives back whatever is at hand and reports what was spent: for whoever wants to see the store as it is.</summary>
    public Task FlushAsync(CancellationToken cancellationToken) => _loop.FlushAsync(cancellationToken);

    /// <summary>Looks at once which budgets there are: somebody here has changed one.</summary>
    public Task RefreshAsync(CancellationToken cancellationToken) => _loop.RefreshAsync(cancellationToken);

    /// <summary>The same, and waits until no node admits a call by what it knew before: whoever has set a cap, and then sends calls
    /// to whichever node, has it hold for all of them.</summary>
    public async Task SpreadAsync(CancellationToken cancellationToken)
    {
        var set = _clock.GetTimestamp();
        await RefreshAsync(cancellationToken);
        // More than once, because timers count in whole milliseconds and may be some early.
        while (_options.LookAge - _clock.GetElapsedTime(set) is var rest && rest > TimeSpan.Zero)
            await Task.Delay(rest + TimeSpan.FromMilliseconds(1), _clock, cancellationToken);
    }

    /// <summary>Gives everything back. Calls that are still under way keep what was reserved for them: it counts as spent.</summary>
    public ValueTask DisposeAsync() => _loop.DisposeAsync();

    // While the store is away the last look is all there is.
    private bool CanAdmitByLook => _loop.LooksAreFresh() || (_loop.IsInTrouble && _exchange.HasLooked);

    private async ValueTask<bool> LookAndSeeAsync(Spender spender, CancellationToken cancellationToken)
    {
        await _loop.LookAsync(cancellationToken);
        // Before the first look nobody knows.
        return !_exchange.HasLooked || _lines.Of(spender).Length > 0;
    }

    private async ValueTask<ReserveOutcome> WaitAsync(Spender spender, long amount, CancellationToken cancellationToken)
    {
        var answer = await _loop.AskAsync(spender, amount, cancellationToken);
        if (answer.Refusal is not { } refusal)
            return new Held(_loop, answer.Cells, amount);
        if (refusal.Reason == BudgetRefusalReason.Exceeded)
            OnRefused(refusal);
        return refusal;
    }

    private sealed class Held(LedgerLoop loop, BudgetCell[] cells, long amount) : Reservation(new Nanodollars(amount))
    {
        protected override ValueTask EndAsync(Nanodollars actual)
        {
            foreach (var cell in cells)
                cell.Settle(amount, Math.Clamp(actual.Value, 0, DrawRules.AmountMax));
            loop.Settled(cells);
            return ValueTask.CompletedTask;
        }
    }
}
