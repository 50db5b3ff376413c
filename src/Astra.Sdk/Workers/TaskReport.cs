using System.Text.Json;

namespace Astra.Sdk;

/// <summary>How one attempt at one task went, as its worker says it.</summary>
public abstract record TaskReport
{
    /// <param name="Edits">Take effect in the same commit as the completion.</param>
    /// <param name="Outcome">A word about itself, for steps that ask for it.</param>
    public sealed record Completed(JsonElement Output, IReadOnlyList<PlanEdit> Edits, string? Outcome = null) : TaskReport;

    /// <summary>Something has to be done first: the task waits for these, and is then tried anew.</summary>
    public sealed record Suspended(IReadOnlyList<StepDependency> After, IReadOnlyList<PlanEdit> Edits) : TaskReport;

    /// <param name="Reason">One sentence for a person.</param>
    /// <param name="Fingerprint">The same for failures with the same cause: dead letters are grouped by it.</param>
    public sealed record Failed(FailureKind Kind, string Reason, string Fingerprint) : TaskReport;

    /// <summary>The attempt was taken away while it ran; there is nothing to say and nobody to say it to.</summary>
    public sealed record Dropped : TaskReport;
}
