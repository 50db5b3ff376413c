using System.Text.Json;
using System.Text.Json.Serialization;

namespace Astra.Sdk;

/// <summary>
/// The worker protocol: JSON text frames over a WebSocket at /api/v1/workers/connect, `type` first, one or an array of
/// them in a message. A worker says
/// hello, is welcomed, is pushed tasks up to its free slots, and reports each one with the attempt it was given. The
/// attempt is the fence: a report from an older one is answered `late` and changes nothing.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(Hello), "hello")]
[JsonDerivedType(typeof(Heartbeat), "heartbeat")]
[JsonDerivedType(typeof(Complete), "complete")]
[JsonDerivedType(typeof(Suspend), "suspend")]
[JsonDerivedType(typeof(Fail), "fail")]
[JsonDerivedType(typeof(Progress), "progress")]
[JsonDerivedType(typeof(CallTool), "call_tool")]
[JsonDerivedType(typeof(MessageDone), "message_done")]
[JsonDerivedType(typeof(MessageFailed), "message_failed")]
[JsonDerivedType(typeof(Release), "release")]
[JsonDerivedType(typeof(EffectIntent), "effect_intent")]
[JsonDerivedType(typeof(EffectOutcome), "effect_outcome")]
[JsonDerivedType(typeof(SubmitGoal), "submit_goal")]
[JsonDerivedType(typeof(Credit), "credit")]
[JsonDerivedType(typeof(Drain), "drain")]
public abstract record WorkerFrame
{
    /// <param name="Together">This worker also reads messages that are an array of frames. The server always does.</param>
    /// <param name="Messages">It knows the frame `message`, and its agents may be sent some.</param>
    public sealed record Hello(string Name, IReadOnlyList<AgentRegistration> Agents, int Slots, bool Together = false, bool Messages = false) : WorkerFrame
    {
        /// <summary>What it has beside its agents, for steps that require it.</summary>
        public IReadOnlyList<string>? Capabilities { get; init; }
    }

    /// <summary>Renews the lease of every task it lists. Kept in memory by the server, never a row.</summary>
    public sealed record Heartbeat(IReadOnlyList<TaskAttempt> Tasks) : WorkerFrame;

    /// <param name="Outcome">A word about itself, for steps that ask for it.</param>
    public sealed record Complete(Guid TaskId, int Attempt, JsonElement Output, IReadOnlyList<PlanEdit>? Edits, string? Outcome = null) : WorkerFrame;

    /// <summary>Something has to be done first: the task waits for these, which the edits may add, and is then tried anew.</summary>
    public sealed record Suspend(Guid TaskId, int Attempt, IReadOnlyList<StepDependency> After, IReadOnlyList<PlanEdit>? Edits) : WorkerFrame;

    /// <param name="Fingerprint">The same for failures with the same cause; by default the server derives one from the reason.</param>
    public sealed record Fail(Guid TaskId, int Attempt, FailureKind Kind, string Reason, string? Fingerprint = null) : WorkerFrame;

    public sealed record Progress(Guid TaskId, int Attempt, string Text) : WorkerFrame;

    /// <summary>A tool call under the authority of the attempt, run by the server in a sandbox.</summary>
    public sealed record CallTool(Guid CallId, Guid TaskId, int Attempt, string Tool, JsonElement Input) : WorkerFrame
    {
        /// <summary>Paths on the server's machine, inside what the goal was granted.</summary>
        public IReadOnlyList<ToolMount>? Reads { get; init; }

        public double? DeadlineSeconds { get; init; }

        /// <summary>The key of the effect this call is part of, for a tool that acts on the outside world.</summary>
        public string? IdempotencyKey { get; init; }
    }

    /// <param name="State">The agent's new state, durable before the reply is passed on; absent: as it was.</param>
    public sealed record MessageDone(Guid CallId, JsonElement? Reply, JsonElement? State = null) : WorkerFrame;

