namespace Astra.Llm.Routing;

internal enum BreakerState : byte
{
    Closed = 0,
    Open = 1,

    /// <summary>One attempt is on its way to find out; nobody else goes.</summary>
    HalfOpen = 2,
}

/// <summary>Of an attempt that was let through; what it comes to is told with it.</summary>
/// <param name="Probe">Which probe it is; 0 is an ordinary attempt.</param>
internal readonly record struct BreakerPass(int Probe);

/// <summary>
/// Keeps attempts from a target that fails. So many failures in a row open it; after a rest it lets one attempt through, and
/// that one decides. Each rest after a failed probe is twice the one before, up to a limit.
/// </summary>
/// <remarks>
///            attempt?        success     failure
///   Closed   yes             Closed      Open after <see cref="FailuresMax"/> in a row
///   Open     no; after its   Closed      Open (of an attempt from before it opened)
///            rest: HalfOpen
///   HalfOpen no              Closed      Open, and the next rest is longer; only the probe's counts
/// </remarks>
internal sealed class Breaker(TimeProvider clock)
{
    public const int FailuresMax = 5;
    public static readonly TimeSpan RestMin = TimeSpan.FromSeconds(5);
    public static readonly TimeSpan RestMax = TimeSpan.FromMinutes(2);

    private readonly Lock _lock = new();
    private volatile BreakerState _state;
    private volatile int _failures;
    private TimeSpan _rest = RestMin;
    private long _openedAt;
    private int _probe;

    public BreakerState State => _state;

    /// <summary>Whether an attempt would be let through now.</summary>
    public bool WouldPass => _state == BreakerState.Closed || (_state == BreakerState.Open && HasRested());

    /// <summary>Takes the probe's place when it is half open: whoever passes tells <see cref="Succeeded"/>, <see cref="Failed"/> or
    /// <see cref="Undecided"/>. Null is no pass.</summary>
    public BreakerPass? TryPass()
    {
        if (_state == BreakerState.Closed)
            return default(BreakerPass);
        lock (_lock)
        {
            if (_state == BreakerState.Closed)
                return default(BreakerPass);
            if (_state != BreakerState.Open || !HasRested())
                return null;
            _state = BreakerState.HalfOpen;
            return new BreakerPass(++_probe);
        }
    }

    public void Succeeded()
    {
        if (_state == BreakerState.Closed && _failures == 0)
            return;
        lock (_lock)
        {
            _state = BreakerState.Closed;
            _failures = 0;
            _rest = RestMin;
        }
    }

    public void Failed(BreakerPass pass)
    {
        lock (_lock)
        {
            switch (_state)
            {
                case BreakerState.Closed when ++_failures < FailuresMax:
                    return;
                // Of an attempt from before it opened: the one probe is still on its way, and decides.
                case BreakerState.HalfOpen when pass.Probe != _probe:
                    return;
                case BreakerState.HalfOpen:
                    _rest = _rest * 2 < RestMax ? _rest * 2 : RestMax;
                    break;
                case BreakerState.Open:
                    return;
            }
            _state = BreakerState.Open;
            _openedAt = clock.GetTimestamp();
        }
    }

    /// <summary>The attempt ended for reasons that say nothing of the target: its client left, its key was refused.</summary>
    public void Undecided(BreakerPass pass)
    {
        if (_state != BreakerState.HalfOpen)
            return;
        lock (_lock)
            if (_state == BreakerState.HalfOpen && pass.Probe == _probe)
                _state = BreakerState.Open; // Rested already: the next one probes at once.
    }

    private bool HasRested() => clock.GetElapsedTime(Volatile.Read(ref _openedAt)) >= _rest;
}
