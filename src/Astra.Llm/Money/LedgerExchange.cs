using System.Collections.Concurrent;

namespace Astra.Llm.Money;

/// <summary>
/// What this node and the store tell each other: which budgets there are, what is drawn, and what of it was spent. One at a time; the
/// loop sees to that. What goes back is taken from the cells before it is said, what is drawn is put there only after the store has said so.
/// </summary>
internal sealed class LedgerExchange(IBudgetStore store, TimeProvider clock, LedgerOptions options, BudgetLines lines)
{
    private readonly ConcurrentDictionary<BudgetCell, bool> _cells = new();
    private readonly HashSet<BudgetKey> _recalled = [];
    private bool _isRegistered;
    private long _version;
    private long _lookedAt;
    private long _heardAt;
    private long _idleLookedAt = clock.GetTimestamp();
    private volatile bool _hasLooked;

    public Action<BudgetAlert> OnAlert { get; set; } = static _ => { };

    /// <summary>Told when budgets or prices have changed anywhere. A look is over when this has returned: no call is admitted by the
    /// new budgets and the old prices.</summary>
    public Func<CancellationToken, Task> OnChange { get; set; } = static _ => Task.CompletedTask;

    public LedgerId Id { get; private set; } = new(Guid.CreateVersion7());

    public bool HasLooked => _hasLooked;

    /// <summary>Since the last look was asked for: from then on it may be wrong.</summary>
    public TimeSpan LookAge => clock.GetElapsedTime(Volatile.Read(ref _lookedAt));

    /// <summary>Something is here, or unsaid.</summary>
    public bool IsBusy => _cells.Keys.Any(cell => !cell.IsClear);

    public void Add(BudgetCell cell) => _cells[cell] = true;

    public BudgetCell[] CellsOf(Spender spender)
    {
        var paying = lines.Of(spender);
        if (paying.Length == 0)
            return [];
        var now = clock.GetUtcNow();
        return Array.ConvertAll(paying, line => line.CellAt(now, Add));
    }

    /// <summary>From what is at hand, while this ledger is not held to be dead: from then on somebody may say that what it holds was
    /// not spent.</summary>
    public bool TryTakeAtHand(BudgetCell[] cells, long amount) =>
        cells.Length == 0 || (clock.GetElapsedTime(Volatile.Read(ref _heardAt)) < options.Lease && TryTake(cells, amount));

    /// <summary>From all of them or from none.</summary>
    private static bool TryTake(BudgetCell[] cells, long amount)
    {
        for (var i = 0; i < cells.Length; i++)
        {
            if (cells[i].TryTake(amount))
                continue;
            while (--i >= 0)
                cells[i].Give(amount);
            return false;
        }
        return true;
    }

    public async Task LookAsync(CancellationToken cancellationToken)
    {
        var asked = clock.GetTimestamp();
        var changes = await store.ReadChangesAsync(_version, cancellationToken);
        lines.Apply(changes.Budgets);
        // What is at hand was drawn under another cap: it goes back, and what is needed is drawn anew.
        _recalled.UnionWith(changes.Budgets.Select(budget => budget.Key));
        foreach (var cell in _cells.Keys.Where(cell => _recalled.Contains(cell.Period.Budget)))
            cell.Drawn -= cell.TakeAll();
        if (changes.Version != _version)
            await OnChange(cancellationToken);
        _version = changes.Version;
        Volatile.Write(ref _lookedAt, asked);
        _hasLooked = true;
    }

    /// <summary>Which cells give back what they have at hand: those of which there is little left for all, those nobody uses, and
    /// those of a period that is over.</summary>
    public Func<BudgetCell, bool> GoesBack()
    {
        var now = clock.GetUtcNow();
        var idle = new HashSet<BudgetCell>();
        if (clock.GetElapsedTime(_idleLookedAt) >= options.IdleTime)
        {
            _idleLookedAt = clock.GetTimestamp();
            idle.UnionWith(_cells.Keys.Where(cell => cell.LiesIdle()));
        }
        return cell => cell.AtHand < 0 || cell.IsTight || idle.Contains(cell) || cell.Period.EndsAt <= now;
    }

    /// <summary>Gives everything back, and ends the ledger when nothing of it is left.</summary>
    public async Task CloseAsync(CancellationToken cancellationToken)
    {
        await DrawAsync([], static _ => true, cancellationToken);
        if (_isRegistered && _cells.Keys.All(cell => cell.IsClear))
            await store.CloseAsync(Id, cancellationToken);
    }

