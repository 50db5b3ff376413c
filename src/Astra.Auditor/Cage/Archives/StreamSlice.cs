namespace Astra.Auditor.Cage.Archives;

/// <summary>A stretch of a file as a stream of its own. Reading moves the file's position; slices of one file are read
/// one at a time.</summary>
internal sealed class StreamSlice(Stream file, long offset, long length) : Stream
{
    private long _position;

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => length;
    public override long Position { get => _position; set => throw new NotSupportedException(); }

    public override int Read(Span<byte> buffer)
    {
        var wanted = (int)Math.Min(buffer.Length, length - _position);
        if (wanted <= 0)
            return 0;
        file.Position = offset + _position;
        var count = file.Read(buffer[..wanted]);
        if (count == 0)
            throw new EndOfStreamException("The archive ends inside an entry.");
        _position += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));
    public override void Flush() { }
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
