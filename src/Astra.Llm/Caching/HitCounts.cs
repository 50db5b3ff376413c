using System.Collections.Concurrent;
using Astra.Llm.Money;

namespace Astra.Llm.Caching;

/// <summary>
/// Answers that nobody had to pay for, as usage: counted at each hit and written once a second for each spender and model, since
/// a record for each would cost more than the hits. A kill takes the last second along; no money is in it.
/// </summary>
internal sealed class HitCounts : IAsyncDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    private readonly IUsageLog _usage;
    private readonly TimeProvider _clock;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _writing;
    private ConcurrentDictionary<(Spender Spender, Operation Operation, string Model), Counter> _counts = new();

    public HitCounts(IUsageLog usage, TimeProvider clock)
    {
        (_usage, _clock) = (usage, clock);
        _writing = WriteAsync();
    }

    public void Add(Spender spender, CachedAnswer answer)
    {
        // A counter that is being written counts no more; the next one is in the new table.
        while (!_counts.GetOrAdd((spender, answer.Operation, answer.Model), static _ => new Counter()).TryCount())
        {
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _writing;
        _stopping.Dispose();
    }

    private async Task WriteAsync()
    {
        using var timer = new PeriodicTimer(Period, _clock);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token))
                await FlushAsync();
        }
        catch (OperationCanceledException)
        {
            // The end: what is there is written.
        }
        await FlushAsync();
    }

    private async Task FlushAsync()
    {
        if (_counts.IsEmpty)
            return;
        var counts = Interlocked.Exchange(ref _counts, new());
        foreach (var ((spender, operation, model), counter) in counts)
        {
            if (counter.Close() is not (> 0 and var calls))
                continue;
            var slash = model.IndexOf('/', StringComparison.Ordinal);
            await _usage.WriteAsync(
                new UsageRecord(
                    Guid.CreateVersion7(), Guid.CreateVersion7(), _clock.GetUtcNow(), spender, slash < 0 ? model : model[..slash], model[(slash + 1)..],
                    AttemptOutcome.Cached, TokenUsage.None, UsageSource.Reported, Nanodollars.Zero, null, TimeSpan.Zero, null,
                    operation == Operation.Embeddings ? "embeddings" : "chat", calls),
                CancellationToken.None);
        }
    }

    private sealed class Counter
    {
        private const long Closed = long.MinValue / 2;

        private long _value;

        public bool TryCount() => Interlocked.Increment(ref _value) > 0;

        public long Close() => Interlocked.Exchange(ref _value, Closed);
    }
}
