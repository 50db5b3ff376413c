using System.Collections.Concurrent;
using System.Text.Json;

namespace Astra.Sdk;

/// <summary>One connection of a worker, from the welcome to the end.</summary>
internal sealed class WorkerSession : IAsyncDisposable
{
    private static readonly TimeSpan WelcomeTimeMax = TimeSpan.FromSeconds(15);

    private readonly FrameSocket<ServerFrame, WorkerFrame> _socket;
    private readonly AgentRunner _runner;
    private readonly AstraClient _client;
    private readonly TaskPool _pool;
    private readonly MessagePool _messages = new();
    private readonly ConcurrentDictionary<TaskAttempt, TaskCompletionSource<ReportAnswer>> _reports = new();
    private readonly ConcurrentDictionary<Guid, TaskCompletionSource<ServerFrame.ToolAnswer>> _calls = new();
    private readonly ConcurrentDictionary<TaskAttempt, TaskCompletionSource<ServerFrame.EffectRefused?>> _effects = new();

    private readonly RemoteGoals _goals;

    private WorkerSession(FrameSocket<ServerFrame, WorkerFrame> socket, string workerId, AgentRunner runner, AstraClient client)
    {
        (_socket, WorkerId, _runner, _client) = (socket, workerId, runner, client);
        _pool = new TaskPool(HeartbeatAsync);
        _goals = new RemoteGoals(socket.TrySend);
    }

    public string WorkerId { get; }

    public static async Task<WorkerSession> BeginAsync(
        FrameSocket<ServerFrame, WorkerFrame> socket, WorkerFrame.Hello hello, AgentRunner runner, AstraClient client, CancellationToken cancellationToken)
    {
        try
        {
            socket.TrySend(hello);
            socket.SendTogether();
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            timeout.CancelAfter(WelcomeTimeMax);
            return await socket.ReceiveAsync(timeout.Token) switch
            {
                ServerFrame.Welcome welcome => new WorkerSession(socket, welcome.WorkerId, runner, client),
                ServerFrame.Error error => throw new AstraException(400, "Refused", error.Reason),
                null => throw new IOException("The server closed the connection before it welcomed the worker."),
                var other => throw new IOException($"The server said {other.GetType().Name} where a welcome belongs."),
            };
        }
        catch (Exception e)
        {
            await socket.DisposeAsync();
            if (e is OperationCanceledException && !cancellationToken.IsCancellationRequested)
                throw new IOException("The server did not welcome the worker in time.", e);
            throw;
        }
    }

    /// <summary>Until the connection ends, or until cancelled and drained.</summary>
    public async Task RunAsync(TimeSpan drainTimeMax, CancellationToken cancellationToken)
    {
        var receiving = ReceiveAsync();
        var stopping = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (cancellationToken.Register(() => stopping.TrySetResult()))
        {
            if (await Task.WhenAny(receiving, stopping.Task) == receiving)
            {
                await receiving;
                throw new IOException("The server closed the connection.");
            }
        }

        // Nothing new is assigned once the server has read the drain; what is on its way until then is worked on too.
        _socket.TrySend(new WorkerFrame.Drain());
        await Task.WhenAny(Task.WhenAll(_pool.WhenEmptyAsync(), _messages.WhenEmptyAsync()), receiving, Task.Delay(drainTimeMax, CancellationToken.None));
        await _socket.CloseAsync();
        await Task.WhenAny(receiving, Task.Delay(TimeSpan.FromSeconds(5), CancellationToken.None));
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Abort();
        _messages.CancelAll();
        await _pool.DisposeAsync();
        await _socket.DisposeAsync();
    }

    private async Task ReceiveAsync()
    {
        try
        {
            while (await _socket.ReceiveAsync(CancellationToken.None) is { } frame)
                Handle(frame);
        }
        catch (BadFrameException e)
        {
            throw new IOException($"The server does not speak this version of the protocol: {e.Message}", e);
        }
        finally
        {
            var gone = new IOException("The connection to the server is gone.");
            foreach (var report in _reports.Values)
                report.TrySetException(gone);
            foreach (var call in _calls.Values)
                call.TrySetException(gone);
            foreach (var effect in _effects.Values)
                effect.TrySetException(gone);
            _goals.Fail(gone);
        }
    }

