namespace Astra.Kernel.Tasks;

/// <summary>What a submission may be, before anybody looks at its plan or at what is there already.</summary>
internal static class GoalRequestRules
{
    public static Refusal? Check(GoalRequest request, KernelLimits limits)
    {
        if (string.IsNullOrWhiteSpace(request.Title) || request.Title.Length > limits.NameLengthMax)
            return new Refusal(RefusalKind.Invalid, $"A goal's title has 1 to {limits.NameLengthMax} characters.");
        if (request.Agent is { } agent && (string.IsNullOrWhiteSpace(agent) || agent.Length > limits.NameLengthMax))
            return new Refusal(RefusalKind.Invalid, $"An agent's name has 1 to {limits.NameLengthMax} characters.");
        if (!PlainText.IsText(request.Title) || !PlainText.IsText(request.Agent) || !PlainText.IsText(request.IdempotencyKey))
            return new Refusal(RefusalKind.Invalid, $"The title, agent or Idempotency-Key holds {PlainText.WhatIsNot}.");
        if (request.Input.Length > limits.PayloadBytesMax)
            return new Refusal(RefusalKind.Invalid, $"The goal's input has {request.Input.Length} bytes; {limits.PayloadBytesMax} is the limit.");
        if (request.Priority is < -100 or > 100)
            return new Refusal(RefusalKind.Invalid, $"A priority is between -100 and 100, and {request.Priority} is not.");
        if (request.Extras.RetriesMax is < 0 or > 1_000_000)
            return new Refusal(RefusalKind.Invalid, $"The retries of all of a goal's tasks together are 0 to 1000000, and {request.Extras.RetriesMax} is not.");
        if (request.IdempotencyKey is { Length: 0 or > 200 })
            return new Refusal(RefusalKind.Invalid, "An Idempotency-Key has 1 to 200 characters.");
        return null;
    }
}
