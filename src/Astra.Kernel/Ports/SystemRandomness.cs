using System.Runtime.InteropServices;

namespace Astra.Kernel;

// This is where the handed-in dice come from: the one place in the kernel that may roll the process's.
#pragma warning disable RS0030

/// <summary>The dice of the process; safe from any thread, and not for secrets.</summary>
public sealed class SystemRandomness : IRandomness
{
    public ulong NextUInt64()
    {
        ulong drawn = 0;
        Random.Shared.NextBytes(MemoryMarshal.AsBytes(new Span<ulong>(ref drawn)));
        return drawn;
    }
}
