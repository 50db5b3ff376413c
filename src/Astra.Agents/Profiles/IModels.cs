using Astra.Kernel;

namespace Astra.Agents;

/// <summary>Models, as agents without code ask them. Who answers, from whose budget, is decided behind this port.</summary>
public interface IModels
{
    /// <exception cref="IOException">There was no whole answer, not even a refusal.</exception>
    ValueTask<ModelReply> AskAsync(ModelQuestion question, CancellationToken cancellationToken);

    /// <summary>What the tightest budget of this payer has left; null where there is none.</summary>
    ValueTask<decimal?> DollarsLeftAsync(ModelPayer payer, CancellationToken cancellationToken);
}

/// <summary>For whom a model is asked: each may have a budget. The attempt at the task is noted in what is recorded.</summary>
public sealed record ModelPayer(TenantId Tenant, string Agent, GoalId Goal, TaskId Task, int Attempt);

/// <param name="Chat">A request of OpenAI's chat, not streamed.</param>
public sealed record ModelQuestion(ModelPayer Payer, ReadOnlyMemory<byte> Chat)
{
    /// <summary>All tries together cost no more.</summary>
    public decimal? DollarsMax { get; init; }

    /// <summary>The answer is no longer.</summary>
    public long? AnswerTokensMax { get; init; }
}

/// <param name="Body">OpenAI's, an answer or an error by the status.</param>
/// <param name="Dollars">What it came to, as far as there are prices.</param>
/// <param name="Model">Who answered.</param>
public sealed record ModelReply(int Status, ReadOnlyMemory<byte> Body, decimal Dollars = 0, string? Model = null);
