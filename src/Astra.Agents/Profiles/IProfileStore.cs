using System.Security.Cryptography;
using Astra.Kernel;
using Astra.Sdk;

namespace Astra.Agents;

/// <summary>
/// Profiles of agents, each tenant's by itself. What was once set stays as it was under its digest, so that a plan goes on with
/// the profile it was made with; the latest is the agent's.
/// </summary>
public interface IProfileStore
{
    /// <returns>False when the tenant has no agent of that name and of the class of profiles.</returns>
    ValueTask<bool> SaveAsync(TenantId tenant, StoredProfile profile, CancellationToken cancellationToken);

    /// <param name="digest">Null: the latest.</param>
    ValueTask<StoredProfile?> FindAsync(TenantId tenant, string agent, string? digest, CancellationToken cancellationToken);
}

/// <param name="Content">The profile as JSON; the digest is over these bytes.</param>
public sealed record StoredProfile(string Agent, string Digest, ReadOnlyMemory<byte> Content, string SetBy)
{
    public static StoredProfile Of(AgentProfile profile, string setBy)
    {
        var content = AstraJson.Write(profile);
        return new StoredProfile(profile.Name, Convert.ToHexStringLower(SHA256.HashData(content)), content, setBy);
    }

    public AgentProfile Read() => AstraJson.Read<AgentProfile>(Content.Span);

    /// <summary>What is said of an agent of the class of profiles that has none, or none any more.</summary>
    public static string NoneOf(string agent) => $"Agent {agent} has no profile; `astra agent add FILE` gives it one.";
}
