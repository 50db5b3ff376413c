using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Astra.Llm.Caching;

/// <summary>A SHA-256 as a value: what two of the same are is the same.</summary>
public readonly record struct Digest(ulong A, ulong B, ulong C, ulong D)
{
    public const int Size = SHA256.HashSizeInBytes;

    public static Digest Of(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[Size];
        SHA256.HashData(bytes, hash);
        return From(hash);
    }

    public static Digest From(ReadOnlySpan<byte> hash) => MemoryMarshal.Read<Digest>(hash);

    public byte[] ToArray() => MemoryMarshal.AsBytes(new ReadOnlySpan<Digest>(in this)).ToArray();

    // Any part of it is as even as the whole.
    public override int GetHashCode() => (int)A;

    public override string ToString() => Convert.ToHexStringLower(MemoryMarshal.AsBytes(new ReadOnlySpan<Digest>(in this)));
}
