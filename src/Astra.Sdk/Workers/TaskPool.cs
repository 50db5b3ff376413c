namespace Astra.Sdk;

/// <summary>One attempt in a pool: what runs, and whom to tell.</summary>
/// <param name="Run">Given a token that is cancelled when the attempt is taken away.</param>
/// <param name="Report">Makes the outcome durable. Called again after <see cref="ReportAnswer.TryAgain"/>.</param>
public sealed record PooledTask(
    TaskAttempt Attempt,
    TimeSpan Lease,
    Func<CancellationToken, ValueTask<TaskReport>> Run,
    Func<TaskReport, CancellationToken, ValueTask<ReportAnswer>> Report);

/// <summary>What became of a report.</summary>
public abstract record ReportAnswer
{
    public sealed record Accepted : ReportAnswer;

    /// <summary>The attempt was over.</summary>
    public sealed record Late : ReportAnswer;

    /// <summary>The report itself is bad, and the task is still the worker's.</summary>
    public sealed record Refused(string Reason) : ReportAnswer;

    public sealed record TryAgain(TimeSpan After) : ReportAnswer;
}

/// <summary>
/// Runs attempts side by side, renews their leases at a third of the shortest one, and reports how they went. It does
/// not count slots: whoever assigns knows how many were offered.
/// </summary>
public sealed class TaskPool : IAsyncDisposable
{
    // Two heartbeats may be lost before a lease is.
    private const int HeartbeatsPerLease = 3;

    private static readonly TimeSpan IdleHeartbeatPeriod = TimeSpan.FromSeconds(10);

    private readonly Func<IReadOnlyList<TaskAttempt>, CancellationToken, ValueTask<IReadOnlyList<TaskAttempt>>> _heartbeat;
    private readonly TimeProvider _machine;
    private readonly Lock _gate = new();
    private readonly Dictionary<TaskAttempt, RunningTask> _running = [];
    private readonly SemaphoreSlim _stir = new(0);
    private readonly CancellationTokenSource _closing = new();
    private readonly Task _beating;
    private TaskCompletionSource? _empty;
    private TimeSpan _period = TimeSpan.MaxValue;
    private bool _isBeatDue;

    /// <param name="heartbeat">Renews these attempts and answers those that are lost.</param>
    public TaskPool(
        Func<IReadOnlyList<TaskAttempt>, CancellationToken, ValueTask<IReadOnlyList<TaskAttempt>>> heartbeat, TimeProvider? machine = null)
    {
        _heartbeat = heartbeat;
        _machine = machine ?? TimeProvider.System;
        _beating = Task.Run(BeatAsync);
    }

    public int Count
    {
        get
        {
            lock (_gate)
                return _running.Count;
        }
    }

    /// <summary>Queues and returns.</summary>
    public void Start(PooledTask task)
    {
        var running = new RunningTask(task, new CancellationTokenSource());
        bool isShorter;
        lock (_gate)
        {
            if (_closing.IsCancellationRequested || !_running.TryAdd(task.Attempt, running))
                return;
            isShorter = task.Lease / HeartbeatsPerLease < _period;
        }
        if (isShorter)
            _stir.Release();
        _ = RunAsync(running);
    }

    /// <summary>The server takes it back, perhaps because it has not heard of us: a heartbeat at once says that we are here,
    /// and nothing more is given to a worker that is not heard.</summary>
    public void Revoke(TaskAttempt attempt)
    {
        lock (_gate)
        {
            if (_closing.IsCancellationRequested)
                return;
            _isBeatDue = true;
            _stir.Release();
        }
        Cancel(attempt);
    }

    private void Cancel(TaskAttempt attempt)
    {
        RunningTask? running;
        lock (_gate)
            running = _running.GetValueOrDefault(attempt);
        // Cancelling runs the agent's own callbacks, and the caller may be a turn of the kernel.
        if (running is not null)
            _ = Task.Run(running.Revoke);
    }

