using System.Text.Json;
using Astra.Kernel;
using Astra.Kernel.Approvals;
using Astra.Kernel.Effects;
using Astra.Kernel.Tasks;
using Astra.Kernel.Workers;
using Astra.Sdk;
using DependencyKind = Astra.Kernel.Tasks.DependencyKind;
using KernelEffectState = Astra.Kernel.Effects.EffectState;
using KernelFailureKind = Astra.Kernel.Tasks.FailureKind;
using KernelTaskState = Astra.Kernel.Tasks.TaskState;
using WireEffectKeys = Astra.Sdk.EffectKeys;
using WireEffectState = Astra.Sdk.EffectState;
using WireFailureKind = Astra.Sdk.FailureKind;

namespace Astra.Agents;

/// <summary>Work as the kernel knows it, and as a worker sees it.</summary>
public static class WorkMapping
{
    private const int ReasonLengthMax = 1_000;

    /// <summary>It says nothing about what was asked, only about now.</summary>
    public static bool IsPassing(Refusal refusal) => refusal.Kind is RefusalKind.Unavailable or RefusalKind.Overloaded or RefusalKind.Elsewhere;

    public static TaskAssignment ToWire(Assignment assignment) => new()
    {
        TaskId = assignment.Task.Value,
        GoalId = assignment.Goal.Value,
        Attempt = assignment.Attempt,
        Name = assignment.Spec.Name,
        Executor = assignment.Spec.Executor,
        Agent = assignment.Agent,
        Kind = assignment.Spec.Kind,
        Input = AstraJson.Parse(assignment.Spec.Input.Span),
        GoalInput = AstraJson.Parse(assignment.GoalInput.Span),
        Dependencies = [.. assignment.Dependencies.Select(ToWire)],
        LeaseSeconds = assignment.Spec.LeaseDuration.TotalSeconds,
        Now = assignment.Now,
        Effect = EffectOf(assignment),
    };

    /// <summary>The key is there for every attempt; what the ledger knows only when it knows something.</summary>
    public static AssignedEffect EffectOf(Assignment assignment)
    {
        var extras = assignment.Spec.Extras;
        var key = EffectRecord.KeyOf(assignment.Task, assignment.Attempt, extras.EffectKeys ?? Kernel.Effects.EffectKeys.PerTask);
        return extras.Effect is { } effect
            ? new AssignedEffect(key, ToWire(effect.State), ToJson(effect.Output))
            : new AssignedEffect(key);
    }

    public static WireEffectState ToWire(KernelEffectState state) => state switch
    {
        KernelEffectState.Intended => WireEffectState.Intended,
        KernelEffectState.Sent => WireEffectState.Sent,
        KernelEffectState.NotSent => WireEffectState.NotSent,
        KernelEffectState.Unknown => WireEffectState.Unknown,
        _ => throw new ArgumentOutOfRangeException(nameof(state), state, "No such state of an effect."),
    };

    public static KernelEffectState ToKernel(WireEffectState state) => state switch
    {
        WireEffectState.Sent => KernelEffectState.Sent,
        WireEffectState.NotSent => KernelEffectState.NotSent,
        WireEffectState.Intended => KernelEffectState.Intended,
        _ => KernelEffectState.Unknown,
    };

    /// <summary>What a step asks for beyond what every step has.</summary>
    public static TaskExtras ExtrasOf(StepEdit step)
    {
        if (step is { Retry: null, WorkersLostMax: null, EffectKeys: null, Group: null, FanOut: null or { Count: 0 }, NotBefore: null, Deadline: null, Queue: null, Requires: null or { Count: 0 }, Approvals: null })
            return TaskExtras.None;
        return TaskExtras.None with
        {
            Group = step.Group,
            FanOut = step.FanOut is { Count: > 0 } fanOut ? FanOuts.ToBytes(fanOut) : default(ReadOnlyMemory<byte>),
            Retry = step.Retry is { } retry ? new RetryPolicy(ToDelay(retry.MinSeconds), ToDelay(retry.MaxSeconds), retry.Factor) : null,
            WorkersLostMax = step.WorkersLostMax,
            EffectKeys = step.EffectKeys switch
            {
                null => null,
                WireEffectKeys.PerAttempt => Kernel.Effects.EffectKeys.PerAttempt,
                _ => Kernel.Effects.EffectKeys.PerTask,
            },
            NotBefore = step.NotBefore?.ToUniversalTime(),
            Deadline = step.Deadline?.ToUniversalTime(),
            Queue = step.Queue,
            Requires = Capabilities.Join(step.Requires),
            Approval = step.Approvals is { } votes ? new Approval(votes) : null,
        };
    }

