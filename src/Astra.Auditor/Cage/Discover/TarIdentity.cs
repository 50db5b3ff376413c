using System.Formats.Tar;
using System.IO.Compression;
using System.Text.Json;
using Astra.Auditor.Cage.Archives;

namespace Astra.Auditor.Cage.Discover;

/// <summary>Which package a gzip-compressed tar archive says it is; null when it is not a package, or cannot be read.</summary>
internal static class TarIdentity
{
    private const int ManifestSizeMax = 1 << 20;

    // A manifest comes early or is small; an archive that hides it deeper is named by its file.
    private const int EntriesMax = 4_000;
    private const long UnpackedMax = 64L << 20;

    public static (string Id, string Version)? OfNpm(string path) =>
        Find(path, name => TarReading.WithoutRoot(name) == "package.json") is { } json ? FromManifest(json) : null;

    public static (string Id, string Version)? OfPython(string path) =>
        Find(path, name => TarReading.WithoutRoot(name) == "PKG-INFO") is { } info ? FromMetadata(System.Text.Encoding.UTF8.GetString(info)) : null;

    public static (string Id, string Version)? FromMetadata(string text)
    {
        string? id = null, version = null;
        foreach (var line in text.Split('\n'))
        {
            if (line.StartsWith("Name:", StringComparison.OrdinalIgnoreCase))
                id ??= line[5..].Trim();
            else if (line.StartsWith("Version:", StringComparison.OrdinalIgnoreCase))
                version ??= line[8..].Trim();
            if (line.Trim().Length == 0)
                break;
        }
        return id is { Length: > 0 and < 120 } && version is { Length: > 0 and < 80 } ? (id, version) : null;
    }

    private static byte[]? Find(string path, Func<string, bool> isManifest)
    {
        try
        {
            using var file = File.OpenRead(path);
            using var unpacked = new GZipStream(file, CompressionMode.Decompress);
            using var tar = new TarReader(unpacked);
            long size = 0;
            for (var count = 0; count < EntriesMax && size < UnpackedMax && tar.GetNextEntry() is { } entry; count++)
            {
                size += entry.Length;
                if (!isManifest(entry.Name) || entry.DataStream is null || entry.Length > ManifestSizeMax)
                    continue;
                var content = new byte[entry.Length];
                entry.DataStream.ReadExactly(content);
                return content;
            }
        }
        catch (Exception failure) when (failure is InvalidDataException or IOException or FormatException or ArgumentException or NotSupportedException)
        {
            // The inspector will say what is wrong with it; discovery only needs a name to call it by.
        }
        return null;
    }

    private static (string Id, string Version)? FromManifest(byte[] json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var (id, version) = (JsonFiles.Text(document.RootElement, "name"), JsonFiles.Text(document.RootElement, "version"));
            return id is { Length: > 0 and < 120 } && version is { Length: > 0 and < 80 } ? (id, version) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
