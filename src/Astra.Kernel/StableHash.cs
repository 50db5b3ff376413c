using System.Runtime.InteropServices;

namespace Astra.Kernel;

/// <summary>A hash that is the same in every process and every version: 64-bit FNV-1a with a final mix.</summary>
/// <remarks>FNV-1a is by Fowler, Noll and Vo; the finaliser is the one of MurmurHash3 (Appleby), because FNV alone
/// spreads its low bits badly over a power of two, and 4,096 is one.</remarks>
public static class StableHash
{
    private const ulong Offset = 14695981039346656037;
    private const ulong Prime = 1099511628211;

    public static ulong Of(Guid scope, string name)
    {
        Span<byte> bytes = stackalloc byte[16];
        scope.TryWriteBytes(bytes, bigEndian: true, out _);
        return Mix(Fold(Fold(Offset, bytes), MemoryMarshal.AsBytes(name.AsSpan())));
    }

    public static ulong Of(ReadOnlySpan<byte> bytes) => Mix(Fold(Offset, bytes));

    private static ulong Fold(ulong hash, ReadOnlySpan<byte> bytes)
    {
        foreach (var value in bytes)
            hash = (hash ^ value) * Prime;
        return hash;
    }

    private static ulong Mix(ulong hash)
    {
        hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
        hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53;
        return hash ^ (hash >> 33);
    }
}
