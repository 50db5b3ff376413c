using System.Formats.Tar;
using System.IO.Compression;
using Astra.Auditor.Cage.Content;
using Astra.Auditor.Cage.Inspect;

namespace Astra.Auditor.Cage.Archives;

/// <summary>Reads every file of a gzip-compressed tar package, checking the container on the way.</summary>
internal static class TarReading
{
    /// <param name="visit">Each file's path with the archive's single root directory removed, its size, and its content unless
    /// it was too large to keep.</param>
    public static void Read(Stream file, string archive, PackageReading reading, Action<string, ReadOnlyMemory<byte>?, long> visit)
    {
        var observations = reading.Observations;
        try
        {
            using var unpacked = new MeteredStream(new GZipStream(file, CompressionMode.Decompress, leaveOpen: true), () => file.Position);
            using var tar = new TarReader(unpacked);
            var seen = new HashSet<string>(StringComparer.Ordinal);
            while (tar.GetNextEntry() is { } entry)
            {
                if (Check(entry, seen, observations))
                    continue;
                ReadOnlyMemory<byte>? content = ReadOnlyMemory<byte>.Empty;
                long size = 0;
                if (entry.DataStream is { } data)
                    (content, size) = Unpacking.ReadAll(data, long.MaxValue, entry.Length, PackageReading.LookSizeMax);
                visit(WithoutRoot(entry.Name), content, size);
            }
            // The rest holds only padding; reading it proves that the compressed stream ends where it should.
            unpacked.CopyTo(Stream.Null);
        }
        catch (BombException bomb)
        {
            observations.Add("archive-bomb", archive, bomb.Message);
        }
        catch (Exception failure) when (failure is InvalidDataException or EndOfStreamException or FormatException or ArgumentException or NotSupportedException)
        {
            observations.Add("archive-broken", archive, $"Cannot be read to its end: {failure.Message}");
        }
    }

    public static string WithoutRoot(string name)
    {
        var path = name.Replace('\\', '/').TrimStart('.').TrimStart('/');
        var slash = path.IndexOf('/');
        return slash < 0 ? path : path[(slash + 1)..];
    }

    /// <returns>True when the entry has no content of its own.</returns>
    private static bool Check(TarEntry entry, HashSet<string> seen, Observations observations)
    {
        var name = entry.Name;
        if (NameChecks.Escapes(name))
            observations.Add("path-escape", name, "An extractor that trusts the name writes outside the package.");
        NameChecks.Check(name, observations);
        if (entry.EntryType is TarEntryType.SymbolicLink or TarEntryType.HardLink)
        {
            var target = entry.EntryType == TarEntryType.SymbolicLink ? entry.LinkName : "/" + entry.LinkName;
            var escapes = entry.EntryType == TarEntryType.SymbolicLink ? NameChecks.LinkEscapes(name, target) : NameChecks.Escapes(entry.LinkName);
            observations.Add(escapes ? "link-escape" : "name-odd", name, $"A link to '{entry.LinkName}'.");
            return true;
        }
        if (entry.EntryType is TarEntryType.CharacterDevice or TarEntryType.BlockDevice or TarEntryType.Fifo)
        {
            observations.Add("link-escape", name, "A device or pipe: packages hold files.");
            return true;
        }
        if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile))
            return true;
        if (!seen.Add(name))
            observations.Add("duplicate-entries", name, "The archive holds this path twice.");
        return false;
    }

    /// <summary>Counts what comes out against what went in.</summary>
    private sealed class MeteredStream(Stream inner, Func<long> consumed) : Stream
    {
        private long _count;

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => _count; set => throw new NotSupportedException(); }

        public override int Read(Span<byte> buffer)
        {
            var count = inner.Read(buffer);
            _count += count;
            if (Unpacking.IsBomb(consumed(), _count) || _count > Unpacking.TotalMax)
                throw new BombException($"{consumed()} bytes unpack to more than {_count}.");
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));
        public override void Flush() { }
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
