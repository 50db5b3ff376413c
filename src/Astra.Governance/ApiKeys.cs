using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Astra.Governance;

/// <summary>The form of API keys: `astra_` and 256 random bits. Only a key's SHA-256 is ever kept.</summary>
public static class ApiKeys
{
    private const string Prefix = "astra_";
    private const int SecretBytes = 32;

    public static string NewSecret() => Prefix + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(SecretBytes));

    /// <summary>What the store is asked with; null for what cannot be a key, so that noise does not reach the store.</summary>
    /// <remarks>Looking a key up by its hash takes no time that tells how much of a guess was right: the hash of a
    /// guess that is nearly right is as far from the stored one as any other.</remarks>
    public static byte[]? HashOf(ReadOnlySpan<char> secret)
    {
        if (!secret.StartsWith(Prefix, StringComparison.Ordinal))
            return null;
        var random = secret[Prefix.Length..];
        if (!Base64Url.IsValid(random, out var length) || length != SecretBytes || random.ContainsAny(" \t\r\n="))
            return null;
        Span<byte> ascii = stackalloc byte[secret.Length];
        return Encoding.ASCII.TryGetBytes(secret, ascii, out var written) ? SHA256.HashData(ascii[..written]) : null;
    }
}
