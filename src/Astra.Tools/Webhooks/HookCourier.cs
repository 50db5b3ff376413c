using Astra.Kernel;

namespace Astra.Tools.Webhooks;

/// <summary>A line for the server's log. It names ids and kinds: what a hook is sent, and what its receiver answers, is its tenant's.</summary>
/// <param name="About">Null when it is about all of them.</param>
public sealed record CourierNotice(string Sentence, DueMessage? About = null);

/// <summary>
/// Looks what there is to tell, and carries messages from the outbox to their receivers: at least once, each try later than
/// the one before, until the tries are used up. Every node of a fleet has one; whoever dies leaves its messages to the others.
/// </summary>
public sealed class HookCourier(IHookStore store, WebhookSender sender, HookMetrics metrics, TimeProvider clock, Action<CourierNotice> tell) : IAsyncDisposable
{
    /// <summary>1 s doubling to an hour: the last of these tries is made about six hours after the first.</summary>
    public const int TriesMax = 18;

    private static readonly TimeSpan RetryDelayMin = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetryDelayMax = TimeSpan.FromHours(1);

    // Longer than a try and what is written about it, so that a living courier is never overtaken.
    private static readonly TimeSpan Lease = WebhookSender.TryTimeMax + TimeSpan.FromSeconds(5);

    // What another node left behind, or was projected by one, is found at the latest then. An idle server costs no more.
    private static readonly TimeSpan LookPeriod = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LookPeriodMin = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan TroublePeriod = TimeSpan.FromSeconds(5);

    // Rows of the last minutes of an hour may still be on their way.
    private static readonly TimeSpan HourGrace = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan HistoryAge = TimeSpan.FromDays(8);

    private const int UnderWayMax = 32;

    /// <summary>A receiver that hangs holds up nobody else's messages.</summary>
    private const int UnderWayPerHookMax = 2;

    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _wake = new(0, 1);
    private readonly Lock _gate = new();
    private readonly Dictionary<HookId, int> _underWay = [];
    private readonly HashSet<Task> _tries = [];
    private long _hourTold = -1;
    private volatile bool _hasNews = true;
    private Task _running = Task.CompletedTask;

    public void Start() => _running = Task.Run(RunAsync);

    /// <summary>A task has died, and its row is there.</summary>
    public void Hear()
    {
        _hasNews = true;
        Wake();
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _running;
        Task[] last;
        lock (_gate)
            last = [.. _tries];
        await Task.WhenAll(last);
        _stopping.Dispose();
        _wake.Dispose();
    }

    /// <summary>The upper half of each delay is dice, so that messages that failed together do not come back together.</summary>
    /// <param name="attempt">The try that has just failed.</param>
    public static TimeSpan? DelayAfter(int attempt, double dice)
    {
        if (attempt >= TriesMax)
            return null;
        var whole = Math.Min(RetryDelayMin.TotalSeconds * Math.Pow(2, attempt - 1), RetryDelayMax.TotalSeconds);
        return TimeSpan.FromSeconds(whole * (0.5 + 0.5 * dice));
    }

    private async Task RunAsync()
    {
        var looked = clock.GetTimestamp();
        while (!_stopping.IsCancellationRequested)
        {
            TimeSpan wait;
            try
            {
                if (_hasNews || clock.GetElapsedTime(looked) >= LookPeriod)
                {
                    looked = clock.GetTimestamp();
                    await LookAsync();
                }
                await SendDueAsync();
                wait = await store.NextDueAsync(Busy(), _stopping.Token) is { } due && due < LookPeriod ? due : LookPeriod;
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // The database is away. What waits there waits on.
                tell(new CourierNotice($"messages for hooks have to wait: {e.GetType().Name}"));
                wait = TroublePeriod;
                _hasNews = true;
            }
            await WaitAsync(wait < LookPeriodMin ? LookPeriodMin : wait);
        }
    }

    private async Task LookAsync()
    {
        _hasNews = false;
        while (await store.HearAsync(FailureMessages.Of, _stopping.Token))
        {
        }
        var hour = (clock.GetUtcNow() - HourGrace).UtcTicks / TimeSpan.TicksPerHour;
        if (hour == _hourTold)
            return;
        await store.TellHoursAsync(FailureMessages.Of, _stopping.Token);
        await store.ForgetAsync(HistoryAge, _stopping.Token);
        _hourTold = hour;
    }

    private async Task SendDueAsync()
    {
        while (UnderWayMax - Count() is var room and > 0)
        {
            var taken = await store.TakeAsync(room, Busy(), Lease, _stopping.Token);
            foreach (var message in taken)
                Begin(message);
            if (taken.Count == 0)
                return;
        }
    }

    private void Begin(DueMessage message)
    {
        lock (_gate)
        {
            _underWay[message.Hook] = _underWay.GetValueOrDefault(message.Hook) + 1;
            Task attempt = null!;
            attempt = Task.Run(async () =>
            {
                await TryAsync(message);
                lock (_gate)
                {
                    if (--_underWay[message.Hook] == 0)
                        _underWay.Remove(message.Hook);
                    _tries.Remove(attempt);
                }
                Wake();
            });
            _tries.Add(attempt);
        }
    }

    private async Task TryAsync(DueMessage message)
    {
        try
        {
            var outcome = await sender.SendAsync(message, _stopping.Token);
            var retry = outcome.IsDelivered || outcome.IsFinal ? null : DelayAfter(message.Attempt, Random.Shared.NextDouble());
            metrics.Count(outcome, isLast: retry is null);
            await store.SettleAsync(message, outcome, retry, CancellationToken.None);
            if (!outcome.IsDelivered && retry is null)
                tell(new CourierNotice($"hook {message.Hook}: message {message.Id} was given up after try {message.Attempt}; see `astra hook show {message.Hook}`", message));
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // Nobody knows whether it arrived. The next server sends it again, and the receiver knows it by its id.
        }
        catch (Exception e)
        {
            tell(new CourierNotice($"hook {message.Hook}: what came of message {message.Id} could not be written down, it will be sent again: {e.GetType().Name}", message));
        }
    }

    private int Count()
    {
        lock (_gate)
            return _tries.Count;
    }

    private IReadOnlyCollection<HookId> Busy()
    {
        lock (_gate)
            return [.. _underWay.Where(hook => hook.Value >= UnderWayPerHookMax).Select(hook => hook.Key)];
    }

    private async Task WaitAsync(TimeSpan time)
    {
        try
        {
            using var due = new CancellationTokenSource(time, clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(due.Token, _stopping.Token);
            await _wake.WaitAsync(either.Token);
        }
        catch (OperationCanceledException)
        {
            // It is time, or the end.
        }
    }

    private void Wake()
    {
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
