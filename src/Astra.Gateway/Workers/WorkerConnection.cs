using System.Collections.Concurrent;
using Astra.Agents;
using Astra.Kernel;
using Astra.Kernel.Workers;
using Astra.Sdk;

namespace Astra.Gateway;

/// <summary>
/// One remote worker from its hello to the end. To the kernel it is a worker like any other; when the connection goes,
/// what it held is issued anew. A frame that breaks the protocol ends the connection with one sentence.
/// </summary>
internal sealed class WorkerConnection(FrameSocket<WorkerFrame, ServerFrame> socket, GatewayParts parts, Principal principal, TimeSpan keyCheckPeriod)
    : IMessageWorker, IAsyncDisposable
{
    private const int SlotsMax = 1_000;
    private const int AgentsMax = 200;
    private const int NameLengthMax = 100;
    private const double HeartbeatSeconds = 10;

    // A worker reports and calls at most a few times per slot at once. One that sends more waits for its own frames.
    private const int FramesAtOncePerSlot = 4;

    private static readonly TimeSpan HelloTimeMax = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<TaskAttempt, HeldTask> _held = new();
    private readonly MessageFrames _messages = new(socket);

    // The kernel may assign before Connect has returned the link.
    private readonly TaskCompletionSource<WorkerLink> _link = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<string?> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _ending = new();

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await using var ended = cancellationToken.Register(() => _end.TrySetResult("The server is stopping."));
        var watching = WatchKeyAsync();
        var serving = ServeAsync();
        // A receive is never cancelled: that would cut the connection before it could be told why.
        var goodbye = await Task.WhenAny(serving, _end.Task) == _end.Task ? await _end.Task : await serving;
        if (goodbye is not null)
            socket.TrySend(new ServerFrame.Error(goodbye));
        await socket.CloseAsync(goodbye);
        await _ending.CancelAsync();
        await watching;
        if (serving.IsCompleted)
            await socket.WaitForCloseAsync();
        else
            await Task.WhenAny(serving, Task.Delay(FrameSocket<WorkerFrame, ServerFrame>.CloseTimeMax, CancellationToken.None));
        socket.Abort();
        await serving;
    }

    /// <returns>Why the worker is sent away; null when it left by itself.</returns>
    private async Task<string?> ServeAsync()
    {
        try
        {
            var hello = await ReceiveHelloAsync();
            var link = parts.Node.Connect(
                new WorkerOffer(hello.Name, principal.Tenant, [.. hello.Agents.Select(agent => AgentRunner.ExecutorOf(agent.Name))], hello.Slots, TakesMessages: hello.Messages) { Capabilities = [.. hello.Capabilities ?? []] }, this);
            if (hello.Together)
                socket.SendTogether();
            socket.TrySend(new ServerFrame.Welcome(link.Id.ToString(), HeartbeatSeconds));
            _link.SetResult(link);
            await ReceiveAsync(link, hello.Slots);
            return null;
        }
        catch (BadFrameException e)
        {
            return e.Message;
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The worker is gone; the kernel re-issues what it held when the link is disposed.
            return null;
        }
        catch (Exception e)
        {
            parts.OnError($"worker of {principal.Key.Name}", e);
            return "The server made a mistake; its log says more.";
        }
    }

    public void Assign(Assignment assignment)
    {
        var attempt = new TaskAttempt(assignment.Task.Value, assignment.Attempt);
        _held[attempt] = new HeldTask(assignment);
        if (_link.Task.IsCompletedSuccessfully)
            Send(assignment);
        else
            _ = SendWhenWelcomeAsync(assignment);
    }

    public void Revoke(TaskId task, int attempt, string reason)
    {
        Drop(new TaskAttempt(task.Value, attempt));
        socket.TrySend(new ServerFrame.Revoke(task.Value, attempt, reason));
    }

    private async Task SendWhenWelcomeAsync(Assignment assignment)
    {
        await _link.Task;
        Send(assignment);
    }

    // Parsing payloads is not for a turn of the kernel: whoever sends does that.
    private void Send(Assignment assignment)
    {
        if (!socket.TrySend(() => new ServerFrame.Assign(WorkMapping.ToWire(assignment))))
            socket.Abort();
    }

    public void Deliver(MessageCall call) => _messages.Deliver(call, _link.Task);

    public void Cancel(MessageCall call, string reason) => _messages.Cancel(call, reason);

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        if (_link.Task.IsCompletedSuccessfully)
            await (await _link.Task).DisposeAsync();
        foreach (var attempt in _held.Keys)
            Drop(attempt);
        await socket.DisposeAsync();
        _ending.Dispose();
    }

    private async ValueTask<WorkerFrame.Hello> ReceiveHelloAsync()
    {
        var receiving = socket.ReceiveAsync(CancellationToken.None).AsTask();
        if (await Task.WhenAny(receiving, Task.Delay(HelloTimeMax, _ending.Token)) != receiving)
            throw new BadFrameException($"A worker says hello within {HelloTimeMax.TotalSeconds} seconds.");
        var first = await receiving;
        if (first is null)
            throw new IOException("The worker left without a word.");
        if (first is not WorkerFrame.Hello hello)
            throw new BadFrameException("The first frame is hello.");
        if (hello.Name.Length is 0 or > NameLengthMax || !Words.IsPlain(hello.Name))
            throw new BadFrameException($"A worker's name is one line of 1 to {NameLengthMax} characters.");
        if (hello.Slots is < 1 or > SlotsMax)
            throw new BadFrameException($"A worker has 1 to {SlotsMax} slots, not {hello.Slots}.");
        if (hello.Agents.Count is 0 or > AgentsMax)
            throw new BadFrameException($"A worker offers 1 to {AgentsMax} agents, not {hello.Agents.Count}.");
        if (hello.Capabilities is { } capabilities && Kernel.Tasks.Capabilities.Refuse(capabilities) is { } bad)
            throw new BadFrameException($"These are no capabilities: {bad}");
        foreach (var agent in hello.Agents)
            if (agent is null || AgentEndpoints.Refuse(agent) is not null)
                throw new BadFrameException(agent is null ? "An agent has a name and a description." : AgentEndpoints.Refuse(agent)!);
        foreach (var agent in hello.Agents)
            await parts.Agents.RegisterAsync(principal.Tenant, new AgentDefinition(agent.Name, Class: null, agent.Description), _ending.Token);
        return hello;
    }

    private async Task ReceiveAsync(WorkerLink link, int slots)
    {
        // Reports wait for their commit side by side, so that one commit takes many of them.
        using var inHand = new SemaphoreSlim(slots * FramesAtOncePerSlot);
        var failed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            while (await socket.ReceiveAsync(CancellationToken.None) is { } frame)
            {
                // Sent away already: what still comes in is read only so that the goodbye arrives.
                if (_end.Task.IsCompleted)
                    continue;
                link.Heard();
                switch (frame)
                {
                    case WorkerFrame.Drain:
                        link.Drain();
                        continue;
                    case WorkerFrame.Credit credit:
                        link.Offer(credit.Slots is >= 0 and <= SlotsMax ? credit.Slots : throw new BadFrameException($"A worker takes 0 to {SlotsMax} tasks at once, not {credit.Slots}."));
                        continue;
                    case WorkerFrame.Hello:
                        throw new BadFrameException("A worker says hello once.");
                    case WorkerFrame.Progress progress:
                        Publish(progress);
                        continue;
                }
                if (_messages.Take(frame))
                    continue;
                await inHand.WaitAsync(_ending.Token);
                // A report only queues a message before it waits for the commit; a tool call may work before it waits.
                _ = frame is WorkerFrame.CallTool ? Task.Run(() => HandleInHandAsync(frame)) : HandleInHandAsync(frame);
            }
        }
        catch (IOException) when (failed.Task.IsFaulted)
        {
            // We cut the connection ourselves, and this says why.
            await failed.Task;
        }
        finally
        {
            // The semaphore must outlive what runs under it.
            for (var i = 0; i < slots * FramesAtOncePerSlot; i++)
                await inHand.WaitAsync(CancellationToken.None);
        }

        async Task HandleInHandAsync(WorkerFrame frame)
        {
            try
            {
                await HandleAsync(link, frame);
            }
            catch (Exception e)
            {
                failed.TrySetException(e);
                socket.Abort();
            }
            finally
            {
                inHand.Release();
            }
        }
    }

    private async Task HandleAsync(WorkerLink link, WorkerFrame frame)
    {
        switch (frame)
        {
            case WorkerFrame.Heartbeat heartbeat:
                await BeatAsync(link, heartbeat);
                break;
            case WorkerFrame.Complete complete:
                await ReportAsync(link, new TaskAttempt(complete.TaskId, complete.Attempt), new TaskReport.Completed(complete.Output, complete.Edits ?? [], Words.Clean(complete.Outcome)));
                break;
            case WorkerFrame.Suspend suspend:
                await ReportAsync(link, new TaskAttempt(suspend.TaskId, suspend.Attempt), new TaskReport.Suspended(suspend.After, suspend.Edits ?? []));
                break;
            case WorkerFrame.Fail fail:
                await ReportAsync(link, new TaskAttempt(fail.TaskId, fail.Attempt), new TaskReport.Failed(fail.Kind, Words.Clean(fail.Reason)!, Words.Clean(fail.Fingerprint) ?? ""));
                break;
            case WorkerFrame.CallTool call:
                await CallToolAsync(call);
                break;
            case WorkerFrame.SubmitGoal submit:
                socket.TrySend(_held.TryGetValue(new TaskAttempt(submit.TaskId, submit.Attempt), out var own)
                    ? await GoalFrames.SubmitAsync(parts.Node, link, own.Assignment, submit)
                    : GoalFrames.NotHeld(submit));
                break;
            case WorkerFrame.Release release:
                await ReleaseAsync(link, release);
                break;
            case WorkerFrame.EffectIntent intent:
                await RecordEffectAsync(new TaskAttempt(intent.TaskId, intent.Attempt), attempt => link.IntendAsync(attempt, Words.Clean(intent.What)!));
                break;
            case WorkerFrame.EffectOutcome outcome:
                await RecordEffectAsync(
                    new TaskAttempt(outcome.TaskId, outcome.Attempt),
                    attempt => link.SettleAsync(attempt, WorkMapping.ToKernel(outcome.Outcome), WorkMapping.ToBytes(outcome.Output)));
                break;
        }
    }

    private async Task BeatAsync(WorkerLink link, WorkerFrame.Heartbeat heartbeat)
    {
        var lost = await link.HeartbeatAsync([.. heartbeat.Tasks.Select(task => new AttemptId(new TaskId(task.TaskId), task.Attempt))]);
        foreach (var attempt in lost)
            Revoke(attempt.Task, attempt.Attempt, "Its lease was lost.");
    }

    private async Task ReportAsync(WorkerLink link, TaskAttempt attempt, TaskReport report)
    {
        if (!_held.TryGetValue(attempt, out var held))
        {
            socket.TrySend(new ServerFrame.Late(attempt.TaskId, attempt.Attempt, "This connection does not hold that attempt."));
            return;
        }
        var answer = await WorkReports.SendAsync(link, held.Assignment, report);
        if (answer.Refusal is { Kind: RefusalKind.Invalid or RefusalKind.Conflict } bad)
        {
            socket.TrySend(new ServerFrame.Refused(attempt.TaskId, attempt.Attempt, bad.Reason));
            return;
        }

        // Any other refusal ends the attempt here. The link has waited for a shard that was on its way; one that is
        // still not back has another owner, which issues the task anew.
        Drop(attempt);
        socket.TrySend(answer.Refusal is { } late
            ? new ServerFrame.Late(attempt.TaskId, attempt.Attempt, late.Reason)
            : new ServerFrame.Accepted(attempt.TaskId, attempt.Attempt));
    }

    private async Task ReleaseAsync(WorkerLink link, WorkerFrame.Release release)
    {
        var attempt = new TaskAttempt(release.TaskId, release.Attempt);
        var reason = Words.Clean(release.Reason) is { Length: > 0 } said ? said : "its worker gave it back";
        var answer = _held.ContainsKey(attempt)
            ? await link.ReleaseAsync(new AttemptId(new TaskId(attempt.TaskId), attempt.Attempt), reason)
            : new Refusal(RefusalKind.Late, "This connection does not hold that attempt.");
        Drop(attempt);
        socket.TrySend(answer.Refusal is { } late
            ? new ServerFrame.Late(attempt.TaskId, attempt.Attempt, late.Reason)
            : new ServerFrame.Accepted(attempt.TaskId, attempt.Attempt));
    }

    private async Task RecordEffectAsync(TaskAttempt attempt, Func<AttemptId, ValueTask<Answer<Kernel.Tasks.TaskState>>> record)
    {
        var answer = _held.ContainsKey(attempt)
            ? await record(new AttemptId(new TaskId(attempt.TaskId), attempt.Attempt))
            : new Refusal(RefusalKind.Late, "This connection does not hold that attempt.");
        socket.TrySend(answer.Refusal is { } refusal
            ? new ServerFrame.EffectRefused(attempt.TaskId, attempt.Attempt, refusal.Reason)
            : new ServerFrame.EffectRecorded(attempt.TaskId, attempt.Attempt));
    }

    private async Task CallToolAsync(WorkerFrame.CallTool call)
    {
        var attempt = new TaskAttempt(call.TaskId, call.Attempt);
        if (!_held.TryGetValue(attempt, out var held))
        {
            socket.TrySend(new ServerFrame.ToolAnswer(call.CallId, null, null, "This connection does not hold that attempt, so it has no authority to call tools.", null));
            return;
        }
        socket.TrySend(await RunToolAsync(call, held));
    }

    private async Task<ServerFrame.ToolAnswer> RunToolAsync(WorkerFrame.CallTool call, HeldTask held)
    {
        var task = held.Assignment;
        var gate = parts.Tools.For(new Tools.Catalog.ToolSubject(task.Tenant, task.Agent, task.Goal, task.GoalInput));
        var ending = held.Ending;
        try
        {
            var result = await gate.CallAsync(
                new ToolCall(call.Tool, call.Input)
                {
                    Reads = call.Reads ?? [],
                    IdempotencyKey = call.IdempotencyKey,
                    Deadline = call.DeadlineSeconds is > 0 and < 1e6 and var seconds ? TimeSpan.FromSeconds(seconds) : null,
                }, ending);
            return new ServerFrame.ToolAnswer(call.CallId, result.Output, result.Receipt, null, null);
        }
        catch (ToolRefusedException e)
        {
            return new ServerFrame.ToolAnswer(call.CallId, null, null, e.Message, null);
        }
        catch (ToolFailedException e)
        {
            return new ServerFrame.ToolAnswer(call.CallId, null, e.Receipt, null, e.Message);
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            return new ServerFrame.ToolAnswer(call.CallId, null, null, "The attempt was taken away while the tool ran.", null);
        }
        catch (Exception e)
        {
            parts.OnError($"tool {call.Tool}", e);
            return new ServerFrame.ToolAnswer(call.CallId, null, null, null, $"The tool could not be run: {FailureCause.Sentence(e)}");
        }
    }

    private void Publish(WorkerFrame.Progress progress)
    {
        if (_held.TryGetValue(new TaskAttempt(progress.TaskId, progress.Attempt), out var held))
            parts.Progress.Publish(principal.Tenant, new ProgressLine(
                held.Assignment.Goal, held.Assignment.Task, held.Assignment.Spec.Name, progress.Attempt, TimeProvider.System.GetUtcNow(), Words.Clean(progress.Text)!));
    }

    /// <summary>A connection outlives the request that opened it, so the key is looked at again from time to time.</summary>
    private async Task WatchKeyAsync()
    {
        try
        {
            using var timer = new PeriodicTimer(keyCheckPeriod);
            while (await timer.WaitForNextTickAsync(_ending.Token))
                if (await parts.Keys.FindAsync(principal.KeyHash, _ending.Token) is not { RevokedAt: null })
                    _end.TrySetResult("The API key was revoked.");
        }
        catch (OperationCanceledException)
        {
            // The connection ends.
        }
        catch (Exception e)
        {
            parts.OnError("looking a worker's key up", e);
            _end.TrySetResult("The API key could not be looked up.");
        }
    }

    private void Drop(TaskAttempt attempt)
    {
        if (_held.TryRemove(attempt, out var held))
            held.End();
    }

    /// <summary>An attempt of this connection, and what runs under its authority.</summary>
    private sealed class HeldTask(Assignment assignment)
    {
        private readonly Lock _gate = new();
        private Action? _end;
        private CancellationToken _ending;
        private bool _hasEnded;

        public Assignment Assignment => assignment;

        /// <summary>Made when it is first asked for: most attempts call no tool.</summary>
        public CancellationToken Ending
        {
            get
            {
                lock (_gate)
                {
                    if (_hasEnded)
                        return new CancellationToken(canceled: true);
                    if (_end is null)
                    {
                        // Never disposed: it has no timer and no handle, and calls may still look at it when the attempt has ended.
                        var ending = new CancellationTokenSource();
                        // Revocations come from a turn of the kernel, and what a cancelled call does is not for that thread.
                        (_end, _ending) = (() => _ = ending.CancelAsync(), ending.Token);
                    }
                    return _ending;
                }
            }
        }

        public void End()
        {
            lock (_gate)
            {
                _hasEnded = true;
                _end?.Invoke();
            }
        }
    }
}
