using Astra.Kernel;

namespace Astra.Governance;

public sealed record RegisteredAgent(string Name, string Description, DateTimeOffset RegisteredAt);

/// <summary>The agents a tenant can address by name.</summary>
public interface IAgentRegistry
{
    /// <summary>Adds the agent, or describes it anew; when it was first registered stays.</summary>
    ValueTask RegisterAsync(TenantId tenant, string name, string description, CancellationToken cancellationToken);

    /// <summary>By name.</summary>
    ValueTask<IReadOnlyList<RegisteredAgent>> ListAsync(TenantId tenant, CancellationToken cancellationToken);
}
