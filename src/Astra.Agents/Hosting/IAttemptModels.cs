using Astra.Sdk;

namespace Astra.Agents;

/// <summary>Models for the agents that run in this process.</summary>
public interface IAttemptModels
{
    /// <param name="kind">Of the task; it may have a route of its own.</param>
    /// <param name="ended">When the attempt is over nothing is asked for it, and what is being answered ends.</param>
    IModelEndpoint Of(ModelPayer payer, string kind, CancellationToken ended);
}
