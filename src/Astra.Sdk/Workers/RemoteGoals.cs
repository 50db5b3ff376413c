using System.Collections.Concurrent;

namespace Astra.Sdk;

/// <summary>Goals for other agents that the attempts of one connection submit, and the answers that are still to come.</summary>
internal sealed class RemoteGoals(Func<WorkerFrame, bool> trySend)
{
    private readonly ConcurrentDictionary<Guid, TaskCompletionSource<ServerFrame.GoalAnswer>> _calls = new();

    public IChildGoals Of(TaskAttempt attempt) => new OfAttempt(this, attempt);

    public void Answer(ServerFrame.GoalAnswer answer)
    {
        if (_calls.TryRemove(answer.CallId, out var call))
            call.TrySetResult(answer);
    }

    public void Fail(Exception gone)
    {
        foreach (var call in _calls.Values)
            call.TrySetException(gone);
    }

    private async ValueTask<Guid> SubmitAsync(TaskAttempt attempt, string name, AgentGoal goal, CancellationToken cancellationToken)
    {
        var id = Guid.NewGuid();
        var answer = new TaskCompletionSource<ServerFrame.GoalAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
        _calls[id] = answer;
        try
        {
            if (!trySend(new WorkerFrame.SubmitGoal(id, attempt.TaskId, attempt.Attempt, name, goal)))
                throw new IOException("The connection to the server is gone.");
            var said = await answer.Task.WaitAsync(cancellationToken);
            return said.GoalId ?? throw new GoalRefusedException(
                said.Refusal ?? GoalRefusal.Unavailable, said.Reason ?? "The server did not take the goal.", said.RetryAfterSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : null);
        }
        finally
        {
            _calls.TryRemove(id, out _);
        }
    }

    private sealed class OfAttempt(RemoteGoals goals, TaskAttempt attempt) : IChildGoals
    {
        public ValueTask<Guid> SubmitAsync(string name, AgentGoal goal, CancellationToken cancellationToken) =>
            goals.SubmitAsync(attempt, name, goal, cancellationToken);
    }
}
