using System.Security.Cryptography;

namespace Astra.Auditor.Cage.Inspect;

/// <summary>Recorded hashes in the forms ecosystems write them: `sha512-base64` (npm), `sha256:hex` (Python).</summary>
internal static class Hashes
{
    private static readonly string[] StrongestFirst = ["sha512", "sha384", "sha256", "sha1", "md5"];

    /// <summary>Compares a file with the strongest of its recorded hashes, as package managers do.</summary>
    public static void Compare(string path, string where, IEnumerable<string> expected, Observations observations)
    {
        // A lock file may list several files of one version (a wheel per platform); one of them must be this one.
        var parsed = expected.Select(Parse).OfType<(string Algorithm, byte[] Value)>().ToList();
        if (parsed.Count == 0)
            return;
        var algorithm = StrongestFirst.First(name => parsed.Exists(hash => hash.Algorithm == name));
        var actual = OfFile(path, algorithm);
        if (!parsed.Exists(hash => hash.Algorithm == algorithm && hash.Value.AsSpan().SequenceEqual(actual)))
            observations.Add("hash-mismatch", where, $"Its {algorithm} is {Convert.ToBase64String(actual)}, not the recorded one.");
        if (algorithm is "sha1" or "md5")
            observations.Add("weak-hash", where, $"Only {algorithm} is recorded.");
    }

    public static (string Algorithm, byte[] Value)? Parse(string recorded)
    {
        var at = recorded.IndexOfAny(['-', ':', '=']);
        if (at < 0)
            return null;
        var algorithm = recorded[..at].ToLowerInvariant();
        var value = recorded[(at + 1)..].Split('?')[0];
        if (!StrongestFirst.Contains(algorithm))
            return null;
        var size = Size(algorithm);
        if (value.Length == size * 2 && value.All(char.IsAsciiHexDigit))
            return (algorithm, Convert.FromHexString(value));
        return Content.TextViews.FromBase64(value) is { } bytes && bytes.Length >= size ? (algorithm, bytes[..size]) : null;
    }

    public static byte[] Of(ReadOnlySpan<byte> content, string algorithm) => algorithm switch
    {
        "sha512" => SHA512.HashData(content),
        "sha384" => SHA384.HashData(content),
        "sha256" => SHA256.HashData(content),
        "sha1" => Sha1(content),
        _ => Md5(content),
    };

    private static byte[] OfFile(string path, string algorithm)
    {
        using var file = File.OpenRead(path);
        using var hash = IncrementalHash.CreateHash(new HashAlgorithmName(algorithm.ToUpperInvariant()));
        var buffer = new byte[128 << 10];
        while (file.Read(buffer, 0, buffer.Length) is var count and > 0)
            hash.AppendData(buffer, 0, count);
        return hash.GetHashAndReset();
    }

    // Old lock files and dpkg record nothing stronger; comparing with them is still worth something, and the report says how little.
#pragma warning disable CA5350, CA5351
    private static byte[] Sha1(ReadOnlySpan<byte> content) => SHA1.HashData(content);

    private static byte[] Md5(ReadOnlySpan<byte> content) => MD5.HashData(content);
#pragma warning restore CA5350, CA5351

    private static int Size(string algorithm) => algorithm switch { "sha512" => 64, "sha384" => 48, "sha256" => 32, "sha1" => 20, _ => 16 };
}
