using System.Buffers.Binary;

namespace Astra.Kernel;

public interface IIdSource
{
    /// <summary>A UUIDv7 (RFC 9562) that carries its shard in the rand_a bits.</summary>
    Guid NewId(ShardId shard);
}

/// <summary>48 bits of Unix milliseconds, 12 bits of shard, 62 bits of randomness.</summary>
public sealed class IdSource(IClock clock, IRandomness randomness) : IIdSource
{
    public Guid NewId(ShardId shard)
    {
        Span<byte> bytes = stackalloc byte[16];
        var milliseconds = (ulong)clock.UtcNow.ToUnixTimeMilliseconds();
        BinaryPrimitives.WriteUInt64BigEndian(bytes, (milliseconds << 16) | 0x7000 | (uint)shard.Value);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], (randomness.NextUInt64() >> 2) | 0x8000_0000_0000_0000);
        return new Guid(bytes, bigEndian: true);
    }
}
