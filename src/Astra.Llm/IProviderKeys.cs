using Astra.Kernel;

namespace Astra.Llm;

/// <summary>The keys of providers, by the name of the secret that holds one. Asked at the moment of use and kept nowhere.</summary>
public interface IProviderKeys
{
    /// <summary>Null when the tenant has no secret of this name.</summary>
    ValueTask<string?> FindAsync(TenantId tenant, string name, CancellationToken cancellationToken);
}
