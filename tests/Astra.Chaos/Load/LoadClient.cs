using System.Diagnostics;
using Astra.Chaos.Worker;
using Astra.Sdk;

namespace Astra.Chaos.Load;

/// <summary>
/// Submits goals of all shapes at a pace, edits and cancels some while they run, and writes into its ledger what it sends
/// and what it is told. It knows nothing about faults.
/// </summary>
internal sealed class LoadClient(Caller caller, Ledger ledger, ulong seed, double tasksPerSecond, bool hasPython) : IAsyncDisposable
{
    private const int AtOnceMax = 48;
    private static readonly TimeSpan DeadlyEvery = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(20);

    private readonly Random _dice = new((int)(seed ^ (seed >> 32)));
    private readonly SemaphoreSlim _places = new(AtOnceMax);
    private readonly CancellationTokenSource _stopping = new();
    private int _count;
    private int _underWay;
    private volatile bool _isPaused = true;
    private Task _running = Task.CompletedTask;
    private Exception? _failure;

    /// <summary>Nothing is sent while this is so; what is under way goes on.</summary>
    public bool IsPaused
    {
        get => _isPaused;
        set => _isPaused = value;
    }

    /// <summary>Requests about goals that have not been answered yet.</summary>
    public int UnderWay => Volatile.Read(ref _underWay);

    public void Start() => _running = RunAsync(_stopping.Token);

    public void ThrowIfFailed()
    {
        if (_failure is { } failure)
            throw new InvalidOperationException("The load client itself has failed.", failure);
    }

    /// <summary>One goal of a shape, until it is acknowledged; no goal if it was refused for good.</summary>
    public async Task<(string Key, Guid? Goal)> SubmitAsync(Shape shape, CancellationToken cancellationToken)
    {
        string key;
        PlannedStep[] steps;
        lock (_dice)
        {
            key = $"{shape}-{++_count}".ToLowerInvariant();
            steps = Shapes.PlanOf(shape, _dice);
        }
        await ledger.AddAsync(new LedgerLine { Word = LedgerWord.Sent, Key = key, Shape = shape, Steps = steps });
        var submission = new GoalSubmission { Title = key, Plan = [.. steps.Select(step => step.ToEdit())] };
        try
        {
            var goal = await caller.AskAsync((server, token) => server.SubmitAsync(submission, key, token), cancellationToken);
            await ledger.AddAsync(new LedgerLine { Word = LedgerWord.Acknowledged, Key = key, Goal = goal.Id });
            return (key, goal.Id);
        }
        catch (AstraException e)
        {
            await ledger.AddAsync(new LedgerLine { Word = LedgerWord.Refused, Key = key, Reason = $"{e.Status} {e.Message}" });
            return (key, null);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _places.Dispose();
        _stopping.Dispose();
    }

    /// <summary>For good; what is under way is broken off.</summary>
    public async Task StopAsync()
    {
        _isPaused = true;
        await _stopping.CancelAsync();
        await _running;
        while (UnderWay > 0)
            await Task.Delay(Tick);
    }

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        var due = 0d;
        var (last, deadly) = (Stopwatch.GetTimestamp(), Stopwatch.GetTimestamp());
        try
        {
            while (true)
            {
                await Task.Delay(Tick, cancellationToken);
                var passed = Stopwatch.GetElapsedTime(last);
                last = Stopwatch.GetTimestamp();
                if (IsPaused)
                {
                    due = 0;
                    continue;
                }
                // What could not be sent in time is not made up for: a backlog of the client would hide one of the server.
                for (due = Math.Min(due + passed.TotalSeconds * tasksPerSecond, tasksPerSecond / 4); due > 0;)
                {
                    Shape shape;
                    lock (_dice)
                        shape = Shapes.Draw(_dice, hasPython);
                    if (Stopwatch.GetElapsedTime(deadly) > DeadlyEvery)
                    {
                        deadly = Stopwatch.GetTimestamp();
                        lock (_dice)
                            shape = Shapes.Deadly[_dice.Next(Shapes.Deadly.Count)];
                    }
                    if (!await _places.WaitAsync(0, cancellationToken))
                        break;
                    due -= 3.2; // Tasks of a goal, on average.
                    _ = PlayAsync(shape, cancellationToken);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The run is over.
        }
    }

    /// <summary>A goal, and what is done to it while it runs.</summary>
    private async Task PlayAsync(Shape shape, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _underWay);
        try
        {
            if (await SubmitAsync(shape, cancellationToken) is not (var key, { } goal))
                return;
            if (shape == Shape.Edited)
                await EditAsync(key, goal, cancellationToken);
            else if (shape == Shape.Cancelled)
                await CancelAsync(key, goal, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The run is over, and the ledger says that no answer came.
        }
        catch (Exception e)
        {
            _failure = e;
        }
        finally
        {
            Interlocked.Decrement(ref _underWay);
            _places.Release();
        }
    }
    /// <summary>Puts a step in front of the last one, up to three times.</summary>
    private async Task EditAsync(string key, Guid goal, CancellationToken cancellationToken)
    {
        int count;
        lock (_dice)
            count = 1 + _dice.Next(3);
        for (var edit = 0; edit < count; edit++)
        {
            var added = new PlannedStep($"extra{edit}", ChaosAgent.Work, Fate.Completes, ["gate"]);
            await ledger.AddAsync(new LedgerLine { Word = LedgerWord.EditSent, Key = key, Edit = edit, Steps = [added] });
            var patch = new PlanPatch([added.ToEdit(), new ExtendStep("join", [new StepDependency(added.Name, OnlyCompleted: true)])], "more came up");
            try
            {
                await caller.AskAsync((server, token) => server.AmendPlanAsync(goal, patch, cancellationToken: token), cancellationToken);
                await ledger.AddAsync(new LedgerLine { Word = LedgerWord.EditAcknowledged, Key = key, Edit = edit });
            }
            catch (AstraException e)
            {
                // The last step has started meanwhile, or the goal has ended.
                await ledger.AddAsync(new LedgerLine { Word = LedgerWord.EditRefused, Key = key, Edit = edit, Reason = $"{e.Status} {e.Message}" });
            }
        }
    }

    private async Task CancelAsync(string key, Guid goal, CancellationToken cancellationToken)
    {
        int wait;
        lock (_dice)
            wait = _dice.Next(600);
        await Task.Delay(wait, cancellationToken);
        await ledger.AddAsync(new LedgerLine { Word = LedgerWord.CancelSent, Key = key });
        try
        {
            var view = await caller.AskAsync((server, token) => server.CancelGoalAsync(goal, "no longer needed", token), cancellationToken);
            if (view.State == GoalState.Cancelled)
                await ledger.AddAsync(new LedgerLine { Word = LedgerWord.CancelAcknowledged, Key = key });
        }
        catch (AstraException)
        {
            // It has ended before.
        }
    }
}