    private void Handle(ServerFrame frame)
    {
        switch (frame)
        {
            case ServerFrame.Assign assign:
                _pool.Start(ToPooled(assign.Task));
                break;
            case ServerFrame.Revoke revoke:
                _pool.Revoke(new TaskAttempt(revoke.TaskId, revoke.Attempt));
                break;
            case ServerFrame.Accepted accepted:
                Answer(accepted.TaskId, accepted.Attempt, new ReportAnswer.Accepted());
                break;
            case ServerFrame.Late late:
                Answer(late.TaskId, late.Attempt, new ReportAnswer.Late());
                _pool.Revoke(new TaskAttempt(late.TaskId, late.Attempt));
                break;
            case ServerFrame.Refused refused:
                Answer(refused.TaskId, refused.Attempt, new ReportAnswer.Refused(refused.Reason));
                break;
            case ServerFrame.EffectRecorded recorded:
                AnswerEffect(recorded.TaskId, recorded.Attempt, refused: null);
                break;
            case ServerFrame.EffectRefused refused:
                AnswerEffect(refused.TaskId, refused.Attempt, refused);
                break;
            case ServerFrame.ToolAnswer answer:
                if (_calls.TryRemove(answer.CallId, out var call))
                    call.TrySetResult(answer);
                break;
            case ServerFrame.GoalAnswer answer:
                _goals.Answer(answer);
                break;
            case ServerFrame.Message message:
                _messages.Start(message.CallId, cancelled => AnswerAsync(message, cancelled));
                break;
            case ServerFrame.CancelMessage cancel:
                _messages.Cancel(cancel.CallId);
                break;
            case ServerFrame.Error error:
                throw new IOException(error.Reason);
        }
    }

    private async Task AnswerAsync(ServerFrame.Message message, CancellationToken cancelled)
    {
        var turn = new MessageTurn(message.Agent, message.Body ?? AstraJson.ToElement(null), message.State, message.StateVersion) { Models = new ModelClients(_client.ModelsOf(message.Agent)) };
        WorkerFrame answer = await _runner.ReceiveAsync(message.Class, turn, cancelled) switch
        {
            MessageResult.Done done => new WorkerFrame.MessageDone(message.CallId, done.Reply, done.State),
            MessageResult.Refused refused => new WorkerFrame.MessageFailed(message.CallId, refused.Reason, Refused: true),
            MessageResult.Failed failed => new WorkerFrame.MessageFailed(message.CallId, failed.Reason),
            var other => throw new InvalidOperationException($"A message cannot end as {other.GetType().Name}."),
        };
        _socket.TrySend(answer);
    }

    private PooledTask ToPooled(TaskAssignment assignment)
    {
        var attempt = new TaskAttempt(assignment.TaskId, assignment.Attempt);
        return new PooledTask(
            attempt,
            TimeSpan.FromSeconds(assignment.LeaseSeconds),
            revoked => _runner.RunAsync(assignment, new RemoteTools(this, attempt), _client.Artifacts, new RemoteEffects(this, attempt),
                text => _socket.TrySend(new WorkerFrame.Progress(attempt.TaskId, attempt.Attempt, text)), revoked, _goals.Of(attempt), _client.ModelsOf(attempt)),
            (report, revoked) => ReportAsync(attempt, report, revoked));
    }

    private async ValueTask<ReportAnswer> ReportAsync(TaskAttempt attempt, TaskReport report, CancellationToken revoked)
    {
        WorkerFrame frame = report switch
        {
            TaskReport.Completed done => new WorkerFrame.Complete(attempt.TaskId, attempt.Attempt, done.Output, done.Edits.Count == 0 ? null : done.Edits, done.Outcome),
            TaskReport.Suspended waits => new WorkerFrame.Suspend(attempt.TaskId, attempt.Attempt, waits.After, waits.Edits.Count == 0 ? null : waits.Edits),
            TaskReport.Failed failed => new WorkerFrame.Fail(attempt.TaskId, attempt.Attempt, failed.Kind, failed.Reason, failed.Fingerprint),
            _ => throw new ArgumentException("A dropped attempt is not reported.", nameof(report)),
        };
        var answer = _reports.GetOrAdd(attempt, _ => NewAnswer<ReportAnswer>());
        try
        {
            using var giveUp = revoked.UnsafeRegister(static (waiting, token) => ((TaskCompletionSource<ReportAnswer>)waiting!).TrySetCanceled(token), answer);
            return _socket.TrySend(frame) ? await answer.Task : throw new IOException("The connection to the server is gone.");
        }
        finally
        {
            _reports.TryRemove(attempt, out _);
        }
    }

