using System.Buffers.Binary;

namespace Astra.Kernel;

// Ids are types: a method that takes two Guids is a bug waiting.

public readonly record struct TenantId(Guid Value)
{
    public override string ToString() => Value.ToString();
}

public readonly record struct GoalId(Guid Value)
{
    public ShardId Shard => ShardId.OfId(Value);
    public override string ToString() => Value.ToString();
}

public readonly record struct TaskId(Guid Value)
{
    public ShardId Shard => ShardId.OfId(Value);
    public override string ToString() => Value.ToString();
}

/// <summary>A process of a fleet, by the name it keeps across restarts.</summary>
public readonly record struct NodeId(string Value)
{
    public override string ToString() => Value;
}

/// <summary>A connection that executes tasks; a new one for every connection.</summary>
public readonly record struct WorkerId(Guid Value)
{
    public override string ToString() => Value.ToString();
}

/// <summary>One of 4,096 virtual shards. The number never changes: it is inside every id that was ever handed out.</summary>
public readonly record struct ShardId(int Value) : IComparable<ShardId>
{
    public const int Count = 4096;

    public static IEnumerable<ShardId> All => Enumerable.Range(0, Count).Select(number => new ShardId(number));

    /// <summary>The 12 bits of a UUIDv7 that RFC 9562 calls rand_a: any id routes itself.</summary>
    public static ShardId OfId(Guid id)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        return new ShardId(BinaryPrimitives.ReadUInt16BigEndian(bytes[6..]) & 0xFFF);
    }

    /// <summary>Where something lives that is known by name only: the same in every process, for ever.</summary>
    public static ShardId OfName(TenantId tenant, string name) => new((int)(StableHash.Of(tenant.Value, name) % Count));

    public int CompareTo(ShardId other) => Value.CompareTo(other.Value);

    public static bool operator <(ShardId left, ShardId right) => left.Value < right.Value;
    public static bool operator >(ShardId left, ShardId right) => left.Value > right.Value;
    public static bool operator <=(ShardId left, ShardId right) => left.Value <= right.Value;
    public static bool operator >=(ShardId left, ShardId right) => left.Value >= right.Value;

    public override string ToString() => Value.ToString();
}

/// <summary>Counts the owners a shard has had. It only grows; an entry of an older one is refused by the journal.</summary>
public readonly record struct Epoch(long Value) : IComparable<Epoch>
{
    public int CompareTo(Epoch other) => Value.CompareTo(other.Value);

    public static bool operator <(Epoch left, Epoch right) => left.Value < right.Value;
    public static bool operator >(Epoch left, Epoch right) => left.Value > right.Value;
    public static bool operator <=(Epoch left, Epoch right) => left.Value <= right.Value;
    public static bool operator >=(Epoch left, Epoch right) => left.Value >= right.Value;

    public override string ToString() => Value.ToString();
}