    public static RetryDelays? ToWire(RetryPolicy? retry) =>
        retry is null ? null : new RetryDelays(retry.DelayMin.TotalSeconds, retry.DelayMax.TotalSeconds, retry.Factor);

    public static WireEffectKeys? ToWire(Kernel.Effects.EffectKeys? keys) => keys switch
    {
        null => null,
        Kernel.Effects.EffectKeys.PerAttempt => WireEffectKeys.PerAttempt,
        _ => WireEffectKeys.PerTask,
    };

    // What no TimeSpan can hold becomes a delay that the kernel refuses with the range that is allowed.
    private static TimeSpan ToDelay(double seconds) => seconds is >= 0 and < 1e9 ? TimeSpan.FromSeconds(seconds) : TimeSpan.FromSeconds(-1);

    public static NamedDependency ToKernel(StepDependency dependency) => dependency.When switch
    {
        null => new(dependency.Step, dependency.OnlyCompleted ? DependencyKind.Completed : DependencyKind.Ended),
        StepDependency.CompletedWord => new(dependency.Step, DependencyKind.Completed),
        StepDependency.EndedWord => new(dependency.Step, DependencyKind.Ended),
        StepDependency.PassedWord => new(dependency.Step, DependencyKind.Passed),
        var outcome => new(dependency.Step, DependencyKind.Outcome, outcome),
    };

    public static StepDependency ToWire(string name, Dependency dependency) => dependency.Kind switch
    {
        DependencyKind.Completed => new(name, OnlyCompleted: true),
        DependencyKind.Passed => new(name, OnlyCompleted: false, StepDependency.PassedWord),
        DependencyKind.Outcome => new(name, OnlyCompleted: true, dependency.Outcome),
        _ => new(name, OnlyCompleted: false),
    };

    /// <summary>A worker's words are shown to people, and a log entry is no place for a novel.</summary>
    public static Failure ToKernel(WireFailureKind kind, string reason, string? fingerprint)
    {
        var sentence = string.IsNullOrWhiteSpace(reason) ? "The worker gave no reason." : Shorten(reason);
        return new Failure(
            kind switch
            {
                WireFailureKind.Permanent => KernelFailureKind.Permanent,
                // Poison is the kernel's own conclusion from lost workers; one that lives to report is not lost.
                _ => KernelFailureKind.Transient,
            },
            sentence,
            Shorten(string.IsNullOrWhiteSpace(fingerprint) ? FailureCause.Fingerprint("worker", sentence) : fingerprint));
    }

    /// <summary>The message as an agent in this process sees it.</summary>
    public static MessageTurn ToTurn(MessageCall call) =>
        new(call.Agent, AstraJson.Parse(call.Message.Span), ToJson(call.State), call.StateVersion);

    public static ServerFrame.Message ToWire(MessageCall call) => new(
        call.Id, call.Agent, call.Class, AstraJson.Parse(call.Message.Span), ToJson(call.State),
        call.StateVersion, call.Deadline.TotalSeconds);

    public static MessageOutcome ToKernel(MessageResult result) => result switch
    {
        MessageResult.Done done => new MessageOutcome.Done(ToBytes(done.Reply), done.State is { } state ? ToBytes(state) : null),
        MessageResult.Refused refused => new MessageOutcome.Refused(Shorten(refused.Reason)),
        MessageResult.Failed failed => new MessageOutcome.Failed(Shorten(failed.Reason)),
        _ => throw new ArgumentException($"A message cannot end as {result.GetType().Name}.", nameof(result)),
    };

    /// <summary>JSON null is no bytes: a task without input or result has none.</summary>
    public static ReadOnlyMemory<byte> ToBytes(JsonElement? value) =>
        value is { ValueKind: not (JsonValueKind.Null or JsonValueKind.Undefined) } element
            ? AstraJson.Write(element) : ReadOnlyMemory<byte>.Empty;

    /// <summary>The way back of <see cref="ToBytes"/>.</summary>
    public static JsonElement? ToJson(ReadOnlyMemory<byte> bytes) => bytes.IsEmpty ? null : AstraJson.Parse(bytes.Span);

    private static StepOutput ToWire(EndedDependency dependency) => new(
        dependency.Name,
        dependency.State switch
        {
            KernelTaskState.Completed => StepState.Completed,
            KernelTaskState.Dead => StepState.Dead,
            _ => StepState.Cancelled,
        },
        AstraJson.Parse(dependency.Output.Span),
        dependency.FailureReason);

    private static string Shorten(string text) => text.Length > ReasonLengthMax ? $"{text.AsSpan(0, ReasonLengthMax - 1)}…" : text;
}