    private void Answer(Guid task, int attempt, ReportAnswer answer)
    {
        if (_reports.TryRemove(new TaskAttempt(task, attempt), out var report))
            report.TrySetResult(answer);
    }

    private void AnswerEffect(Guid task, int attempt, ServerFrame.EffectRefused? refused)
    {
        if (_effects.TryRemove(new TaskAttempt(task, attempt), out var effect))
            effect.TrySetResult(refused);
    }

    /// <summary>The server takes back what is lost by itself, with a revoke.</summary>
    private ValueTask<IReadOnlyList<TaskAttempt>> HeartbeatAsync(IReadOnlyList<TaskAttempt> attempts, CancellationToken cancellationToken)
    {
        _socket.TrySend(new WorkerFrame.Heartbeat(attempts));
        return ValueTask.FromResult<IReadOnlyList<TaskAttempt>>([]);
    }

    private static TaskCompletionSource<T> NewAnswer<T>() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The effect ledger of the server, for one attempt. One frame is under way at a time.</summary>
    private sealed class RemoteEffects(WorkerSession session, TaskAttempt attempt) : IEffectLedger
    {
        public ValueTask IntendAsync(string what, CancellationToken cancellationToken) =>
            SendAsync(new WorkerFrame.EffectIntent(attempt.TaskId, attempt.Attempt, what), cancellationToken);

        public ValueTask SettleAsync(EffectState outcome, JsonElement output, CancellationToken cancellationToken) =>
            SendAsync(new WorkerFrame.EffectOutcome(attempt.TaskId, attempt.Attempt, outcome, output.ValueKind == JsonValueKind.Null ? null : output), cancellationToken);

        private async ValueTask SendAsync(WorkerFrame frame, CancellationToken cancellationToken)
        {
            var answer = NewAnswer<ServerFrame.EffectRefused?>();
            if (!session._effects.TryAdd(attempt, answer))
                throw new InvalidOperationException("A step has one effect, and it is under way already; two effects are two steps.");
            try
            {
                if (!session._socket.TrySend(frame))
                    throw new IOException("The connection to the server is gone.");
                if (await answer.Task.WaitAsync(cancellationToken) is { } refused)
                    throw new EffectRefusedException(refused.Reason, refused.IsPassing);
            }
            finally
            {
                session._effects.TryRemove(attempt, out _);
            }
        }
    }

    /// <summary>The tools of the server, under the authority of one attempt.</summary>
    private sealed class RemoteTools(WorkerSession session, TaskAttempt attempt) : IToolGate
    {
        public async ValueTask<ToolResult> CallAsync(ToolCall call, CancellationToken cancellationToken)
        {
            var id = Guid.NewGuid();
            var answer = NewAnswer<ServerFrame.ToolAnswer>();
            session._calls[id] = answer;
            try
            {
                var frame = new WorkerFrame.CallTool(id, attempt.TaskId, attempt.Attempt, call.Tool, AstraJson.ToElement(call.Input))
                {
                    Reads = call.Reads.Count == 0 ? null : call.Reads,
                    DeadlineSeconds = call.Deadline?.TotalSeconds,
                    IdempotencyKey = call.IdempotencyKey,
                };
                if (!session._socket.TrySend(frame))
                    throw new IOException("The connection to the server is gone.");
                return Read(await answer.Task.WaitAsync(cancellationToken));
            }
            finally
            {
                session._calls.TryRemove(id, out _);
            }
        }

        private static ToolResult Read(ServerFrame.ToolAnswer answer) => answer switch
        {
            { Refusal: { } refusal } => throw new ToolRefusedException(refusal),
            { Failure: { } failure, Receipt: { } receipt } => throw new ToolFailedException(failure, receipt),
            { Output: var output, Receipt: { } receipt } => new ToolResult(output ?? AstraJson.ToElement(null), receipt),
            { Failure: { } failure } => throw new IOException(failure),
            _ => throw new IOException("The server answered a tool call without a receipt."),
        };
    }
}