    /// <param name="Refused">The message is none that the agent takes. Otherwise the agent failed, and is started anew.</param>
    public sealed record MessageFailed(Guid CallId, string Reason, bool Refused = false) : WorkerFrame;

    /// <summary>Take this task back; I do not finish it. No mark against the task.</summary>
    public sealed record Release(Guid TaskId, int Attempt, string? Reason = null) : WorkerFrame;

    /// <summary>I am about to act on the outside world. Wait for `effect_recorded` before doing it.</summary>
    public sealed record EffectIntent(Guid TaskId, int Attempt, string What) : WorkerFrame;

    /// <summary>I have (sent), or I have not (notSent). A completion says the first by itself.</summary>
    public sealed record EffectOutcome(Guid TaskId, int Attempt, EffectState Outcome, JsonElement? Output = null) : WorkerFrame;

    /// <summary>A goal for another agent, as a child of the task's, under the authority of the attempt. The same name means
    /// the same goal for every attempt at the task.</summary>
    public sealed record SubmitGoal(Guid CallId, Guid TaskId, int Attempt, string Name, AgentGoal Goal) : WorkerFrame;

    /// <summary>From now on I take this many at once, 0 to 1,000; fewer than I have takes none away.</summary>
    public sealed record Credit(int Slots) : WorkerFrame;

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
[JsonDerivedType(typeof(EffectRecorded), "effect_recorded")]
[JsonDerivedType(typeof(EffectRefused), "effect_refused")]
[JsonDerivedType(typeof(ToolAnswer), "tool_answer")]
[JsonDerivedType(typeof(GoalAnswer), "goal_answer")]
[JsonDerivedType(typeof(Message), "message")]
[JsonDerivedType(typeof(CancelMessage), "cancel_message")]
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

    /// <summary>The intent or the outcome is durable.</summary>
    public sealed record EffectRecorded(Guid TaskId, int Attempt) : ServerFrame;

    /// <summary>It is not: do not act. A `late` attempt is over.</summary>
    /// <param name="IsPassing">Not for what was said, but because nobody could write it down right now: the step may be tried again.</param>
    public sealed record EffectRefused(Guid TaskId, int Attempt, string Reason, bool IsPassing = false) : ServerFrame;

    public sealed record ToolAnswer(Guid CallId, JsonElement? Output, ToolReceipt? Receipt, string? Refusal, string? Failure) : ServerFrame;

    /// <param name="GoalId">The goal, when it was taken, now or before. Otherwise there is a refusal with a reason.</param>
    public sealed record GoalAnswer(Guid CallId, Guid? GoalId, GoalRefusal? Refusal = null, string? Reason = null, double? RetryAfterSeconds = null) : ServerFrame;

    /// <summary>One message for one agent. Another for the same agent comes only when this one has been answered or cancelled.</summary>
    /// <param name="Body">What was sent.</param>
    /// <param name="State">As last committed; absent before the first change.</param>
    public sealed record Message(Guid CallId, string Agent, string Class, JsonElement? Body, JsonElement? State, long StateVersion, double DeadlineSeconds) : ServerFrame;

    /// <summary>Nobody waits for the answer any more; it would be ignored.</summary>
    public sealed record CancelMessage(Guid CallId, string Reason) : ServerFrame;

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

    /// <summary>The goal's agent, of the class that the executor names; absent when the goal has none.</summary>
    public string? Agent { get; init; }

    /// <summary>`$plan`, `$reflect`, or the step's own kind.</summary>
    public required string Kind { get; init; }

    public required JsonElement Input { get; init; }
    public required JsonElement GoalInput { get; init; }
    public required IReadOnlyList<StepOutput> Dependencies { get; init; }
    public required double LeaseSeconds { get; init; }
    public required DateTimeOffset Now { get; init; }

    /// <summary>The key for an effect on the outside world, and what is known of one that was made before.</summary>
    public AssignedEffect? Effect { get; init; }
}
