using System.Xml;
using Astra.Auditor.Cage.Archives;

namespace Astra.Auditor.Cage.Discover;

/// <summary>Which package an archive says it is, from its nuspec; from its file name when it cannot say.</summary>
internal static class NuspecIdentity
{
    private const int NuspecSizeMax = 1 << 20;

    public static (string Id, string Version) Of(string archive)
    {
        try
        {
            using var file = File.OpenRead(archive);
            var directory = ZipDirectory.Read(file);
            var entry = directory.Entries.FirstOrDefault(entry => entry.Name.EndsWith(".nuspec", StringComparison.OrdinalIgnoreCase) && !entry.Name.Contains('/'));
            if (entry is not null && entry.Size < NuspecSizeMax)
            {
                using var stream = directory.Open(entry, directory.ReadLocal(entry));
                var (content, _) = Unpacking.ReadAll(stream, entry.CompressedSize, entry.Size, NuspecSizeMax);
                if (content is { } bytes && Parse(bytes) is { } identity)
                    return identity;
            }
        }
        catch (Exception failure) when (failure is InvalidDataException or IOException or XmlException or NotSupportedException or BombException or ArgumentException)
        {
            // The inspector will say what is wrong with it; discovery only needs a name to call it by.
        }
        return FromFileName(Path.GetFileNameWithoutExtension(archive));
    }

    private static (string Id, string Version)? Parse(ReadOnlyMemory<byte> nuspec)
    {
        using var reader = XmlReader.Create(new MemoryStream(nuspec.ToArray()), new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit });
        string? id = null, version = null;
        while ((id is null || version is null) && reader.Read())
        {
            if (reader.NodeType == XmlNodeType.Element && reader.LocalName == "id")
                id ??= reader.ReadElementContentAsString().Trim();
            if (reader.NodeType == XmlNodeType.Element && reader.LocalName == "version")
                version ??= reader.ReadElementContentAsString().Trim();
        }
        return id is { Length: > 0 and < 120 } && version is { Length: > 0 and < 80 } ? (id, version.Split('+')[0]) : null;
    }

    /// <summary>`name.1.2.3`: the version begins at the first part that is a number and followed by numbers.</summary>
    private static (string Id, string Version) FromFileName(string name)
    {
        for (var at = name.IndexOf('.'); at >= 0; at = name.IndexOf('.', at + 1))
        {
            if (at + 1 < name.Length && char.IsAsciiDigit(name[at + 1]))
                return (name[..at], name[(at + 1)..]);
        }
        return (name, "0");
    }
}
