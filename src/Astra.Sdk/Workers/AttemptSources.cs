using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Astra.Sdk;

/// <summary>The time, dice and ids of one attempt: derived from what the server handed out, so that a goal can be replayed.</summary>
internal static class AttemptSources
{
    public static Random Random(Guid task, int attempt)
    {
        // A seeded Random gives the same numbers in every version of .NET; that is a promise of its documentation.
        return new Random(BinaryPrimitives.ReadInt32BigEndian(Hash(task, attempt, "random")));
    }

    /// <summary>Without the attempt: a retry names the same things by the same ids, and finds what it made before.</summary>
    public static Func<Guid> Ids(Guid task)
    {
        var count = 0;
        return () =>
        {
            var bytes = Hash(task, Interlocked.Increment(ref count), "id")[..16];
            bytes[6] = (byte)((bytes[6] & 0x0F) | 0x80);
            bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
            return new Guid(bytes, bigEndian: true);
        };
    }

    private static byte[] Hash(Guid task, int number, string purpose)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> bytes = stackalloc byte[20];
        task.TryWriteBytes(bytes, bigEndian: true, out _);
        BinaryPrimitives.WriteInt32BigEndian(bytes[16..], number);
        hash.AppendData(bytes);
        hash.AppendData(System.Text.Encoding.ASCII.GetBytes(purpose));
        return hash.GetHashAndReset();
    }
}

/// <summary>Starts at the time the server handed out and moves on with the machine's monotonic clock.</summary>
internal sealed class AttemptClock(DateTimeOffset startedAt, TimeProvider machine) : TimeProvider
{
    private readonly long _start = machine.GetTimestamp();

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;
    public override long TimestampFrequency => machine.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() => startedAt + machine.GetElapsedTime(_start);
    public override long GetTimestamp() => machine.GetTimestamp();
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        machine.CreateTimer(callback, state, dueTime, period);
}
