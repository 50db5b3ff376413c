using System.Buffers;

namespace Astra.Llm.Wire;

/// <summary>Bytes that grow in an array, rented with the first of them. One owner at a time; disposing it gives the array back.</summary>
public sealed class PooledBuffer(int size = 4096) : IBufferWriter<byte>, IDisposable
{
    private byte[] _array = [];
    private int _start;
    private int _end;

    public int Length => _end - _start;

    public ReadOnlySpan<byte> Span => _array.AsSpan(_start, Length);

    /// <summary>Valid until something is written.</summary>
    public ReadOnlyMemory<byte> Memory => _array.AsMemory(_start, Length);

    public void Advance(int count) => _end += count;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Ensure(Math.Max(sizeHint, 1));
        return _array.AsMemory(_end);
    }

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public void Write(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(GetSpan(bytes.Length));
        Advance(bytes.Length);
    }

    /// <summary>Forgets the first bytes.</summary>
    public void Consume(int count)
    {
        _start += count;
        if (_start == _end)
            _start = _end = 0;
    }

    public void Clear() => _start = _end = 0;

    public void Dispose()
    {
        GiveBack();
        Clear();
    }

    private void Ensure(int free)
    {
        if (_array.Length - _end >= free)
            return;
        if (_start > 0 && _array.Length - Length >= free)
        {
            Span.CopyTo(_array);
            (_start, _end) = (0, Length);
            return;
        }
        var larger = ArrayPool<byte>.Shared.Rent(_array.Length == 0 ? Math.Max(free, size) : Math.Max(Length + free, checked(_array.Length * 2)));
        Span.CopyTo(larger);
        GiveBack();
        (_array, _start, _end) = (larger, 0, Length);
    }

    private void GiveBack()
    {
        var array = Interlocked.Exchange(ref _array, []);
        if (array.Length > 0)
            ArrayPool<byte>.Shared.Return(array);
    }
}
