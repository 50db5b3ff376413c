using Astra.Auditor.Cage.Content;
using Astra.Auditor.Cage.Inspect;

namespace Astra.Auditor.Cage.Archives;

/// <summary>Reads every entry of a zip package, checking the container on the way.</summary>
internal static class ZipReading
{
    /// <param name="visit">Each entry's path and size, and its content unless it was too large to keep.</param>
    public static void Read(ZipDirectory directory, string archive, PackageReading reading, Action<string, ReadOnlyMemory<byte>?, long> visit)
    {
        var observations = reading.Observations;
        CheckNames(directory, observations);
        var locals = CheckHeaders(directory, archive, observations);
        if (CheckDeclaredSizes(directory, archive, observations))
            return;
        long total = 0;
        foreach (var entry in directory.Entries)
        {
            if (entry.IsDirectory || !locals.TryGetValue(entry, out var local))
                continue;
            try
            {
                using var stream = directory.Open(entry, local);
                var (content, size) = Unpacking.ReadAll(stream, entry.CompressedSize, entry.Size, PackageReading.LookSizeMax);
                total += size;
                if (total > Unpacking.TotalMax)
                    throw new BombException($"More than {Unpacking.TotalMax} bytes unpacked.");
                if (size != entry.Size)
                    observations.Add("headers-disagree", entry.Name, $"The directory claims {entry.Size} bytes, the entry unpacks to {size}.");
                visit(entry.Name, content, size);
            }
            catch (BombException bomb)
            {
                observations.Add("archive-bomb", entry.Name, bomb.Message);
                if (total > Unpacking.TotalMax)
                    return;
            }
            catch (NotSupportedException odd)
            {
                observations.Add("entry-not-read", entry.Name, odd.Message);
            }
            catch (Exception failure) when (failure is InvalidDataException or EndOfStreamException)
            {
                observations.Add("archive-broken", entry.Name, $"The entry cannot be read: {failure.Message}");
            }
        }
    }

    private static void CheckNames(ZipDirectory directory, Observations observations)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var seenFolded = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var entry in directory.Entries)
        {
            if (NameChecks.Escapes(entry.Name))
                observations.Add("path-escape", entry.Name, "An extractor that trusts the name writes outside the package.");
            if (entry.IsLink)
                observations.Add("link-escape", entry.Name, "A symbolic link in a zip archive; package managers never write one.");
            NameChecks.Check(entry.Name, observations);
            if (!seen.Add(entry.Name))
                observations.Add("duplicate-entries", entry.Name, "The archive holds this path twice.");
            else if (!seenFolded.Add(entry.Name))
                observations.Add("name-odd", entry.Name, "Differs from another entry only in case.");
        }
    }

    private static Dictionary<ZipEntry, ZipLocalHeader> CheckHeaders(ZipDirectory directory, string archive, Observations observations)
    {
        var locals = new Dictionary<ZipEntry, ZipLocalHeader>(ReferenceEqualityComparer.Instance);
        long reached = 0;
        ZipEntry? previous = null;
        foreach (var entry in directory.Entries.OrderBy(entry => entry.LocalOffset).ThenBy(entry => entry.DirectoryOffset))
        {
            ZipLocalHeader local;
            try
            {
                local = directory.ReadLocal(entry);
            }
            catch (Exception failure) when (failure is InvalidDataException or EndOfStreamException or ArgumentOutOfRangeException)
            {
                observations.Add("archive-broken", entry.Name, $"Its header cannot be read: {failure.Message}");
                continue;
            }
            if (previous is null && entry.LocalOffset > 0)
                observations.Add("archive-prefix", archive, $"{entry.LocalOffset} bytes precede the first entry.");
            if (local.Name != entry.Name)
                observations.Add("headers-disagree", entry.Name, $"The entry itself is named '{local.Name}'.");
            var sizesDiffer = local.Size != entry.Size || local.CompressedSize != entry.CompressedSize;
            var sizesKnown = !local.SizesFollowData && local.Size != uint.MaxValue && local.CompressedSize != uint.MaxValue;
            if (local.Method != entry.Method || (sizesKnown && sizesDiffer))
                observations.Add("headers-disagree", entry.Name, $"The entry itself claims {local.CompressedSize} to {local.Size} bytes, the directory {entry.CompressedSize} to {entry.Size}.");
            if (entry.LocalOffset < reached && previous is not null)
                observations.Add("entries-overlap", entry.Name, $"Begins inside '{previous.Name}'.");
            if (local.DataOffset + entry.CompressedSize > directory.Start)
                observations.Add("entries-overlap", entry.Name, "Its data would reach into the archive's directory.");
            reached = Math.Max(reached, local.DataOffset + entry.CompressedSize);
            previous = entry;
            locals[entry] = local;
        }
        return locals;
    }

    /// <returns>True when not even the claims are bearable, and nothing should be unpacked.</returns>
    private static bool CheckDeclaredSizes(ZipDirectory directory, string archive, Observations observations)
    {
        long compressed = 0, unpacked = 0;
        foreach (var entry in directory.Entries)
        {
            compressed += Math.Max(0, entry.CompressedSize);
            unpacked += Math.Max(0, entry.Size);
        }
        // Overlapping entries count the same bytes again and again; the archive's own length does not.
        compressed = Math.Min(compressed, directory.EndOffset);
        if (!Unpacking.IsBomb(compressed, unpacked) && unpacked <= Unpacking.TotalMax)
            return false;
        observations.Add("archive-bomb", archive, $"{compressed} bytes claim to unpack to {unpacked}.");
        return true;
    }
}
