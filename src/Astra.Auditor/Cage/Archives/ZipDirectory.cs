using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Astra.Auditor.Cage.Archives;

/// <param name="DirectoryOffset">Where its record in the central directory begins.</param>
/// <param name="DirectorySize">The record's length.</param>
/// <param name="UnixMode">File type and permissions when the archive was made on Unix; otherwise 0.</param>
internal sealed record ZipEntry(
    string Name, ushort Flags, ushort Method, uint Crc, long CompressedSize, long Size, long LocalOffset,
    long DirectoryOffset, int DirectorySize, int UnixMode)
{
    public bool IsDirectory => Name.EndsWith('/');
    public bool IsLink => (UnixMode & 0xF000) == 0xA000;
    public bool IsEncrypted => (Flags & 1) != 0;
}

/// <summary>Where an entry's own header says its data is; compared with the directory, because attacks live in the difference.</summary>
internal sealed record ZipLocalHeader(string Name, ushort Method, long CompressedSize, long Size, long DataOffset, bool SizesFollowData);

/// <summary>
/// The central directory of a zip file, read by hand: the checks need offsets, raw sizes and both copies of every
/// header, which a convenient reader reconciles and hides.
/// </summary>
internal sealed class ZipDirectory
{
    private const uint EndSignature = 0x06054B50, End64Signature = 0x06064B50, Locator64Signature = 0x07064B50;
    private const uint EntrySignature = 0x02014B50, LocalSignature = 0x04034B50;
    private const int EndSize = 22, EntrySize = 46, LocalSize = 30, CommentSizeMax = ushort.MaxValue;

    // A package of a hundred thousand files exists; a million entries is an attack on the reader.
    private const int EntryCountMax = 200_000;
    private const long DirectorySizeMax = 64L << 20;

    private readonly Stream _file;

    private ZipDirectory(Stream file, List<ZipEntry> entries, long endOffset, long start)
    {
        _file = file;
        Entries = entries;
        EndOffset = endOffset;
        Start = start;
    }

    /// <summary>In the order of the directory.</summary>
    public IReadOnlyList<ZipEntry> Entries { get; }

    /// <summary>Where the end-of-central-directory record begins.</summary>
    public long EndOffset { get; }

    /// <summary>Where the central directory begins.</summary>
    public long Start { get; }

    /// <exception cref="InvalidDataException">Not a zip file, or a damaged one.</exception>
    public static ZipDirectory Read(Stream file)
    {
        var endOffset = FindEnd(file);
        Span<byte> end = stackalloc byte[EndSize];
        ReadAt(file, endOffset, end);
        long count = U16(end[10..]), size = U32(end[12..]), start = U32(end[16..]);
        if (count == ushort.MaxValue || size == uint.MaxValue || start == uint.MaxValue)
            (count, size, start) = ReadEnd64(file, endOffset) ?? (count, size, start);
        if (count > EntryCountMax || size > DirectorySizeMax)
            throw new InvalidDataException($"The archive's directory claims {count} entries in {size} bytes.");
        if (start < 0 || size < 0 || start + size > endOffset)
            throw new InvalidDataException("The archive's directory lies outside the archive.");
        var directory = new byte[size];
        ReadAt(file, start, directory);
        var entries = new List<ZipEntry>((int)count);
        for (var at = 0; at < directory.Length && entries.Count < count;)
        {
            var entry = ParseEntry(directory.AsSpan(at), start + at);
            entries.Add(entry);
            at += entry.DirectorySize;
        }
        if (entries.Count != count)
            throw new InvalidDataException($"The archive's directory promises {count} entries and holds {entries.Count}.");
        return new ZipDirectory(file, entries, endOffset, start);
    }

    /// <exception cref="InvalidDataException">There is no header where the directory says.</exception>
    public ZipLocalHeader ReadLocal(ZipEntry entry)
    {
        Span<byte> header = stackalloc byte[LocalSize];
        ReadAt(_file, entry.LocalOffset, header);
        if (U32(header) != LocalSignature)
            throw new InvalidDataException($"No entry begins where the directory says '{entry.Name}' does.");
        int nameSize = U16(header[26..]), extraSize = U16(header[28..]);
        var name = new byte[nameSize];
        ReadAt(_file, entry.LocalOffset + LocalSize, name);
        return new ZipLocalHeader(
            DecodeName(name), U16(header[8..]), U32(header[18..]), U32(header[22..]),
            entry.LocalOffset + LocalSize + nameSize + extraSize, (U16(header[6..]) & 8) != 0);
    }

