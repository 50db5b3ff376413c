using System.Collections.Concurrent;

namespace Astra.Llm.Money;

/// <summary>What a call was answered: the cells it is paid from, or why it is not.</summary>
internal readonly record struct LedgerAnswer(BudgetCell[] Cells, BudgetRefusal? Refusal);

/// <summary>The one who talks to the store: a round at a time, for everybody who waits and everything that is to be said.</summary>
internal sealed class LedgerLoop : IAsyncDisposable
{
    private const int CallsPerRoundMax = 256;
    private static readonly TimeSpan TroublePeriod = TimeSpan.FromSeconds(1);

    private readonly IBudgetStore _store;
    private readonly TimeProvider _clock;
    private readonly LedgerOptions _options;
    private readonly BudgetLines _lines;
    private readonly Action<string> _say;
    private readonly ConcurrentQueue<Waiting> _waiting = new();
    private readonly ConcurrentDictionary<BudgetCell, bool> _cells = new();
    private readonly SemaphoreSlim _wake = new(0, 1);
    private readonly SemaphoreSlim _turn = new(1);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _running;
    private bool _isRegistered;
    private readonly HashSet<BudgetKey> _recalled = [];
    private long _version;
    private long _roundAt;
    private long _lookedAt;
    private long _heardAt;
    private long _idleLookedAt;
    private volatile bool _hasLooked;
    private volatile bool _isInTrouble;
    private volatile bool _isWantedSoon;
    private volatile bool _isUrgent;

    public LedgerLoop(IBudgetStore store, TimeProvider clock, LedgerOptions options, BudgetLines lines, Action<string> say)
    {
        (_store, _clock, _options, _lines, _say) = (store, clock, options, lines, say);
        _idleLookedAt = clock.GetTimestamp();
        _running = Task.Run(RunAsync);
    }

    public Action<BudgetAlert> OnAlert { get; set; } = static _ => { };

    /// <summary>Told when budgets or prices have changed anywhere.</summary>
    public Action OnChange { get; set; } = static () => { };

    public LedgerId Id { get; private set; } = new(Guid.CreateVersion7());

    public bool HasLooked => _hasLooked;

    /// <summary>The store does not answer. What is at hand is written down as held, so it may be spent all the same.</summary>
    public bool IsInTrouble => _isInTrouble;

    /// <summary>Asks for the next look in good time, so that calls that come in a row never wait for one.</summary>
    public bool LooksAreFresh()
    {
        if (!_hasLooked)
            return false;
        var age = _clock.GetElapsedTime(Volatile.Read(ref _lookedAt));
        if (age > _options.LookAge / 2 && !_isInTrouble)
            WakeUp(isUrgent: true);
        return age <= _options.LookAge;
    }

    public void LookSoon() => LooksAreFresh();

    public void Add(BudgetCell cell) => _cells[cell] = true;

    public BudgetCell[] CellsOf(Spender spender)
    {
        var lines = _lines.Of(spender);
        if (lines.Length == 0)
            return [];
        var now = _clock.GetUtcNow();
        return Array.ConvertAll(lines, line => line.CellAt(now, Add));
    }

    /// <summary>From all of them or from none.</summary>
    public static bool TryTake(BudgetCell[] cells, long amount)
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

    /// <param name="worstCase">0 only looks what there is.</param>
    public async ValueTask<LedgerAnswer> AskAsync(Spender spender, long worstCase, CancellationToken cancellationToken)
    {
        var waiting = new Waiting(spender, worstCase);
        _waiting.Enqueue(waiting);
        if (_stopping.IsCancellationRequested)
            waiting.Answer.TrySetResult(new LedgerAnswer([], BudgetRefusal.Unavailable));
        WakeUp(isUrgent: true);
        await using var _ = cancellationToken.UnsafeRegister(static (state, token) => ((Waiting)state!).Answer.TrySetCanceled(token), waiting);
        return await waiting.Answer.Task;
    }