    /// <summary>Draws for calls, reports what was spent, and gives back what <paramref name="goesBack"/> says.</summary>
    public async Task DrawAsync(List<WaitingCall> calls, Func<BudgetCell, bool> goesBack, CancellationToken cancellationToken)
    {
        var wanted = calls.SelectMany(call => call.Cells).ToHashSet();
        var cells = _cells.Keys.Where(cell => wanted.Contains(cell) || cell.IsUnanswered || cell.Settled != cell.SettledReported || _recalled.Contains(cell.Period.Budget) || (cell.AtHand != 0 && goesBack(cell))).ToList();
        var renews = _cells.Keys.Any(cell => cell.Drawn != 0) && clock.GetElapsedTime(_heardAt) > options.Lease / 3;
        if (cells.Count == 0 && !renews)
        {
            _recalled.Clear();
            return;
        }
        if (!_isRegistered)
            await RegisterAsync(cancellationToken);

        var reports = new LeaseReport[cells.Count];
        for (var i = 0; i < cells.Count; i++)
        {
            var cell = cells[i];
            var isWanted = wanted.Contains(cell);
            var atHand = isWanted || goesBack(cell) ? cell.TakeAll() : 0;
            if (!isWanted)
                cell.Drawn -= atHand;
            var settled = cell.Settled;
            cell.IsUnanswered = true;
            reports[i] = new LeaseReport(cell.Period, cell.Drawn - (settled - cell.SettledReported), settled, isWanted ? atHand : 0);
        }
        var indexOf = cells.Select((cell, index) => (cell, index)).ToDictionary(pair => pair.cell, pair => pair.index);
        try
        {
            var sent = clock.GetTimestamp();
            var outcome = await store.DrawAsync(
                Id, options.Lease, reports, [.. calls.Select(call => new CallToPay(call.WorstCase, Array.ConvertAll(call.Cells, cell => indexOf[cell])))], cancellationToken);
            Volatile.Write(ref _heardAt, sent);
            Distribute(cells, reports, calls, outcome);
            _recalled.Clear();
            await TellAsync(cells, outcome, cancellationToken);
        }
        catch (LedgerUnknownException)
        {
            GiveHandsBack(cells, reports);
            Id = new LedgerId(Guid.CreateVersion7());
            _isRegistered = false;
            foreach (var cell in _cells.Keys)
                cell.Rebase();
            throw;
        }
        catch
        {
            GiveHandsBack(cells, reports);
            throw;
        }
    }

    private void Distribute(List<BudgetCell> cells, LeaseReport[] reports, List<WaitingCall> calls, DrawOutcome outcome)
    {
        for (var i = 0; i < cells.Count; i++)
        {
            var cell = cells[i];
            cell.Drawn = outcome.Drawn[i];
            cell.SettledReported = reports[i].Settled;
            cell.IsUnanswered = false;
            cell.See(outcome.Accounts[i]);
            cell.Give(outcome.AtHand[i]);
            reports[i] = reports[i] with { AtHand = 0 };
        }
        for (var c = 0; c < calls.Count; c++)
        {
            if (outcome.RefusedBy[c] is >= 0 and var by)
            {
                calls[c].Refuse(RefusalOf(cells[by], outcome.Left[c], calls[c].WorstCase));
                continue;
            }
            foreach (var cell in calls[c].Cells)
                cell.Note(calls[c].WorstCase);
            calls[c].Pay();
        }
        var now = clock.GetUtcNow();
        foreach (var cell in cells)
        {
            if (cell.IsClear && cell.Period.EndsAt <= now)
                _cells.TryRemove(cell, out _);
        }
    }

    private static void GiveHandsBack(List<BudgetCell> cells, LeaseReport[] reports)
    {
        for (var i = 0; i < cells.Count; i++)
            cells[i].Give(reports[i].AtHand);
    }

    private static BudgetRefusal RefusalOf(BudgetCell cell, long left, long worstCase) => new(
        cell.Period.Budget.Level, cell.Period.Budget.Of, cell.Period.Budget.Window, new Nanodollars(cell.Seen?.Account.Cap ?? 0), new Nanodollars(left),
        new Nanodollars(worstCase), cell.Period.EndsAt);

    private async Task TellAsync(List<BudgetCell> cells, DrawOutcome outcome, CancellationToken cancellationToken)
    {
        for (var i = 0; i < cells.Count; i++)
        {
            if (outcome.Accounts[i] is not { Cap: { } cap } account || BudgetAlert.ThresholdOf(account.Spent, cap) is var reached && reached <= account.ToldPercent)
                continue;
            var alert = new BudgetAlert(cells[i].Period, new Nanodollars(cap), new Nanodollars(account.Spent), reached);
            if (await store.RaiseAsync(alert, cancellationToken))
                OnAlert(alert);
        }
    }

    private async Task RegisterAsync(CancellationToken cancellationToken)
    {
        await store.RegisterAsync(Id, options.Node, options.Lease, cancellationToken);
        _isRegistered = true;
        _heardAt = clock.GetTimestamp();
    }
}
