using System.Diagnostics.Metrics;

namespace Astra.Tools.Webhooks;

/// <summary>
/// What came of this node's tries, and what waits in the outbox, which is one for all nodes: tries are added up over a
/// fleet, what waits is not. Names neither tenants nor addresses.
/// </summary>
public sealed class HookMetrics : IDisposable
{
    // A scrape does not wait for a database in trouble; it says less.
    private static readonly TimeSpan BacklogTimeMax = TimeSpan.FromSeconds(2);

    private readonly IHookStore _store;
    private OutboxBacklog? _backlog;
    private long _delivered;
    private long _failed;
    private long _givenUp;

    public HookMetrics(IHookStore store)
    {
        _store = store;
        Meter.CreateObservableCounter("astra.hook.tries", MeasureTries, description: "Tries of this node to deliver a message to a hook, by what came of them.");
        Meter.CreateObservableGauge("astra.hook.messages.waiting", () => Read(backlog => backlog.Waiting), description: "Messages in the outbox of the fleet.");
        Meter.CreateObservableGauge("astra.hook.oldest.waiting", () => Read(backlog => backlog.OldestAge.TotalSeconds), "s", "Age of the oldest of them; 0 when none waits.");
    }

    public Meter Meter { get; } = new(new MeterOptions("Astra.Hooks") { Scope = new object() });

    /// <summary>Looks at the outbox, for whoever asks and for the scrape that follows. Null when the database does not answer:
    /// no backlog is shown then, and not the last one.</summary>
    public async ValueTask<OutboxBacklog?> LookAsync()
    {
        using var patience = new CancellationTokenSource(BacklogTimeMax);
        try
        {
            Volatile.Write(ref _backlog, await _store.ReadBacklogAsync(patience.Token));
        }
        catch (Exception)
        {
            Volatile.Write(ref _backlog, null);
        }
        return Volatile.Read(ref _backlog);
    }

    public void Dispose() => Meter.Dispose();

    /// <param name="isLast">No other try follows one that failed.</param>
    internal void Count(TryOutcome outcome, bool isLast) =>
        Interlocked.Increment(ref outcome.IsDelivered ? ref _delivered : ref isLast ? ref _givenUp : ref _failed);

    private IEnumerable<Measurement<long>> MeasureTries() =>
    [
        Of(Volatile.Read(ref _delivered), "delivered"), Of(Volatile.Read(ref _failed), "failed"), Of(Volatile.Read(ref _givenUp), "given_up"),
    ];

    private IEnumerable<Measurement<T>> Read<T>(Func<OutboxBacklog, T> read) where T : struct =>
        Volatile.Read(ref _backlog) is { } backlog ? [new Measurement<T>(read(backlog))] : [];

    private static Measurement<long> Of(long count, string outcome) => new(count, new KeyValuePair<string, object?>("outcome", outcome));
}