    /// <summary>A call has ended. Where little is left, others may wait for what it did not need.</summary>
    public void Settled(BudgetCell[] cells)
    {
        if (cells.Any(cell => cell.IsTight))
        {
            WakeUp(isUrgent: true);
        }
        else if (cells.Length > 0 && !_isWantedSoon)
        {
            _isWantedSoon = true;
            WakeUp(isUrgent: false);
        }
    }

    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            await DrawAsync([], static _ => true, cancellationToken);
        }
        finally
        {
            _turn.Release();
        }
    }

    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            await LookAsync(cancellationToken);
            await DrawAsync([], GoesBack(), cancellationToken);
        }
        finally
        {
            _turn.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _running;
        while (_waiting.TryDequeue(out var waiting))
            waiting.Answer.TrySetResult(new LedgerAnswer([], BudgetRefusal.Unavailable));
        try
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            await DrawAsync([], static _ => true, patience.Token);
            if (_isRegistered && _cells.Keys.All(cell => cell.IsClear))
                await _store.CloseAsync(Id, patience.Token);
        }
        catch (Exception e)
        {
            _say($"what this server held of budgets could not be given back, and counts as spent until it is back: {e.Message}");
        }
        _wake.Dispose();
        _turn.Dispose();
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            await WaitAsync();
            await _turn.WaitAsync(CancellationToken.None);
            try
            {
                (_isUrgent, _isWantedSoon, _roundAt) = (false, false, _clock.GetTimestamp());
                await RoundAsync();
                _isInTrouble = false;
            }
            catch (Exception e)
            {
                if (!_isInTrouble && !_stopping.IsCancellationRequested)
                    _say($"budgets cannot be read, and calls go on only from what is at hand: {e.Message}");
                _isInTrouble = true;
            }
            finally
            {
                _turn.Release();
            }
        }
    }

    private async Task RoundAsync()
    {
        var calls = TakeWaiting();
        try
        {
            if (!_hasLooked || _clock.GetElapsedTime(_lookedAt) > _options.LookAge / 2)
                await LookAsync(_stopping.Token);
            var unpaid = calls.Where(call => !TryPayFromHand(call)).ToList();
            await DrawAsync(unpaid, GoesBack(), _stopping.Token);
        }
        catch (Exception)
        {
            // What was drawn may be written down without being here. It counts as held, and the next report puts it right.
            foreach (var call in calls)
            {
                if (!call.Answer.Task.IsCompleted && !(_hasLooked && TryPayFromHand(call)))
                    call.Answer.TrySetResult(new LedgerAnswer([], BudgetRefusal.Unavailable));
            }
            throw;
        }
    }

    private List<Waiting> TakeWaiting()
    {
        var calls = new List<Waiting>();
        while (calls.Count < CallsPerRoundMax && _waiting.TryDequeue(out var call))
        {
            if (!call.Answer.Task.IsCompleted)
                calls.Add(call);
        }
        if (!_waiting.IsEmpty)
            WakeUp(isUrgent: true);
        return calls;
    }

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        var asked = _clock.GetTimestamp();
        var changes = await _store.ReadChangesAsync(_version, cancellationToken);
        _lines.Apply(changes.Budgets);
        // What is at hand was drawn under another cap: it goes back, and what is needed is drawn anew.
        _recalled.UnionWith(changes.Budgets.Select(budget => budget.Key));
        foreach (var cell in _cells.Keys.Where(cell => _recalled.Contains(cell.Period.Budget)))
            cell.Drawn -= cell.TakeAll();
        if (changes.Version != _version)
            OnChange();
        _version = changes.Version;
        Volatile.Write(ref _lookedAt, asked);
        _hasLooked = true;
    }

    private bool TryPayFromHand(Waiting call)
    {
        call.Cells = CellsOf(call.Spender);
        if (call.WorstCase == 0 && call.Cells.Length > 0 || !TryTake(call.Cells, call.WorstCase))
            return false;
        Answer(call);
        return true;
    }

    /// <summary>Whoever has given up meanwhile has reserved nothing.</summary>
    private static void Answer(Waiting call)
    {
        if (call.Answer.TrySetResult(new LedgerAnswer(call.Cells, null)))
            return;
        foreach (var cell in call.Cells)
            cell.Give(call.WorstCase);
    }

    /// <summary>Which cells give back what they have at hand: those of which there is little left for all, those nobody uses, and
    /// those of a period that is over.</summary>
    private Func<BudgetCell, bool> GoesBack()
    {
        var now = _clock.GetUtcNow();
        var idle = new HashSet<BudgetCell>();
        if (_clock.GetElapsedTime(_idleLookedAt) >= _options.IdleTime)
        {
            _idleLookedAt = _clock.GetTimestamp();
            idle.UnionWith(_cells.Keys.Where(cell => cell.LiesIdle()));
        }
        return cell => cell.AtHand < 0 || cell.IsTight || idle.Contains(cell) || cell.Period.EndsAt <= now;
    }

    private async Task DrawAsync(List<Waiting> calls, Func<BudgetCell, bool> goesBack, CancellationToken cancellationToken)
    {
        var wanted = calls.SelectMany(call => call.Cells).ToHashSet();
        var cells = _cells.Keys.Where(cell => wanted.Contains(cell) || cell.Settled != cell.SettledReported || _recalled.Contains(cell.Period.Budget) || (cell.AtHand != 0 && goesBack(cell))).ToList();
        var renews = _cells.Keys.Any(cell => cell.Drawn != 0) && _clock.GetElapsedTime(_heardAt) > _options.Lease / 3;
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
            reports[i] = new LeaseReport(cell.Period, cell.Drawn - (settled - cell.SettledReported), settled, isWanted ? atHand : 0);
        }
        var indexOf = cells.Select((cell, index) => (cell, index)).ToDictionary(pair => pair.cell, pair => pair.index);
        try
        {
            var sent = _clock.GetTimestamp();
            var outcome = await _store.DrawAsync(
                Id, _options.Lease, reports, [.. calls.Select(call => new CallToPay(call.WorstCase, Array.ConvertAll(call.Cells, cell => indexOf[cell])))], cancellationToken);
            _heardAt = sent;
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

    private void Distribute(List<BudgetCell> cells, LeaseReport[] reports, List<Waiting> calls, DrawOutcome outcome)
    {
        for (var i = 0; i < cells.Count; i++)
        {
            var cell = cells[i];
            cell.Drawn = outcome.Drawn[i];
            cell.SettledReported = reports[i].Settled;
            cell.See(outcome.Accounts[i]);
            cell.Give(outcome.AtHand[i]);
            reports[i] = reports[i] with { AtHand = 0 };
        }
        for (var c = 0; c < calls.Count; c++)
        {
            if (outcome.RefusedBy[c] is >= 0 and var by)
            {
                calls[c].Answer.TrySetResult(new LedgerAnswer([], RefusalOf(cells[by], outcome.Left[c], calls[c].WorstCase)));
                continue;
            }
            foreach (var cell in calls[c].Cells)
                cell.Note(calls[c].WorstCase);
            Answer(calls[c]);
        }
        var now = _clock.GetUtcNow();
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
            if (await _store.RaiseAsync(alert, cancellationToken))
                OnAlert(alert);
        }
    }

    private async Task RegisterAsync(CancellationToken cancellationToken)
    {
        await _store.RegisterAsync(Id, _options.Node, _options.Lease, cancellationToken);
        _isRegistered = true;
        _heardAt = _clock.GetTimestamp();
    }

    /// <summary>Until somebody waits or something is to be said. A node that holds nothing asks the store nothing.</summary>
    private async Task WaitAsync()
    {
        while (!_isUrgent || _isInTrouble)
        {
            var isBusy = _isWantedSoon || _cells.Keys.Any(cell => !cell.IsClear);
            var time = _isInTrouble ? TroublePeriod : isBusy ? _options.ReportPeriod : Timeout.InfiniteTimeSpan;
            if (time != Timeout.InfiniteTimeSpan)
                time -= _clock.GetElapsedTime(_roundAt);
            if (time <= TimeSpan.Zero && time != Timeout.InfiniteTimeSpan)
                return;
            try
            {
                using var due = time == Timeout.InfiniteTimeSpan ? null : new CancellationTokenSource(time, _clock);
                using var either = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token, due?.Token ?? CancellationToken.None);
                await _wake.WaitAsync(either.Token);
            }
            catch (OperationCanceledException)
            {
                // It is time, or the end.
                return;
            }
            if (_isInTrouble && !_waiting.IsEmpty)
                return;
        }
    }

    private void WakeUp(bool isUrgent)
    {
        if (isUrgent)
            _isUrgent = true;
        try
        {
            _wake.Release();
        }
        catch (Exception e) when (e is SemaphoreFullException or ObjectDisposedException)
        {
            // It is awake already, or has ended.
        }
    }

    private sealed class Waiting(Spender spender, long worstCase)
    {
        public Spender Spender => spender;
        public long WorstCase => worstCase;
        public BudgetCell[] Cells { get; set; } = [];
        public TaskCompletionSource<LedgerAnswer> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
