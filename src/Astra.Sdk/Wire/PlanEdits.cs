using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Astra.Sdk;

/// <summary>PATCH /api/v1/goals/{id}/plan with If-Match: all edits take effect in one commit, or none does.</summary>
public sealed record PlanPatch(IReadOnlyList<PlanEdit> Edits, string? Reason = null);

/// <summary>One edit of a plan. Steps are named; names are unique within a goal.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "op")]
[JsonDerivedType(typeof(AddStep), "add")]
[JsonDerivedType(typeof(ReplaceStep), "replace")]
[JsonDerivedType(typeof(RemoveStep), "remove")]
[JsonDerivedType(typeof(RewireStep), "rewire")]
[JsonDerivedType(typeof(ExtendStep), "extend")]
[JsonDerivedType(typeof(SuspendStep), "suspend")]
[JsonDerivedType(typeof(PrioritiseStep), "prioritise")]
[JsonDerivedType(typeof(CancelStep), "cancel")]
[JsonDerivedType(typeof(CancelSubtree), "cancel_subtree")]
[JsonDerivedType(typeof(AttachGroup), "attach")]
[JsonDerivedType(typeof(CancelGroup), "cancel_group")]
[JsonDerivedType(typeof(ReflectAfter), "reflect_after")]
public abstract record PlanEdit;

/// <summary>What a step is, whether it is new or takes another's place.</summary>
public abstract record StepEdit : PlanEdit
{
    public required string Name { get; init; }
    public required string Executor { get; init; }
    public string Kind { get; init; } = "";
    public JsonElement? Input { get; init; }
    public int Priority { get; init; }
    public int AttemptCountMax { get; init; } = 3;
    public double LeaseSeconds { get; init; } = 30;

    /// <summary>What its output becomes when it completes, in the same commit.</summary>
    public IReadOnlyList<FanOut>? FanOut { get; init; }

    /// <summary>A name for steps that belong together and can be cancelled together.</summary>
    public string? Group { get; init; }

    /// <summary>How long to wait between attempts; the server's own policy when left out.</summary>
    public RetryDelays? Retry { get; init; }

    /// <summary>How many workers it may take down before it is given up as poison, 1 to 100.</summary>
    public int? WorkersLostMax { get; init; }

    public EffectKeys? EffectKeys { get; init; }

    /// <summary>It is not handed out before this.</summary>
    public DateTimeOffset? NotBefore { get; init; }

    /// <summary>What has not ended by then becomes a dead letter.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>The tenant's queue it stands in, for the limits set on that.</summary>
    public string? Queue { get; init; }

    /// <summary>Capabilities a worker must have, such as `gpu` or `os:linux`.</summary>
    public IReadOnlyList<string>? Requires { get; init; }

    /// <summary>How many people have to agree before it is handed out, 1 to 10; nobody when left out. It can be raised and not lowered.</summary>
    public int? Approvals { get; init; }
}

public sealed record AddStep : StepEdit
{
    public IReadOnlyList<StepDependency> After { get; init; } = [];
}

/// <summary>A list in a step's output becomes one step for each of its items.</summary>
public sealed record FanOut
{
    /// <summary>Where in the output the list is, in names joined by dots; null for the output itself.</summary>
    public string? Path { get; init; }

    /// <summary>The parts are named after it: `check-1`, `check-2` ... Its `after` holds for each of them, beside the step
    /// that made the list. In its input the text `${item}` stands for the item, `${item.name}` for what is in it and
    /// `${index}` for its number; without an input the item is the input.</summary>
    public required AddStep Step { get; init; }

    /// <summary>A step that then waits for all of the parts.</summary>
    public string? Join { get; init; }
}

/// <summary>Another specification for a step that has not started; what it waits for, and what waits for it, stays.</summary>
public sealed record ReplaceStep : StepEdit
{
    public ReplaceStep()
    {
    }

    /// <summary>The work of another step, in the place of the one that has its name.</summary>
    [SetsRequiredMembers]
    public ReplaceStep(StepEdit work)
        : base(work)
    {
    }
}

/// <summary>Only a step that has not started can be removed, and only if nothing is left waiting for it.</summary>
public sealed record RemoveStep(string Name) : PlanEdit;

/// <summary>Replaces what a step waits for.</summary>
public sealed record RewireStep(string Name, IReadOnlyList<StepDependency> After) : PlanEdit;

/// <summary>A step that has not started also waits for these.</summary>
public sealed record ExtendStep(string Name, IReadOnlyList<StepDependency> After) : PlanEdit;

/// <summary>A step that has not ended waits for these too. If it runs, its attempt is over and it is tried anew behind them.</summary>
public sealed record SuspendStep(string Name, IReadOnlyList<StepDependency> After) : PlanEdit;

public sealed record PrioritiseStep(string Name, int Priority) : PlanEdit;

/// <summary>Cancels the step and everything that can then no longer run.</summary>
public sealed record CancelStep(string Name, string? Reason = null) : PlanEdit;

/// <summary>Cancels the step and everything that only runs because of it: whatever waits for nothing else.</summary>
public sealed record CancelSubtree(string Name, string? Reason = null) : PlanEdit;

/// <summary>Adds a graph of its own under a name: its steps are called `group/step`, and among themselves they name each other
/// without it. Its first steps wait for <see cref="After"/>, and <see cref="Before"/> wait for its last ones.</summary>
public sealed record AttachGroup(string Group, IReadOnlyList<AddStep> Steps) : PlanEdit
{
    public IReadOnlyList<StepDependency> After { get; init; } = [];

    /// <summary>Steps that are there already and have not started.</summary>
    public IReadOnlyList<string> Before { get; init; } = [];
}

/// <summary>Cancels whatever of a group, or of a group within it, has not ended.</summary>
public sealed record CancelGroup(string Group, string? Reason = null) : PlanEdit;

/// <summary>The goal's reflection also waits for these steps. Changes nothing in a goal that has no reflection, or whose
/// reflection has started: steps that are added while others run need not know which it is.</summary>
public sealed record ReflectAfter(IReadOnlyList<StepDependency> After) : PlanEdit;

/// <summary>PUT /api/v1/goals/{id}/plan: these are the steps, and whatever edits lead there are made in one commit. Steps that
/// belong to a group and the goal's own plan and reflection are left alone.</summary>
public sealed record PlanTarget(IReadOnlyList<AddStep> Steps, string? Reason = null);

/// <summary>GET /api/v1/goals/{id}/plan/steps: the plan as the steps that would make it, which is what a PUT takes. Steps that
/// belong to a group and the goal's own plan and reflection are left out.</summary>
/// <param name="Started">Those of them that have started, and can be neither changed nor taken out.</param>
public sealed record PlanSteps(Guid GoalId, long Revision, IReadOnlyList<AddStep> Steps, IReadOnlyList<string> Started);

/// <summary>POST /api/v1/goals/{id}/plan/rollback.</summary>
public sealed record PlanRollback(long Revision, string? Reason = null);

/// <summary>What an edit does, or would do.</summary>
/// <param name="Revision">The revision it makes; the present one when there is nothing to do.</param>
public sealed record PlanChange(Guid GoalId, long Revision, IReadOnlyList<PlanEdit> Edits);

/// <summary>GET /api/v1/goals/{id}/plan/diff.</summary>
public sealed record PlanDiff(Guid GoalId, long From, long To, IReadOnlyList<TaskView> Added, IReadOnlyList<TaskView> Removed, IReadOnlyList<StepChange> Changed);

public sealed record StepChange(string Name, IReadOnlyList<FieldChange> Fields);

public sealed record FieldChange(string Field, JsonElement? From, JsonElement? To);
