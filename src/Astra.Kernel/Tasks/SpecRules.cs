using Astra.Kernel.Approvals;

namespace Astra.Kernel.Tasks;

/// <summary>What a task may be, before anybody asks where in the graph it stands.</summary>
internal static class SpecRules
{
    public static Refusal? Check(TaskSpec spec, KernelLimits limits)
    {
        if (string.IsNullOrWhiteSpace(spec.Name) || spec.Name.Length > limits.NameLengthMax)
            return Invalid($"A step's name has 1 to {limits.NameLengthMax} characters.");
        if (!PlainText.IsText(spec.Name) || !PlainText.IsText(spec.Executor) || !PlainText.IsText(spec.Kind))
            return Invalid($"The name, executor or kind of a step holds {PlainText.WhatIsNot}.");
        if (string.IsNullOrWhiteSpace(spec.Executor) || spec.Executor.Length > limits.NameLengthMax)
            return Invalid($"Step {spec.Name} needs an executor of 1 to {limits.NameLengthMax} characters, for instance agent:NAME or tool:NAME.");
        if (spec.Kind.Length > limits.NameLengthMax)
            return Invalid($"The kind of step {spec.Name} has more than {limits.NameLengthMax} characters.");
        if (spec.Input.Length > limits.PayloadBytesMax)
            return Invalid($"The input of step {spec.Name} has {spec.Input.Length} bytes; {limits.PayloadBytesMax} is the limit. Larger things are artifacts.");
        if (spec.Priority is < -100 or > 100)
            return Invalid($"A priority is between -100 and 100; step {spec.Name} has {spec.Priority}.");
        if (spec.AttemptCountMax is < 1 or > 100)
            return Invalid($"A step has 1 to 100 attempts; {spec.Name} has {spec.AttemptCountMax}.");
        if (spec.LeaseDuration < TimeSpan.FromSeconds(1) || spec.LeaseDuration > TimeSpan.FromHours(1))
            return Invalid($"A lease lasts one second to one hour; that of step {spec.Name} does not.");
        if (spec.Extras.Group is { } group && (group.Length == 0 || group.Length > limits.NameLengthMax || !PlainText.IsText(group)))
            return Invalid($"The group of step {spec.Name} has 1 to {limits.NameLengthMax} characters, without control characters.");
        if (spec.Extras.FanOut.Length > limits.PayloadBytesMax)
            return Invalid($"What step {spec.Name} fans out into has {spec.Extras.FanOut.Length} bytes; {limits.PayloadBytesMax} is the limit.");
        if (spec.Extras.Retry?.Problem is { } problem)
            return Invalid($"Step {spec.Name}: {problem}");
        if (spec.Extras.WorkersLostMax is < 1 or > 100)
            return Invalid($"A step may take 1 to 100 workers down before it is given up; {spec.Name} has {spec.Extras.WorkersLostMax}.");
        if (spec.Extras.Approval is { VotesNeeded: < 1 or > Approval.VotesNeededMax })
            return Invalid($"A step asks 1 to {Approval.VotesNeededMax} people for their approval; {spec.Name} asks {spec.Extras.Approval.VotesNeeded}.");
        return SpecCheck.Of(spec);
    }

    /// <summary>An outcome is a word for machines: short, and on one line.</summary>
    public static Refusal? CheckOutcome(string? outcome, KernelLimits limits) =>
        outcome is not null && (outcome.Length == 0 || outcome.Length > limits.NameLengthMax || !PlainText.IsText(outcome))
            ? Invalid($"An outcome has 1 to {limits.NameLengthMax} characters, without control characters.")
            : null;

    private static Refusal Invalid(string reason) => new(RefusalKind.Invalid, reason);
}