    /// <summary>Completes when nothing runs any more.</summary>
    public Task WhenEmptyAsync()
    {
        lock (_gate)
        {
            if (_running.Count == 0)
                return Task.CompletedTask;
            _empty ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _empty.Task;
        }
    }

    /// <summary>Takes everything away at once.</summary>
    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        await _beating;
        RunningTask[] running;
        // What starts from here on sees that the pool is closing.
        lock (_gate)
            running = [.. _running.Values];
        foreach (var task in running)
            task.Revoke();
        await WhenEmptyAsync();
        lock (_gate)
        {
            _closing.Dispose();
            _stir.Dispose();
        }
    }

    private async Task RunAsync(RunningTask running)
    {
        // Not on the thread of whoever starts it, nor in their context.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            var report = await running.Task.Run(running.Revoked);
            while (report is not TaskReport.Dropped && !running.Revoked.IsCancellationRequested)
            {
                switch (await running.Task.Report(report, running.Revoked))
                {
                    case ReportAnswer.TryAgain again:
                        await Task.Delay(again.After, _machine, running.Revoked);
                        continue;
                    case ReportAnswer.Refused refused when report is TaskReport.Completed:
                        // The work is done and its report can never be accepted; doing it again would end the same way.
                        report = new TaskReport.Failed(
                            FailureKind.Permanent, refused.Reason, FailureCause.Fingerprint("ReportRefused", refused.Reason));
                        continue;
                    default:
                        return;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Revoked. Nobody waits for a report.
        }
        catch (IOException)
        {
            // The connection went while reporting; the server re-issues what it held.
        }
        finally
        {
            Forget(running);
        }
    }

    private void Forget(RunningTask running)
    {
        lock (_gate)
        {
            _running.Remove(running.Task.Attempt);
            if (_running.Count == 0)
            {
                _empty?.TrySetResult();
                _empty = null;
            }
        }
        running.Forget();
    }

    private async Task BeatAsync()
    {
        try
        {
            while (true)
            {
                // A task with a shorter lease than the others shortens the wait that has begun.
                var lastBeat = _machine.GetTimestamp();
                while (!TakeDue() && Period() - _machine.GetElapsedTime(lastBeat) is var rest && rest > TimeSpan.Zero)
                {
                    using var timer = new CancellationTokenSource(rest, _machine);
                    using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, _closing.Token);
                    try
                    {
                        await _stir.WaitAsync(either.Token);
                    }
                    catch (OperationCanceledException) when (!_closing.IsCancellationRequested)
                    {
                        break;
                    }
                }
                await BeatOnceAsync();
            }
        }
        catch (OperationCanceledException)
        {
            // Closing.
        }
    }

    private async Task BeatOnceAsync()
    {
        TaskAttempt[] held;
        lock (_gate)
            held = [.. _running.Keys];
        try
        {
            foreach (var lost in await _heartbeat(held, _closing.Token))
                Cancel(lost);
        }
        catch (IOException)
        {
            // The connection is gone, and whoever owns it takes the pool down or connects again.
        }
    }

    private bool TakeDue()
    {
        lock (_gate)
        {
            var isDue = _isBeatDue;
            _isBeatDue = false;
            return isDue;
        }
    }

    private TimeSpan Period()
    {
        lock (_gate)
        {
            _period = IdleHeartbeatPeriod;
            foreach (var running in _running.Values)
                if (running.Task.Lease / HeartbeatsPerLease < _period)
                    _period = running.Task.Lease / HeartbeatsPerLease;
            return _period;
        }
    }

    private sealed class RunningTask(PooledTask task, CancellationTokenSource revoke)
    {
        private readonly Lock _gate = new();
        private bool _isForgotten;

        public PooledTask Task => task;
        public CancellationToken Revoked { get; } = revoke.Token;

        public void Revoke()
        {
            lock (_gate)
            {
                if (!_isForgotten)
                    revoke.Cancel();
            }
        }

        public void Forget()
        {
            lock (_gate)
            {
                _isForgotten = true;
                revoke.Dispose();
            }
        }
    }
}
