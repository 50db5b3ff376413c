using System.Threading.Channels;

namespace Astra.Llm.Recording;

/// <summary>
/// Writes recordings behind the calls, a batch at a time, and tries until the store has them. Who is answered never waits for
/// it: when what waits has come to its bound, what is new is left out and said, and a replay will miss it by name.
/// </summary>
public sealed class Recorder : IAsyncDisposable
{
    /// <summary>A larger answer is not kept.</summary>
    public const int AnswerBytesMax = 8 << 20;

    private const int BatchMax = 200;
    private const long WaitingBytesMax = 64L << 20;
    private static readonly TimeSpan TroublePeriod = TimeSpan.FromSeconds(2);

    private readonly IRecordingStore _store;
    private readonly TimeProvider _clock;
    private readonly Action<string> _say;
    private readonly Channel<object> _queue = Channel.CreateUnbounded<object>(new UnboundedChannelOptions { SingleReader = true });
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _writing;
    private long _waitingBytes;
    private bool _isFull;

    public Recorder(IRecordingStore store, TimeProvider clock, Action<string> say)
    {
        (_store, _clock, _say) = (store, clock, say);
        _writing = Task.Run(WriteAsync);
    }

    public void Add(Recording recording)
    {
        if (Interlocked.Add(ref _waitingBytes, recording.Answer.Length) > WaitingBytesMax)
        {
            Interlocked.Add(ref _waitingBytes, -recording.Answer.Length);
            if (!Interlocked.Exchange(ref _isFull, true))
                _say("recordings of goals come faster than the database takes them; some are left out, and the replay of their goals will say so");
            return;
        }
        _queue.Writer.TryWrite(recording);
    }

    /// <summary>When it returns, what was added before is in the store.</summary>
    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        var mark = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (_queue.Writer.TryWrite(mark))
            await mark.Task.WaitAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _stopping.CancelAsync();
        await _writing;
        _stopping.Dispose();
    }

    private async Task WriteAsync()
    {
        var batch = new List<Recording>();
        while (await _queue.Reader.WaitToReadAsync(CancellationToken.None))
        {
            TaskCompletionSource? mark = null;
            while (mark is null && batch.Count < BatchMax && _queue.Reader.TryRead(out var next))
            {
                if (next is Recording recording)
                    batch.Add(recording);
                else
                    mark = (TaskCompletionSource)next;
            }
            await PutAsync(batch);
            batch.Clear();
            mark?.SetResult();
        }
    }

    private async Task PutAsync(List<Recording> batch)
    {
        var hasSaid = false;
        while (batch.Count > 0)
        {
            try
            {
                await _store.WriteAsync(batch, CancellationToken.None);
                break;
            }
            catch (Exception e)
            {
                if (!hasSaid)
                    _say($"recordings of goals cannot be written, and wait: {e.Message}");
                hasSaid = true;
            }
            // The process ends, and its database is away: there is nobody left to wait.
            if (_stopping.IsCancellationRequested)
                break;
            try
            {
                await Task.Delay(TroublePeriod, _clock, _stopping.Token);
            }
            catch (OperationCanceledException)
            {
                // Once more, at once.
            }
        }
        Interlocked.Add(ref _waitingBytes, -batch.Sum(recording => (long)recording.Answer.Length));
        Volatile.Write(ref _isFull, false);
    }
}
