using Astra.Kernel;
using Astra.Kernel.Tasks;
using Astra.Kernel.Workers;
using Astra.Sdk;
using DependencyKind = Astra.Kernel.Tasks.DependencyKind;
using KernelFailureKind = Astra.Kernel.Tasks.FailureKind;
using KernelTaskState = Astra.Kernel.Tasks.TaskState;
using WireFailureKind = Astra.Sdk.FailureKind;

namespace Astra.Agents;

/// <summary>Work as the kernel knows it, and as a worker sees it.</summary>
public static class WorkMapping
{
    private const int ReasonLengthMax = 1_000;

    public static TaskAssignment ToWire(Assignment assignment) => new()
    {
        TaskId = assignment.Task.Value,
        GoalId = assignment.Goal.Value,
        Attempt = assignment.Attempt,
        Name = assignment.Spec.Name,
        Executor = assignment.Spec.Executor,
        Kind = assignment.Spec.Kind,
        Input = AstraJson.Parse(assignment.Spec.Input.Span),
        GoalInput = AstraJson.Parse(assignment.GoalInput.Span),
        Dependencies = [.. assignment.Dependencies.Select(ToWire)],
        LeaseSeconds = assignment.Spec.LeaseDuration.TotalSeconds,
        Now = assignment.Now,
    };

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

    /// <summary>JSON null is no bytes: a task without input or result has none.</summary>
    public static ReadOnlyMemory<byte> ToBytes(System.Text.Json.JsonElement? value) =>
        value is { ValueKind: not (System.Text.Json.JsonValueKind.Null or System.Text.Json.JsonValueKind.Undefined) } element
            ? AstraJson.Write(element) : ReadOnlyMemory<byte>.Empty;

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
