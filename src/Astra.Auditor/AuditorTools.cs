using Astra.Sdk;

namespace Astra.Auditor;

/// <summary>The auditor's two tools. Both are the server's own binary, entered again inside the cage, where it has the
/// mounts of the call and nothing else: no network, no host files, no environment.</summary>
public static class AuditorTools
{
    public const string DiscoverName = "audit-discover";
    public const string InspectName = "audit-inspect";

    /// <summary>Arguments of the binary under which it runs <see cref="Cage.Discoverer"/>.</summary>
    public const string DiscoverVerb = "discover-packages";

    /// <summary>Arguments of the binary under which it runs <see cref="Cage.Inspector"/>.</summary>
    public const string InspectVerb = "inspect-package";

    public static IReadOnlyList<ToolDefinition> Definitions { get; } =
    [
        new ToolDefinition
        {
            Name = DiscoverName,
            Version = "1.0.0",
            Description = "Lists the packages that a directory uses and the ones in local caches.",
            Command = ["astra", DiscoverVerb],
            // One call reads every lock file of a tree and the listings of all caches.
            Limits = new ToolLimits { Wall = TimeSpan.FromSeconds(120), Cpu = TimeSpan.FromSeconds(90), MemoryBytes = 1L << 30 },
        },
        new ToolDefinition
        {
            Name = InspectName,
            Version = "1.0.0",
            Description = "Reads one package and reports what it finds. Executes nothing of it.",
            Command = ["astra", InspectVerb],
            // The largest packages (runtime packs) unpack to half a gigabyte, of which one file at a time is in memory.
            Limits = new ToolLimits { Wall = TimeSpan.FromSeconds(90), Cpu = TimeSpan.FromSeconds(60), MemoryBytes = 1L << 30, Processes = 64 },
        },
    ];
}
