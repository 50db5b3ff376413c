using System.Text.Json;

namespace Astra.Sdk;

/// <summary>How long a step waits between attempts: the shortest delay after the first failure, each time
/// <paramref name="Factor"/> as long as before, never longer than the longest. The upper half of each is jitter.</summary>
public sealed record RetryDelays(double MinSeconds, double MaxSeconds, double Factor = 2);

/// <summary>Whether all attempts name their effect to the outside world by the same key, or each by its own.</summary>
public enum EffectKeys { PerTask, PerAttempt }

/// <summary>What became of a step's effect on the outside world. Unknown waits for a person.</summary>
public enum EffectState { Intended, Sent, NotSent, Unknown }

/// <summary>The effect ledger's page of one task.</summary>
/// <param name="By">The person who found out; null when the worker said so itself.</param>
public sealed record EffectView(EffectState State, int Attempt, string What, DateTimeOffset At, JsonElement? Output, string? By);

/// <summary>A task that waits for `POST /api/v1/effects/{id}/resolve`.</summary>
public sealed record UnknownEffectView(TaskView Task, string GoalTitle, string? Agent);

/// <summary>The body of a resolve. `Outcome` is sent or notSent; `Output` completes the step that was sent.</summary>
public sealed record EffectResolution(EffectState Outcome, JsonElement? Output = null);

/// <summary>What an attempt hands to the outside world, and what the ledger knows of attempts before it.</summary>
/// <param name="State">Sent: do not make it again, `Output` is what came of it.</param>
public sealed record AssignedEffect(string Key, EffectState? State = null, JsonElement? Output = null);

/// <param name="Id">Short, for command lines; made of the fingerprint.</param>
/// <param name="Fingerprint">The cause they share.</param>
public sealed record DeadGroupView(
    string Id, string Fingerprint, int Count, DateTimeOffset FirstAt, DateTimeOffset LastAt, IReadOnlyList<string> Kinds, IReadOnlyList<string> Executors, string SampleReason, Guid SampleTask);

/// <summary>GET /api/v1/dead-letters/rates: how many tasks were given up within an hour, whatever became of them later.</summary>
/// <param name="Hour">When it began.</param>
/// <param name="Executor">`tool:NAME@VERSION` where the plan names a version.</param>
public sealed record DeathRateView(DateTimeOffset Hour, string Kind, string Executor, int Count);

/// <summary>A dead letter, or a task that was one, with everything that was tried.</summary>
public sealed record TaskStoryView(
    TaskView Task, string GoalTitle, string? Agent, string Fingerprint, IReadOnlyList<AttemptView> Attempts, IReadOnlyList<InterventionView> Interventions);

/// <param name="Ending">The event that ended it: `task_retried`, `task_died`, `task_expired`, `task_released`, ...; null while it runs.</param>
public sealed record AttemptView(
    int Attempt, string Worker, DateTimeOffset StartedAt, DateTimeOffset? EndedAt, string? Ending, TaskFailure? Failure, string? Reason, EffectState? Effect);

/// <summary>What a person did between attempts: `task_fixed`, `task_redriven`, `effect_settled`.</summary>
public sealed record InterventionView(DateTimeOffset At, string Kind, string By);

/// <summary>POST /api/v1/dead-letters/{id}/fix: another input, another executor, or both. What is left out stays.</summary>
public sealed record DeadLetterFix(string? Executor = null, JsonElement? Input = null);
