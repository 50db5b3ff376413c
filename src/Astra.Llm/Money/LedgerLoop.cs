using System.Collections.Concurrent;

namespace Astra.Llm.Money;

/// <summary>When the store is talked to: a round at a time, for everybody who waits and everything that is to be said. What is said is
/// the <see cref="LedgerExchange"/>'s.</summary>
internal sealed class LedgerLoop : IAsyncDisposable
{
    private const int CallsPerRoundMax = 256;
    private static readonly TimeSpan TroublePeriod = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan CloseTimeMax = TimeSpan.FromSeconds(5);

    private readonly LedgerExchange _exchange;
    private readonly TimeProvider _clock;
    private readonly LedgerOptions _options;
    private readonly Action<string> _say;
    private readonly ConcurrentQueue<WaitingCall> _waiting = new();
    private readonly SemaphoreSlim _wake = new(0, 1);
    private readonly SemaphoreSlim _turn = new(1);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _running;
    private long _roundAt;
    private volatile bool _isInTrouble;
    private volatile bool _isWantedSoon;
    private volatile bool _isUrgent;

    public LedgerLoop(LedgerExchange exchange, TimeProvider clock, LedgerOptions options, Action<string> say)
    {
        (_exchange, _clock, _options, _say) = (exchange, clock, options, say);
        _running = Task.Run(RunAsync);
    }

    /// <summary>The store does not answer. What is at hand is written down as held, so it may be spent all the same.</summary>
    public bool IsInTrouble => _isInTrouble;

    /// <summary>Asks for the next look in good time, so that calls that come in a row never wait for one.</summary>
    public bool LooksAreFresh()
    {
        if (!_exchange.HasLooked)
            return false;
        var age = _exchange.LookAge;
        if (age > _options.LookAge / 2 && !_isInTrouble)
            WakeUp(isUrgent: true);
        return age < _options.LookAge;
    }

    public async ValueTask<LedgerAnswer> AskAsync(Spender spender, long worstCase, CancellationToken cancellationToken) =>
        await WaitForRoundAsync(new WaitingCall(spender, worstCase), cancellationToken);

    /// <summary>Returns after a look that was asked for from now on, or when there can be none.</summary>
    public async ValueTask LookAsync(CancellationToken cancellationToken) => await WaitForRoundAsync(new WaitingCall(spender: null, worstCase: 0), cancellationToken);

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
            await _exchange.DrawAsync([], static _ => true, cancellationToken);
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
            await _exchange.LookAsync(cancellationToken);
            await _exchange.DrawAsync([], _exchange.GoesBack(), cancellationToken);
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
            waiting.Refuse(BudgetRefusal.Unavailable);
        try
        {
            using var patience = new CancellationTokenSource(CloseTimeMax);
            await _exchange.CloseAsync(patience.Token);
        }
        catch (Exception e)
        {
            _say($"what this server held of budgets could not be given back, and counts as spent until it is back: {e.Message}");
        }
        _wake.Dispose();
        _turn.Dispose();
        _stopping.Dispose();
    }

    private async ValueTask<LedgerAnswer> WaitForRoundAsync(WaitingCall waiting, CancellationToken cancellationToken)
    {
        _waiting.Enqueue(waiting);
        if (_stopping.IsCancellationRequested)
            waiting.Refuse(BudgetRefusal.Unavailable);
        WakeUp(isUrgent: true);
        await using var _ = cancellationToken.UnsafeRegister(static (state, token) => ((WaitingCall)state!).Answer.TrySetCanceled(token), waiting);
        return await waiting.Answer.Task;
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
            if (!_exchange.HasLooked || _exchange.LookAge > _options.LookAge / 2)
                await _exchange.LookAsync(_stopping.Token);
            var unpaid = calls.Where(call => !TryPayFromHand(call)).ToList();
            await _exchange.DrawAsync(unpaid, _exchange.GoesBack(), _stopping.Token);
        }
        catch (Exception)
        {
            // What was drawn may be written down without being here. It counts as held, and the next report puts it right.
            foreach (var call in calls)
            {
                if (!call.IsAnswered && !(_exchange.HasLooked && TryPayFromHand(call)))
                    call.Refuse(BudgetRefusal.Unavailable);
            }
            throw;
        }
    }

    private List<WaitingCall> TakeWaiting()
    {
        var calls = new List<WaitingCall>();
        while (calls.Count < CallsPerRoundMax && _waiting.TryDequeue(out var call))
        {
            if (!call.IsAnswered)
                calls.Add(call);
        }
        if (!_waiting.IsEmpty)
            WakeUp(isUrgent: true);
        return calls;
    }

    private bool TryPayFromHand(WaitingCall call)
    {
        call.Cells = call.Spender is null ? [] : _exchange.CellsOf(call.Spender);
        // Who asks for nothing wants to know what the store says.
        if (call is { WorstCase: 0, Cells.Length: > 0 } || !_exchange.TryTakeAtHand(call.Cells, call.WorstCase))
            return false;
        call.Pay();
        return true;
    }

    /// <summary>Until somebody waits or something is to be said. A node that holds nothing asks the store nothing.</summary>
    private async Task WaitAsync()
    {
        while (!_isUrgent || _isInTrouble)
        {
            var isBusy = _isWantedSoon || _exchange.IsBusy;
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
        // A look that takes its time is asked for by every call meanwhile; an exception for each would cost more than the call.
        if (_wake.CurrentCount > 0)
            return;
        try
        {
            _wake.Release();
        }
        catch (Exception e) when (e is SemaphoreFullException or ObjectDisposedException)
        {
            // It is awake already, or has ended.
        }
    }
}
