using Astra.Governance;
using Astra.Kernel;
using Astra.Llm;

namespace Astra.Hosting;

/// <summary>The keys of providers are secrets of the tenant that the provider belongs to.</summary>
/// <param name="secrets">Null where none are kept: then there are no keys either.</param>
internal sealed class SecretProviderKeys(ISecrets? secrets) : IProviderKeys
{
    public ValueTask<string?> FindAsync(TenantId tenant, string name, CancellationToken cancellationToken) =>
        secrets?.FindAsync(tenant, name, cancellationToken) ?? ValueTask.FromResult<string?>(null);
}
