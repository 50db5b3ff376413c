namespace Astra.Kernel.Tasks;

/// <summary>What a step may ask of the scheduler: queue, capabilities, due time and deadline.</summary>
internal static class SpecCheck
{
    public const int QueueLengthMax = 100;

    public static Refusal? Of(TaskSpec spec)
    {
        var extras = spec.Extras;
        if (extras.Queue is { } queue && (string.IsNullOrWhiteSpace(queue) || queue.Length > QueueLengthMax || !PlainText.IsText(queue)))
            return Invalid($"The queue of step {spec.Name} has 1 to {QueueLengthMax} plain characters.");
        if (extras.Requires is { } requires && Capabilities.Refuse(requires.Split(' ')) is { } bad)
            return Invalid($"Step {spec.Name} requires something that cannot be a capability: {bad}");
        if (extras is { NotBefore: { } from, Deadline: { } until } && until <= from)
            return Invalid($"Step {spec.Name} may not start before {from:u} and its deadline is {until:u}: it could never run.");
        return null;
    }

    private static Refusal Invalid(string reason) => new(RefusalKind.Invalid, reason);
}
