using Astra.Kernel;
using Astra.Sdk;

namespace Astra.Agents.Replaying;

/// <summary>Keeps what tools answered the steps of agents.</summary>
public interface IToolRecords
{
    /// <summary>Returns at once; it is written behind.</summary>
    void Add(TenantId tenant, GoalId goal, TaskId task, ToolCall call, ToolResult result);
}

/// <summary>What was recorded of goals.</summary>
public interface IGoalTapes
{
    /// <summary>From here until the tape is disposed, what the goal's tasks ask models for is answered from it. Null while somebody else replays the goal.</summary>
    ValueTask<IGoalTape?> OpenAsync(TenantId tenant, GoalId goal, CancellationToken cancellationToken);

    /// <summary>The end of a sentence when a goal that ended then is one whose recordings are not kept any more; otherwise null.</summary>
    string? WhyForgotten(DateTimeOffset endedAt);
}

public interface IGoalTape : IDisposable
{
    /// <summary>Null when the call was not recorded; then it is among <see cref="Missing"/>.</summary>
    ToolResult? Take(TaskId task, ToolCall call);

    /// <summary>What was asked for and is not there, a sentence for each.</summary>
    IReadOnlyList<string> Missing { get; }
}

/// <summary>Passes calls on and keeps what came back. Failures are not kept: a step that failed was tried again, or has no result.</summary>
internal sealed class RecordingGate(IToolGate tools, IToolRecords records, TenantId tenant, GoalId goal, TaskId task) : IToolGate
{
    public async ValueTask<ToolResult> CallAsync(ToolCall call, CancellationToken cancellationToken)
    {
        var result = await tools.CallAsync(call, cancellationToken);
        records.Add(tenant, goal, task, call, result);
        return result;
    }
}

/// <summary>Answers calls of tools from a tape, and runs none.</summary>
internal sealed class ReplayedGate(IGoalTape tape, TaskId task) : IToolGate
{
    public ValueTask<ToolResult> CallAsync(ToolCall call, CancellationToken cancellationToken) =>
        tape.Take(task, call) is { } result
            ? ValueTask.FromResult(result)
            : throw new ToolRefusedException($"Task {task.Value} calls the tool {call.Tool} with an input that it has no recording of, and a replay runs no tools.");
}

/// <summary>Effects that were made before are known by the assignment; a replay makes none.</summary>
internal sealed class NoEffects : IEffectLedger
{
    public ValueTask IntendAsync(string what, CancellationToken cancellationToken) =>
        throw new EffectRefusedException("A replay does not act on the outside world, and no outcome of this effect is known.");

    public ValueTask SettleAsync(EffectState outcome, System.Text.Json.JsonElement output, CancellationToken cancellationToken) => ValueTask.CompletedTask;
}

/// <summary>Artifacts as they are, and what a replay writes beside them in memory: it changes nothing.</summary>
internal sealed class ReplayedArtifacts(FileArtifacts files, TenantId tenant) : IArtifactStore
{
    private readonly IArtifactStore _kept = files.For(tenant);
    private readonly Dictionary<(string, string), ReadOnlyMemory<byte>> _written = [];

    public ValueTask<string> SaveAsync(Guid goal, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        _written[(goal.ToString(), name)] = content.ToArray();
        return ValueTask.FromResult(files.PathOf(goal, name));
    }

    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(Guid goal, string name, CancellationToken cancellationToken) =>
        _written.TryGetValue((goal.ToString(), name), out var content) ? content : await _kept.ReadAsync(goal, name, cancellationToken);

    public ValueTask SaveNoteAsync(string collection, string key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        _written[($"note:{collection}", key)] = content.ToArray();
        return ValueTask.CompletedTask;
    }

    public async ValueTask<ReadOnlyMemory<byte>?> ReadNoteAsync(string collection, string key, CancellationToken cancellationToken) =>
        _written.TryGetValue(($"note:{collection}", key), out var content) ? content : await _kept.ReadNoteAsync(collection, key, cancellationToken);
}
