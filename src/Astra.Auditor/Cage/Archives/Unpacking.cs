using Astra.Auditor.Cage.Content;

namespace Astra.Auditor.Cage.Archives;

/// <summary>An archive that grows beyond all measure while it is read.</summary>
internal sealed class BombException(string reason) : Exception(reason);

/// <summary>
/// The bounds that hold while anything is unpacked. Deflate can reach 1,030 to 1; real packages stay below 40 to 1. A
/// small file of one repeated line may well exceed 100 to 1, a large one does not.
/// </summary>
internal static class Unpacking
{
    private const int RatioMax = 200, LargeRatioMax = 100;
    private const long SmallSize = 4L << 20, LargeSize = 32L << 20;
    public const long TotalMax = 3L << 30;

    public static bool IsBomb(long compressed, long unpacked)
    {
        var ratio = unpacked / Math.Max(1, compressed);
        return (unpacked > SmallSize && ratio > RatioMax) || (unpacked > LargeSize && ratio > LargeRatioMax);
    }

    /// <summary>Reads a stream to its end; keeps the bytes as long as they may be looked at.</summary>
    /// <param name="each">Sees every chunk as it is unpacked, also those that are not kept.</param>
    /// <returns>The content, or null when it was too large to keep; and its true size.</returns>
    public static (ReadOnlyMemory<byte>? Content, long Size) ReadAll(
        Stream stream, long compressedSize, long sizeHint, int keepMax, Action<ReadOnlySpan<byte>>? each = null)
    {
        var kept = new MemoryStream((int)Math.Clamp(sizeHint, 256, 1 << 20));
        var buffer = new byte[64 << 10];
        long size = 0;
        while (stream.Read(buffer, 0, buffer.Length) is var count and > 0)
        {
            size += count;
            if (IsBomb(compressedSize, size))
                throw new BombException($"{compressedSize} bytes unpack to more than {size}.");
            each?.Invoke(buffer.AsSpan(0, count));
            if (size <= keepMax)
                kept.Write(buffer, 0, count);
        }
        return (size <= keepMax ? kept.GetBuffer().AsMemory(0, (int)kept.Length) : null, size);
    }
}

/// <summary>Archives inside packages are not extracted; their directory is read for what would hurt whoever does.</summary>
internal static class NestedArchives
{
    public static void Look(string path, ReadOnlyMemory<byte> content, Observations observations)
    {
        try
        {
            using var file = new MemoryStream(content.ToArray(), writable: false);
            var directory = ZipDirectory.Read(file);
            long unpacked = 0;
            foreach (var entry in directory.Entries)
            {
                unpacked += entry.Size;
                if (NameChecks.Escapes(entry.Name))
                    observations.Add("path-escape", path + "!" + entry.Name, "An entry of an archive inside the package.");
            }
            if (Unpacking.IsBomb(content.Length, unpacked))
                observations.Add("archive-bomb", path, $"An archive inside the package: {content.Length} bytes unpack to {unpacked}.");
        }
        catch (Exception failure) when (failure is InvalidDataException or EndOfStreamException or ArgumentException)
        {
            // Formats that merely begin like a zip file are data; nothing opens them as an archive.
        }
    }
}
