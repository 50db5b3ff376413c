using System.Buffers;
using Microsoft.Win32.SafeHandles;

namespace Astra.Tools.Sandboxes.Linux;

/// <summary>Keeps the first bytes that come out of a pipe, up to a limit, and never more than that in memory.</summary>
internal sealed class BoundedCapture(SafeFileHandle pipe, long limit)
{
    private readonly ArrayBufferWriter<byte> _kept = new();

    public SafeFileHandle Pipe => pipe;

    public bool Ended { get; private set; }

    public bool Overflowed { get; private set; }

    public ReadOnlyMemory<byte> Kept => _kept.WrittenMemory;

    /// <summary>Takes what is there now, one buffer of it: the thread has other runs to look after.</summary>
    /// <returns>False when there was nothing.</returns>
    public bool Take(Span<byte> buffer)
    {
        if (Ended) return false;
        var count = Native.Read(pipe, buffer);
        if (count < 0) return false;
        if (count == 0)
        {
            Ended = true;
            return false;
        }
        var room = (int)Math.Min(limit - _kept.WrittenCount, count);
        _kept.Write(buffer[..room]);
        Overflowed |= room < count;
        return true;
    }
}
