using System.Text.Json;
using System.Text.Json.Serialization;

namespace Astra.Sdk;

/// <summary>POST /api/v1/goals. With an Idempotency-Key header the same submission twice is one goal.</summary>
public sealed record GoalSubmission
{
    /// <summary>Who plans and executes. A goal with its own <see cref="Plan"/> of tool steps needs none.</summary>
    public string? Agent { get; init; }

    public string? Title { get; init; }

    public JsonElement? Input { get; init; }

    /// <summary>The steps, when the submitter has planned them already.</summary>
    public IReadOnlyList<PlanEdit>? Plan { get; init; }

    /// <summary>-100 to 100; higher runs earlier among the same agent's goals.</summary>
    public int Priority { get; init; }

    public DeadTaskPolicy OnDeadTask { get; init; } = DeadTaskPolicy.Doom;

    /// <summary>How many failed attempts of all its steps together are tried again; any number when left out. A replay by a
    /// person gives all of them back.</summary>
    public int? RetriesMax { get; init; }

    /// <summary>Goals that have to end before this one begins. It is taken at once and waits.</summary>
    public IReadOnlyList<GoalAfter>? After { get; init; }

    /// <summary>What becomes of it when one of those does not complete and should have: cancelled, with the reason, unless it
    /// says that it goes on.</summary>
    public CascadePolicy? OnFailedGoal { get; init; }

    /// <summary>The goal this is a child of; it has not ended.</summary>
    public Guid? Parent { get; init; }

    /// <summary>What becomes of it when its parent is cancelled: cancelled too, unless it says that it goes on.</summary>
    public CascadePolicy? OnCancelledParent { get; init; }
}

/// <summary>What becomes of the steps that waited for a step that died: cancelled at once, kept for a replay, or left out
/// as if they had never been, so that the goal completes with the rest.</summary>
public enum DeadTaskPolicy { Doom, Wait, Skip }

public enum GoalState { Active, Completed, Failed, Cancelled }

public enum TaskState { Pending, Ready, Running, Completed, Cancelled, Dead }

public sealed record GoalView
{
    public required Guid Id { get; init; }
    public string? Agent { get; init; }
    public required string Title { get; init; }
    public required GoalState State { get; init; }
    public required int Priority { get; init; }

    /// <summary>The version of the plan; the ETag of `/plan` and what If-Match compares.</summary>
    public required long Revision { get; init; }

    /// <summary>The sequence number of the goal's latest event.</summary>
    public required long LastSeq { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? EndedAt { get; init; }
    public required TaskCounts Tasks { get; init; }
    public JsonElement? Input { get; init; }
    public JsonElement? Result { get; init; }

    /// <summary>The goals it comes after, and how they ended.</summary>
    public IReadOnlyList<GoalAfterView>? After { get; init; }

    /// <summary>The goal it is a child of.</summary>
    public Guid? Parent { get; init; }

    /// <summary>The goals whose parent it is, the newest first. Left out by the API, which has them at `/children`;
    /// `goal show` puts the two together.</summary>
    public Page<ChildGoal>? Children { get; init; }

    /// <summary>Why it failed or was cancelled, in one sentence.</summary>
    public string? Reason { get; init; }

    /// <summary>Nothing of it is handed out while this is here.</summary>
    public PauseView? Paused { get; init; }
}

public sealed record TaskCounts(int Pending, int Ready, int Running, int Completed, int Cancelled, int Dead)
{
    [JsonIgnore]
    public int Total => Pending + Ready + Running + Completed + Cancelled + Dead;
}

public sealed record TaskView
{
    public required Guid Id { get; init; }
    public required Guid GoalId { get; init; }
    public required string Name { get; init; }

    /// <summary>`agent:NAME` or `tool:NAME[@VERSION]`.</summary>
    public required string Executor { get; init; }

    public required string Kind { get; init; }
    public required TaskState State { get; init; }
    public required int Priority { get; init; }
    public required int Attempt { get; init; }
    public required int AttemptCountMax { get; init; }
    public required IReadOnlyList<StepDependency> After { get; init; }
    public string? Worker { get; init; }
    public DateTimeOffset? DueAt { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? StartedAt { get; init; }
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Left out of lists.</summary>
    public JsonElement? Input { get; init; }

    /// <summary>Left out of lists.</summary>
    public JsonElement? Output { get; init; }

    public TaskFailure? Failure { get; init; }

    /// <summary>It is not handed out before this.</summary>
    public DateTimeOffset? NotBefore { get; init; }

    /// <summary>What has not ended by then becomes a dead letter.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>The tenant's queue it stands in, for the limits set on that.</summary>
    public string? Queue { get; init; }

    /// <summary>Capabilities a worker must have, such as `gpu` or `os:linux`.</summary>
    public IReadOnlyList<string>? Requires { get; init; }

    /// <summary>What the effect ledger knows, for a step that acted on the outside world.</summary>
    public EffectView? Effect { get; init; }

    /// <summary>Who has to agree to it, and has, for a step that asks people.</summary>
    public ApprovalView? Approval { get; init; }

    /// <summary>What the step said of itself when it completed.</summary>
    public string? Outcome { get; init; }

    /// <summary>The group it was attached with, or the fan-out it is a part of.</summary>
    public string? Group { get; init; }

    /// <summary>Why it was cancelled.</summary>
    public string? Reason { get; init; }

    /// <summary>It was cancelled because another way was taken, which is no failure.</summary>
    public bool Skipped { get; init; }
}

/// <summary>Poison and unknownEffect are the server's own conclusions; a worker says transient or permanent.</summary>
public enum FailureKind { Transient, Permanent, Poison, UnknownEffect }

public sealed record TaskFailure(FailureKind Kind, string Reason, string Fingerprint);

public sealed record PlanView(Guid GoalId, long Revision, IReadOnlyList<TaskView> Tasks);

/// <summary>One event of the log. `Seq` counts within the goal's shard, so a goal's events ascend but may skip numbers.</summary>
public sealed record EventView
{
    public required long Seq { get; init; }
    public required DateTimeOffset At { get; init; }

    /// <summary>What happened, in snake case: `task_completed`. `progress` is a worker's own word on what it is doing; it
    /// is not in the log, and its `Seq` is that of the logged event before it.</summary>
    public required string Kind { get; init; }

    public required Guid GoalId { get; init; }

    /// <summary>Under which the goal's trace is found, where traces are kept.</summary>
    public string? TraceId { get; init; }

    public Guid? TaskId { get; init; }
    public string? Task { get; init; }
    public TaskState? From { get; init; }
    public TaskState? To { get; init; }
    public int? Attempt { get; init; }
    public string? Text { get; init; }
}

/// <summary>The answer to "why is it not done?": one true sentence and what it rests on.</summary>
public sealed record WhyView(Guid Id, string Subject, string Sentence, IReadOnlyDictionary<string, string> Evidence);

public sealed record DeadLetterView(TaskView Task, string GoalTitle, string? Agent, string Fingerprint);

public sealed record Page<T>(IReadOnlyList<T> Items, string? Next);
