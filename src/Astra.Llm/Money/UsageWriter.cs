using System.Threading.Channels;

namespace Astra.Llm.Money;

/// <summary>Where usage is kept.</summary>
public interface IUsageStore
{
    /// <summary>Writes records that are not there yet; one that is stays as it was.</summary>
    ValueTask WriteAsync(IReadOnlyList<UsageRecord> records, CancellationToken cancellationToken);
}

public sealed record UsageWriterOptions
{
    /// <summary>So many records wait for the store; who brings one more waits too.</summary>
    public int QueueMax { get; init; } = 10_000;

    /// <summary>Few enough that the database is never busy with one for long: calls that are under way share its processors.</summary>
    public int BatchMax { get; init; } = 250;

    /// <summary>How long records are gathered: each batch is one statement, and one commit.</summary>
    public TimeSpan GatherTime { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>How long after a failure the store is asked again.</summary>
    public TimeSpan TroublePeriod { get; init; } = TimeSpan.FromSeconds(2);
}

/// <summary>
/// Writes usage behind the calls: gathered, a batch at a time. While the store is away batches go to a file, and from there to the
/// store when it is back. Nothing is dropped: where there is no room the caller waits. What a kill takes along is the records of
/// the last moments; their money stays held by the ledger, so it counts as spent.
/// </summary>
public sealed class UsageWriter : IUsageLog, IAsyncDisposable
{
    private readonly IUsageStore _store;
    private readonly UsageSpool _spool;
    private readonly TimeProvider _clock;
    private readonly UsageWriterOptions _options;
    private readonly Action<string> _say;
    private readonly Channel<UsageRecord> _queue;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _running;
    private long _triedAt;
    private volatile bool _isAway;

    public UsageWriter(IUsageStore store, UsageSpool spool, TimeProvider clock, UsageWriterOptions? options = null, Action<string>? say = null)
    {
        (_store, _spool, _clock, _options, _say) = (store, spool, clock, options ?? new UsageWriterOptions(), say ?? (static _ => { }));
        _queue = Channel.CreateBounded<UsageRecord>(new BoundedChannelOptions(_options.QueueMax) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });
        // What the last process left is as old as anything can be: it goes first.
        _isAway = spool.HasRecords;
        _running = Task.Run(RunAsync);
    }

    /// <summary>Told of every record, before it is written.</summary>
    public Action<UsageRecord> OnRecord { get; set; } = static _ => { };

    /// <summary>Records that are in the file and not in the store.</summary>
    public bool IsSpooling => _spool.HasRecords;

    public ValueTask WriteAsync(UsageRecord record, CancellationToken cancellationToken)
    {
        OnRecord(record);
        return _queue.Writer.TryWrite(record) ? ValueTask.CompletedTask : WaitAndWriteAsync(record, cancellationToken);
    }

    /// <summary>Writes what waits, to the store or to the file.</summary>
    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _stopping.CancelAsync();
        await _running;
        _stopping.Dispose();
        _spool.Dispose();
    }

    private async ValueTask WaitAndWriteAsync(UsageRecord record, CancellationToken cancellationToken)
    {
        try
        {
            await _queue.Writer.WriteAsync(record, cancellationToken);
        }
        catch (ChannelClosedException)
        {
            // A call that outlived its server's patience: the file keeps what it came to for the next process.
            await _running;
            lock (_spool)
            {
                _spool.Append([record]);
                _spool.Dispose();
            }
        }
    }

    private async Task RunAsync()
    {
        var batch = new List<UsageRecord>(_options.BatchMax);
        while (await WaitAsync())
        {
            await GatherAsync(batch);
            await PutAsync(batch);
            batch.Clear();
        }
        if (_spool.HasRecords)
            await DrainAsync();
    }

    /// <summary>Until there is a record, or it is time to look whether the store is back. False at the end.</summary>
    private async Task<bool> WaitAsync()
    {
        if (!_isAway)
            return await _queue.Reader.WaitToReadAsync(CancellationToken.None);
        using var due = new CancellationTokenSource(_triedAt == 0 ? TimeSpan.Zero : _options.TroublePeriod, _clock);
        try
        {
            return await _queue.Reader.WaitToReadAsync(due.Token);
        }
        catch (OperationCanceledException)
        {
            return true;
        }
    }

    private async Task GatherAsync(List<UsageRecord> batch)
    {
        Take();
        if (batch.Count == 0 || batch.Count == _options.BatchMax || _stopping.IsCancellationRequested)
            return;
        try
        {
            await Task.Delay(_options.GatherTime, _clock, _stopping.Token);
        }
        catch (OperationCanceledException)
        {
            // The end comes first: what is there is written at once.
        }
        Take();

        void Take()
        {
            while (batch.Count < _options.BatchMax && _queue.Reader.TryRead(out var record))
                batch.Add(record);
        }
    }

    private async Task PutAsync(List<UsageRecord> batch)
    {
        var isTime = !_isAway || _triedAt == 0 || _clock.GetElapsedTime(_triedAt) >= _options.TroublePeriod;
        if (isTime && (!_isAway || await DrainAsync()) && (batch.Count == 0 || await TryWriteAsync(batch)))
            return;
        while (batch.Count > 0)
        {
            try
            {
                _spool.Append(batch);
                return;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The disk is full too. The queue fills, callers wait, and nothing is lost but with the end of the server.
                var isEnd = await WaitForRoomAsync(e);
                if (await TryWriteAsync(batch))
                    return;
                if (isEnd)
                {
                    _say($"what {batch.Count} calls of models came to can be written neither to the database nor to {_spool.Path}, and is lost with the end of this server: {e.Message}");
                    return;
                }
            }
        }
    }

    /// <summary>Until the store may be asked again. True at the end, when it is asked for the last time.</summary>
    private async Task<bool> WaitForRoomAsync(Exception trouble)
    {
        if (_stopping.IsCancellationRequested)
            return true;
        _say($"usage can be written neither to the database nor to {_spool.Path}, and calls wait until it can: {trouble.Message}");
        try
        {
            await Task.Delay(_options.TroublePeriod, _clock, _stopping.Token);
        }
        catch (OperationCanceledException)
        {
            // The file is tried once more, and then the store.
        }
        return false;
    }

    private async Task<bool> TryWriteAsync(List<UsageRecord> batch)
    {
        try
        {
            await _store.WriteAsync(batch, CancellationToken.None);
            return true;
        }
        catch (Exception e)
        {
            Fail(e);
            return false;
        }
    }

    /// <summary>A crash in between writes the same records again, which changes nothing.</summary>
    private async Task<bool> DrainAsync()
    {
        try
        {
            foreach (var records in _spool.Read(_options.BatchMax))
                await _store.WriteAsync(records, CancellationToken.None);
            _spool.Clear();
            if (_isAway && _triedAt != 0)
                _say("usage is in the database again, what was in the file too.");
            _isAway = false;
            return true;
        }
        catch (Exception e)
        {
            Fail(e);
            return false;
        }
    }

    private void Fail(Exception e)
    {
        if (!_isAway || _triedAt == 0)
            _say($"usage cannot be written to the database, and waits in {_spool.Path}: {e.Message}");
        _isAway = true;
        _triedAt = Math.Max(1, _clock.GetTimestamp());
    }
}
