using System.Text.Json;

namespace Astra.Auditor.Cage.Discover;

/// <summary>npm's content-addressed cache: index entries name the tarballs' addresses and integrity, and the integrity names
/// the file that holds them.</summary>
internal static class NpmCacheIndex
{
    private const string KeyPrefix = "make-fetch-happen:request-cache:";
    private const int IndexFileSizeMax = 4 << 20;

    public static void Read(string cache, bool all, Finds finds)
    {
        foreach (var (url, integrity) in Entries(Path.Combine(cache, "index-v5")))
        {
            if (IdentityOf(url) is not { } identity || ContentPath(cache, integrity) is not { } content)
                continue;
            var known = finds.Find(Ecosystem.Npm, identity.Id, identity.Version);
            if (known is null && !all)
                continue;
            finds.Add(new PackageRef
            {
                Ecosystem = Ecosystem.Npm,
                Id = identity.Id,
                Version = identity.Version,
                Used = false,
                Chain = ["npm cache", url],
                // Content is filed under its hash, so a file that no longer matches was changed in the cache.
                Expected = known is { Expected.Count: > 0 } ? [] : [.. integrity.Split(' ', StringSplitOptions.RemoveEmptyEntries)],
                Parts = [new PackagePart(PartKind.NpmArchive, content)],
            });
        }
    }

    private static IEnumerable<(string Url, string Integrity)> Entries(string index)
    {
        if (!Directory.Exists(index))
            yield break;
        foreach (var path in Directory.EnumerateFiles(index, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            if (new FileInfo(path) is { LinkTarget: not null } or { Length: > IndexFileSizeMax })
                continue;
            foreach (var line in File.ReadLines(path))
            {
                // Each line is a checksum, a tab and the entry; appended to, so the last one of a key holds.
                var tab = line.IndexOf('\t');
                if (tab >= 0 && Parse(line[(tab + 1)..]) is { } entry)
                    yield return entry;
            }
        }
    }

    private static (string Url, string Integrity)? Parse(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var key = JsonFiles.Text(document.RootElement, "key");
            var integrity = JsonFiles.Text(document.RootElement, "integrity");
            return key is not null && integrity is not null && key.StartsWith(KeyPrefix, StringComparison.Ordinal) ? (key[KeyPrefix.Length..], integrity) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>`https://registry/@scope/name/-/name-1.2.3.tgz`.</summary>
    private static (string Id, string Version)? IdentityOf(string url)
    {
        var at = url.IndexOf("/-/", StringComparison.Ordinal);
        if (at < 0 || !url.EndsWith(".tgz", StringComparison.Ordinal))
            return null;
        var parts = url[..at].Split('/');
        var name = parts[^1];
        var id = parts.Length > 1 && parts[^2].StartsWith('@') ? parts[^2] + "/" + name : name;
        var file = url[(at + 3)..^4];
        return file.StartsWith(name + "-", StringComparison.Ordinal) ? (Uri.UnescapeDataString(id), file[(name.Length + 1)..]) : null;
    }

    private static string? ContentPath(string cache, string integrity)
    {
        if (Inspect.Hashes.Parse(integrity.Split(' ')[0]) is not { } hash)
            return null;
        var hex = Convert.ToHexStringLower(hash.Value);
        var path = Path.Combine(cache, "content-v2", hash.Algorithm, hex[..2], hex[2..4], hex[4..]);
        return File.Exists(path) ? path : null;
    }
}
