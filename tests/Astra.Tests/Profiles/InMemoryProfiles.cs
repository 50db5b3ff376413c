using System.Collections.Concurrent;
using Astra.Agents;
using Astra.Kernel;

namespace Astra.Tests.Profiles;

/// <summary>Profiles over a registry in memory.</summary>
internal sealed class InMemoryProfiles(IAgentStore agents) : IProfileStore
{
    private readonly ConcurrentDictionary<(TenantId, string), IReadOnlyList<StoredProfile>> _profiles = [];

    public async ValueTask<bool> SaveAsync(TenantId tenant, StoredProfile profile, CancellationToken cancellationToken)
    {
        if (await agents.FindClassAsync(tenant, profile.Agent, cancellationToken) != "profile")
            return false;
        _profiles.AddOrUpdate((tenant, profile.Agent), [profile], (_, known) => [profile, .. known.Where(other => other.Digest != profile.Digest)]);
        return true;
    }

    public ValueTask<StoredProfile?> FindAsync(TenantId tenant, string agent, string? digest, CancellationToken cancellationToken) =>
        ValueTask.FromResult(_profiles.GetValueOrDefault((tenant, agent), []).FirstOrDefault(profile => digest is null || profile.Digest == digest));
}
