using System.Text;
using Astra.Kernel;
using Astra.Kernel.Journal;
using Astra.Testing.Time;

namespace Astra.Simulation;

/// <summary>What happened, as a fingerprint that two runs of one seed must share, and as lines when somebody wants to read.</summary>
internal sealed class Trace(VirtualWorld world, Action<string>? write)
{
    private readonly byte[] _fold = new byte[64];

    public ulong Fingerprint { get; private set; }

    public bool IsRead => write is not null;

    public void Committed(JournalEntry entry)
    {
        Fold((ulong)world.StepCount, (ulong)world.Clock.Elapsed.Ticks, (ulong)entry.Shard.Value, (ulong)entry.Seq, (ulong)entry.Kind, (ulong)entry.Attempt, StableHash.Of(entry.Data.Span));
        if (IsRead)
            Note($"  {entry.Shard}/{entry.Seq} {entry.Kind} {Short(entry.Task?.Value ?? entry.Goal.Value)} {entry.From}>{entry.To} attempt {entry.Attempt} {entry.Event}");
    }

    public void Happened(int what) => Fold((ulong)world.StepCount, (ulong)what);

    public void Note(string line) => write?.Invoke($"{world.Clock.Elapsed.TotalSeconds,9:0.0000} {line}");

    public static string Short(Guid id) => id.ToString()[^6..];

    private void Fold(params ReadOnlySpan<ulong> values)
    {
        var bytes = _fold.AsSpan(0, (values.Length + 1) * sizeof(ulong));
        BitConverter.TryWriteBytes(bytes, Fingerprint);
        for (var i = 0; i < values.Length; i++)
            BitConverter.TryWriteBytes(bytes[((i + 1) * sizeof(ulong))..], values[i]);
        Fingerprint = StableHash.Of(bytes);
    }
}
