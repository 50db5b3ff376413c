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
}

/// <summary>What becomes of the steps that waited for a step that died: cancelled at once, or kept for a replay.</summary>
public enum DeadTaskPolicy { Doom, Wait }

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
}

public enum FailureKind { Transient, Permanent, Poison }

public sealed record TaskFailure(FailureKind Kind, string Reason, string Fingerprint);

public sealed record PlanView(Guid GoalId, long Revision, IReadOnlyList<TaskView> Tasks);

/// <summary>PATCH /api/v1/goals/{id}/plan with If-Match: all edits take effect in one commit, or none does.</summary>
public sealed record PlanPatch(IReadOnlyList<PlanEdit> Edits, string? Reason = null);

/// <summary>One edit of a plan. Steps are named; names are unique within a goal.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "op")]
[JsonDerivedType(typeof(AddStep), "add")]
[JsonDerivedType(typeof(RemoveStep), "remove")]
[JsonDerivedType(typeof(RewireStep), "rewire")]
[JsonDerivedType(typeof(PrioritiseStep), "prioritise")]
[JsonDerivedType(typeof(CancelStep), "cancel")]
[JsonDerivedType(typeof(ReflectAfter), "reflect_after")]
public abstract record PlanEdit;

public sealed record AddStep : PlanEdit
{
    public required string Name { get; init; }
    public required string Executor { get; init; }
    public string Kind { get; init; } = "";
    public JsonElement? Input { get; init; }
    public IReadOnlyList<StepDependency> After { get; init; } = [];
    public int Priority { get; init; }
    public int AttemptCountMax { get; init; } = 3;
    public double LeaseSeconds { get; init; } = 30;

    /// <summary>It is not handed out before this.</summary>
    public DateTimeOffset? NotBefore { get; init; }

    /// <summary>What has not ended by then becomes a dead letter.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>The tenant's queue it stands in, for the limits set on that.</summary>
    public string? Queue { get; init; }

    /// <summary>Capabilities a worker must have, such as `gpu` or `os:linux`.</summary>
    public IReadOnlyList<string>? Requires { get; init; }
}

/// <summary>Only a step that has not started can be removed, and only if nothing is left waiting for it.</summary>
public sealed record RemoveStep(string Name) : PlanEdit;

/// <summary>Replaces what a step waits for.</summary>
public sealed record RewireStep(string Name, IReadOnlyList<StepDependency> After) : PlanEdit;

public sealed record PrioritiseStep(string Name, int Priority) : PlanEdit;

/// <summary>Cancels the step and everything that can then no longer run.</summary>
public sealed record CancelStep(string Name, string? Reason = null) : PlanEdit;

/// <summary>The goal's reflection also waits for these steps. Changes nothing in a goal that has no reflection, or whose
/// reflection has started: steps that are added while others run need not know which it is.</summary>
public sealed record ReflectAfter(IReadOnlyList<StepDependency> After) : PlanEdit;

/// <summary>One event of the log. `Seq` counts within the goal's shard, so a goal's events ascend but may skip numbers.</summary>
public sealed record EventView
{
    public required long Seq { get; init; }
    public required DateTimeOffset At { get; init; }

    /// <summary>What happened, in snake case: `task_completed`. `progress` is a worker's own word on what it is doing; it
    /// is not in the log, and its `Seq` is that of the logged event before it.</summary>
    public required string Kind { get; init; }

    public required Guid GoalId { get; init; }
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
