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
    private const double HeartbeatSeconds = 10;

    // A worker reports and calls at most a few times per slot at once. One that sends more waits for its own frames.
    private const int FramesAtOncePerSlot = 4;

    private static readonly TimeSpan HelloTimeMax = TimeSpan.FromSeconds(10);

    private readonly HeldTasks _held = new();

    // Of what the last heartbeat listed. Only the receiver looks at it.
    private HashSet<TaskAttempt> _unheldBefore = [];
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
            parts.OnError($"the connection of a worker with the key {principal.Key.Id}", e, new LogIds { Tenant = principal.Tenant.Value });
            return "The server made a mistake; its log says more.";
        }
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
        if (WorkerHello.Refuse(hello) is { } bad)
            throw new BadFrameException(bad);
        foreach (var agent in hello.Agents)
            await parts.Agents.RegisterAsync(principal.Tenant, new AgentDefinition(agent.Name, Class: null, agent.Description), _ending.Token);
        return hello;
    }

    private async Task ReceiveAsync(WorkerLink link, int slots)
    {
        var attempts = new AttemptFrames(socket, parts, link, _held);
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
                        link.Offer(credit.Slots is >= 0 and <= WorkerHello.SlotsMax ? credit.Slots : throw new BadFrameException($"A worker takes 0 to {WorkerHello.SlotsMax} tasks at once, not {credit.Slots}."));
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
                await (frame is WorkerFrame.Heartbeat heartbeat ? BeatAsync(link, heartbeat) : attempts.AnswerAsync(frame));
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

    /// <summary>A list of attempts is as old as its way here is long. Those whose end is in hand or has been answered are in it too,
    /// and nothing is revoked of them: a worker answers each revocation with the next list.</summary>
    private async Task BeatAsync(WorkerLink link, WorkerFrame.Heartbeat heartbeat)
    {
        var listed = heartbeat.Tasks.Select(task => new TaskAttempt(task.TaskId, task.Attempt)).ToList();
        var unheld = listed.Where(attempt => _held.Find(attempt) is null).ToHashSet();
        // By the next list the answer has been read, as a rule; to revoke what has ended does no harm, once.
        foreach (var attempt in unheld.Where(_unheldBefore.Contains))
            Revoke(new TaskId(attempt.TaskId), attempt.Attempt, HeldTasks.NotHeld);
        _unheldBefore = unheld;

        var lost = await link.HeartbeatAsync([.. listed.Where(attempt => !unheld.Contains(attempt)).Select(attempt => new AttemptId(new TaskId(attempt.TaskId), attempt.Attempt))]);
        foreach (var attempt in lost)
            if (_held.Find(attempt.Task.Value, attempt.Attempt) is { IsReported: false })
                Revoke(attempt.Task, attempt.Attempt, "Its lease was lost.");
    }

    private void Publish(WorkerFrame.Progress progress)
    {
        if (_held.Find(progress.TaskId, progress.Attempt) is { } held)
            parts.Progress.Publish(principal.Tenant, new ProgressLine(
                held.Assignment.Goal, held.Assignment.Task, held.Assignment.Spec.Name, progress.Attempt, TimeProvider.System.GetUtcNow(), Words.Clean(progress.Text)!));
    }

    public void Assign(Assignment assignment)
    {
        _held.Add(assignment);
        if (_link.Task.IsCompletedSuccessfully)
            Send(assignment);
        else
            _ = SendWhenWelcomeAsync(assignment);
    }

    public void Revoke(TaskId task, int attempt, string reason)
    {
        _held.Drop(new TaskAttempt(task.Value, attempt));
        socket.TrySend(new ServerFrame.Revoke(task.Value, attempt, reason));
    }

    public void Deliver(MessageCall call) => _messages.Deliver(call, _link.Task);

    public void Cancel(MessageCall call, string reason) => _messages.Cancel(call, reason);

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
            parts.OnError("looking a worker's key up", e, new LogIds { Tenant = principal.Tenant.Value });
            _end.TrySetResult("The API key could not be looked up.");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        if (_link.Task.IsCompletedSuccessfully)
            await (await _link.Task).DisposeAsync();
        _held.DropAll();
        await socket.DisposeAsync();
        _ending.Dispose();
    }
}
