using Astra.Kernel.Workers;

namespace Astra.Kernel.Agents;

/// <summary>What nodes ask each other about messages to agents.</summary>
internal abstract record MessageQuestion
{
    /// <summary>Have you a worker for this? Answered with <see cref="MessageAnswer.Offers"/>; changes nothing.</summary>
    public sealed record Find(TenantId Tenant, string Class) : MessageQuestion;

    /// <summary>Answered with <see cref="MessageAnswer.Ended"/> or a refusal, after which the code has not seen it.</summary>
    public sealed record Run(MessageCall Call) : MessageQuestion;

    /// <summary>Nobody waits for it any more. One that has not come yet is refused when it does.</summary>
    public sealed record Cancel(Guid Call, string Reason) : MessageQuestion;
}

internal abstract record MessageAnswer
{
    public sealed record Offers(bool IsOffered) : MessageAnswer;

    public sealed record Ended(MessageOutcome Outcome) : MessageAnswer;
}
