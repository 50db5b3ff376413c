using System.Text.Json;
using System.Text.Json.Serialization;

namespace Astra.Sdk;

/// <summary>
/// The worker protocol: JSON text frames over a WebSocket at /api/v1/workers/connect, `type` first. A worker says
/// hello, is welcomed, is pushed tasks up to its free slots, and reports each one with the attempt it was given. The
/// attempt is the fence: a report from an older one is answered `late` and changes nothing.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(Hello), "hello")]
[JsonDerivedType(typeof(Heartbeat), "heartbeat")]
[JsonDerivedType(typeof(Complete), "complete")]
[JsonDerivedType(typeof(Fail), "fail")]
[JsonDerivedType(typeof(Progress), "progress")]
[JsonDerivedType(typeof(CallTool), "call_tool")]
[JsonDerivedType(typeof(Drain), "drain")]
public abstract record WorkerFrame
{
    public sealed record Hello(string Name, IReadOnlyList<AgentRegistration> Agents, int Slots) : WorkerFrame
    {
        /// <summary>What it has beside its agents, for steps that require it.</summary>
        public IReadOnlyList<string>? Capabilities { get; init; }
    }

    /// <summary>Renews the lease of every task it lists. Kept in memory by the server, never a row.</summary>
    public sealed record Heartbeat(IReadOnlyList<TaskAttempt> Tasks) : WorkerFrame;

    public sealed record Complete(Guid TaskId, int Attempt, JsonElement Output, IReadOnlyList<PlanEdit>? Edits) : WorkerFrame;

    /// <param name="Fingerprint">The same for failures with the same cause; by default the server derives one from the reason.</param>
    public sealed record Fail(Guid TaskId, int Attempt, FailureKind Kind, string Reason, string? Fingerprint = null) : WorkerFrame;

    public sealed record Progress(Guid TaskId, int Attempt, string Text) : WorkerFrame;

    /// <summary>A tool call under the authority of the attempt, run by the server in a sandbox.</summary>
    public sealed record CallTool(Guid CallId, Guid TaskId, int Attempt, string Tool, JsonElement Input) : WorkerFrame
    {
        /// <summary>Paths on the server's machine, inside what the goal was granted.</summary>
        public IReadOnlyList<ToolMount>? Reads { get; init; }

        public double? DeadlineSeconds { get; init; }
    }

    /// <summary>Give me nothing more; I finish what I have.</summary>
    public sealed record Drain : WorkerFrame;
}

public readonly record struct TaskAttempt(Guid TaskId, int Attempt);

[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(Welcome), "welcome")]
[JsonDerivedType(typeof(Assign), "task")]
[JsonDerivedType(typeof(Accepted), "accepted")]
[JsonDerivedType(typeof(Late), "late")]
[JsonDerivedType(typeof(Refused), "refused")]
[JsonDerivedType(typeof(Revoke), "revoke")]
[JsonDerivedType(typeof(ToolAnswer), "tool_answer")]
[JsonDerivedType(typeof(Error), "error")]
public abstract record ServerFrame
{
    public sealed record Welcome(string WorkerId, double HeartbeatSeconds) : ServerFrame;

    public sealed record Assign(TaskAssignment Task) : ServerFrame;

    public sealed record Accepted(Guid TaskId, int Attempt) : ServerFrame;

    /// <summary>Somebody else has the task, or it has ended. Drop what you did.</summary>
    public sealed record Late(Guid TaskId, int Attempt, string Reason) : ServerFrame;

    /// <summary>The report itself was bad (an edit that makes a cycle, an output that is too large). The task is still yours.</summary>
    public sealed record Refused(Guid TaskId, int Attempt, string Reason) : ServerFrame;

    /// <summary>Stop working on it: it was cancelled or its lease was lost.</summary>
    public sealed record Revoke(Guid TaskId, int Attempt, string Reason) : ServerFrame;

    public sealed record ToolAnswer(Guid CallId, JsonElement? Output, ToolReceipt? Receipt, string? Refusal, string? Failure) : ServerFrame;

    /// <summary>The connection is over; `Reason` says why.</summary>
    public sealed record Error(string Reason) : ServerFrame;
}

/// <summary>One attempt at one task, as handed to a worker.</summary>
public sealed record TaskAssignment
{
    public required Guid TaskId { get; init; }
    public required Guid GoalId { get; init; }
    public required int Attempt { get; init; }
    public required string Name { get; init; }
    public required string Executor { get; init; }

    /// <summary>`$plan`, `$reflect`, or the step's own kind.</summary>
    public required string Kind { get; init; }

    public required JsonElement Input { get; init; }
    public required JsonElement GoalInput { get; init; }
    public required IReadOnlyList<StepOutput> Dependencies { get; init; }
    public required double LeaseSeconds { get; init; }
    public required DateTimeOffset Now { get; init; }
}