    /// <summary>The entry's decompressed bytes; the stream trusts no size.</summary>
    /// <exception cref="NotSupportedException">Encrypted, or compressed in a way no package manager writes.</exception>
    public Stream Open(ZipEntry entry, ZipLocalHeader local)
    {
        if (entry.IsEncrypted)
            throw new NotSupportedException("The entry is encrypted.");
        var raw = new StreamSlice(_file, local.DataOffset, entry.CompressedSize);
        return entry.Method switch
        {
            0 => raw,
            8 => new DeflateStream(raw, CompressionMode.Decompress),
            _ => throw new NotSupportedException($"Compression method {entry.Method}."),
        };
    }

    public static void ReadAt(Stream file, long offset, Span<byte> into)
    {
        file.Position = offset;
        file.ReadExactly(into);
    }

    private static long FindEnd(Stream file)
    {
        var tailSize = (int)Math.Min(file.Length, EndSize + CommentSizeMax);
        var tail = new byte[tailSize];
        ReadAt(file, file.Length - tailSize, tail);
        for (var at = tailSize - EndSize; at >= 0; at--)
        {
            if (U32(tail.AsSpan(at)) == EndSignature && at + EndSize + U16(tail.AsSpan(at + 20)) <= tailSize)
                return file.Length - tailSize + at;
        }
        throw new InvalidDataException("The archive has no end record: it is truncated or not a zip file.");
    }

    private static (long Count, long Size, long Start)? ReadEnd64(Stream file, long endOffset)
    {
        if (endOffset < 20)
            return null;
        Span<byte> locator = stackalloc byte[20];
        ReadAt(file, endOffset - 20, locator);
        if (U32(locator) != Locator64Signature)
            return null;
        Span<byte> end64 = stackalloc byte[56];
        var end64Offset = (long)BinaryPrimitives.ReadUInt64LittleEndian(locator[8..]);
        if (end64Offset < 0 || end64Offset > endOffset - 56)
            throw new InvalidDataException("The archive's 64-bit end record lies outside the archive.");
        ReadAt(file, end64Offset, end64);
        if (U32(end64) != End64Signature)
            throw new InvalidDataException("The archive's 64-bit end record is damaged.");
        return (I64(end64[32..]), I64(end64[40..]), I64(end64[48..]));
    }

    private static ZipEntry ParseEntry(ReadOnlySpan<byte> record, long offset)
    {
        if (record.Length < EntrySize || U32(record) != EntrySignature)
            throw new InvalidDataException("The archive's directory is damaged.");
        int nameSize = U16(record[28..]), extraSize = U16(record[30..]), commentSize = U16(record[32..]);
        var recordSize = EntrySize + nameSize + extraSize + commentSize;
        if (record.Length < recordSize)
            throw new InvalidDataException("The archive's directory is truncated.");
        long compressed = U32(record[20..]), size = U32(record[24..]), local = U32(record[42..]);
        ReadExtra64(record.Slice(EntrySize + nameSize, extraSize), ref size, ref compressed, ref local);
        var madeOnUnix = record[5] == 3;
        return new ZipEntry(
            DecodeName(record.Slice(EntrySize, nameSize)), U16(record[8..]), U16(record[10..]), U32(record[16..]),
            compressed, size, local, offset, recordSize, madeOnUnix ? (int)(U32(record[38..]) >> 16) : 0);
    }

    /// <summary>The 64-bit values, present only for fields whose 32 bits are all ones, in this fixed order.</summary>
    private static void ReadExtra64(ReadOnlySpan<byte> extra, ref long size, ref long compressed, ref long local)
    {
        while (extra.Length >= 4)
        {
            int id = U16(extra), length = U16(extra[2..]);
            if (length > extra.Length - 4)
                return;
            if (id == 1)
            {
                var values = extra.Slice(4, length);
                Take(ref values, ref size);
                Take(ref values, ref compressed);
                Take(ref values, ref local);
                return;
            }
            extra = extra[(4 + length)..];
        }

        static void Take(ref ReadOnlySpan<byte> values, ref long field)
        {
            if (field != uint.MaxValue || values.Length < 8)
                return;
            field = I64(values);
            values = values[8..];
        }
    }

    private static string DecodeName(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            return Encoding.Latin1.GetString(bytes);
        }
    }

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    private static ushort U16(ReadOnlySpan<byte> at) => BinaryPrimitives.ReadUInt16LittleEndian(at);
    private static uint U32(ReadOnlySpan<byte> at) => BinaryPrimitives.ReadUInt32LittleEndian(at);
    private static long I64(ReadOnlySpan<byte> at) => BinaryPrimitives.ReadInt64LittleEndian(at);
}
