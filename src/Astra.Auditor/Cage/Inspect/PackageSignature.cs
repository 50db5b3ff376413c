using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using Astra.Auditor.Cage.Archives;

namespace Astra.Auditor.Cage.Inspect;

/// <summary>
/// A NuGet signature signs a small text holding the archive's hash. That hash is compared; whose certificate it is and
/// who vouches for it is not judged, because the answer would tempt a reader to stop reading.
/// </summary>
internal static class PackageSignature
{
    private const int SizeMax = 1 << 20;

    private static readonly (string Oid, HashAlgorithmName Name)[] Algorithms =
    [
        ("2.16.840.1.101.3.4.2.1-Hash:", HashAlgorithmName.SHA256),
        ("2.16.840.1.101.3.4.2.2-Hash:", HashAlgorithmName.SHA384),
        ("2.16.840.1.101.3.4.2.3-Hash:", HashAlgorithmName.SHA512),
    ];

    private static readonly SearchValues<char> Base64Characters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=");

    public static void Check(Stream file, ZipDirectory directory, Observations observations)
    {
        var entry = directory.Entries.First(entry => entry.Name == NuGetContentHash.SignatureName);
        if (entry.Size > SizeMax || entry.Method != 0)
        {
            observations.Add("signature-mismatch", entry.Name, "The signature entry is compressed or oversized, which the format forbids.");
            return;
        }
        using var stream = directory.Open(entry, directory.ReadLocal(entry));
        var (content, _) = Unpacking.ReadAll(stream, entry.CompressedSize, entry.Size, SizeMax);
        // The signed text stands in the clear inside the signature's envelope.
        var text = Encoding.Latin1.GetString(content!.Value.Span);
        foreach (var (oid, algorithm) in Algorithms)
        {
            var at = text.IndexOf(oid, StringComparison.Ordinal);
            if (at < 0)
                continue;
            var value = text.AsSpan(at + oid.Length);
            var end = value.IndexOfAnyExcept(Base64Characters);
            var signed = end < 0 ? value : value[..end];
            var actual = Convert.ToBase64String(NuGetContentHash.Compute(file, directory, algorithm));
            if (signed.SequenceEqual(actual))
                observations.Add("signature-present", entry.Name, "The hash in its signature is the hash of this archive.");
            else
                observations.Add("signature-mismatch", entry.Name, $"The signature covers {signed}, the archive hashes to {actual}.");
            return;
        }
        observations.Add("signature-mismatch", entry.Name, "The signature names no hash.");
    }
}
