using Astra.Kernel;
using Astra.Kernel.Workers;
using Astra.Sdk;

namespace Astra.Agents.Replaying;

/// <summary>Keeps what tools answered the steps of agents.</summary>
public interface IToolRecords
{
    /// <summary>Returns at once; it is written behind.</summary>
    void Add(Assignment of, ToolCall call, ToolResult result);

    /// <inheritdoc cref="Add"/>
    void AddFailure(Assignment of, ToolCall call, RecordedFailure failure);
}

/// <summary>A call that gave nothing, and the words that whoever called was told.</summary>
public sealed record RecordedFailure
{
    public required string Failure { get; init; }
    public required string Tool { get; init; }

    /// <summary>It never ran.</summary>
    public bool IsRefusal { get; init; }

    public int? ExitCode { get; init; }

    public static RecordedFailure Of(ToolCall call, Exception failure) => new()
    {
        Failure = failure.Message, Tool = call.Tool, IsRefusal = failure is ToolRefusedException, ExitCode = (failure as ToolFailedException)?.Receipt.ExitCode,
    };

    public Exception ToException() => IsRefusal
        ? new ToolRefusedException(Failure)
        : new ToolFailedException(Failure, new ToolReceipt { Tool = Tool, SandboxTier = "none", ExitCode = ExitCode, LimitsHit = [], NotEnforced = [], DurationMs = 0 });
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
    /// <summary>Null when the call was not recorded; then it is among <see cref="Missing"/>. One that failed then fails again.</summary>
    ToolResult? Take(TaskId task, ToolCall call);

    /// <summary>What was asked for and is not there, a sentence for each.</summary>
    IReadOnlyList<string> Missing { get; }
}

/// <summary>Passes calls on and keeps what came back.</summary>
/// <param name="keepsFailures">Of a loop, which is told of them and goes on. Code fails along with its call: it was tried again, or has no result.</param>
internal sealed class RecordingGate(IToolGate tools, IToolRecords records, Assignment of, bool keepsFailures) : IToolGate
{
    public async ValueTask<ToolResult> CallAsync(ToolCall call, CancellationToken cancellationToken)
    {
        try
        {
            var result = await tools.CallAsync(call, cancellationToken);
            records.Add(of, call, result);
            return result;
        }
        catch (Exception e) when (keepsFailures && e is (ToolRefusedException or ToolFailedException))
        {
            records.AddFailure(of, call, RecordedFailure.Of(call, e));
            throw;
        }
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
