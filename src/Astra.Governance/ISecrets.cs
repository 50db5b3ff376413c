using Astra.Kernel;

namespace Astra.Governance;

/// <summary>Secrets of tenants, by name: sealed where they are kept, and never in a log, an event, an environment or a prompt.</summary>
public interface ISecrets
{
    /// <summary>The secret in the clear, for the moment of its use; null when the tenant has none of this name.</summary>
    ValueTask<string?> FindAsync(TenantId tenant, string name, CancellationToken cancellationToken);
}
