using System.Security.Cryptography;
using System.Text;
using Astra.Kernel;

namespace Astra.Tools.Webhooks;

/// <summary>
/// The secrets of hooks: made here, shown once, and kept sealed under a key of the fleet. A sealed secret is bound to its
/// tenant and hook, so that a row which is copied elsewhere opens nowhere.
/// </summary>
/// <remarks>The key is made from the fleet's secret, which is in the same database under a role of its own: who reads the
/// table of hooks, or a copy of it, has no secrets; who has the whole database has.</remarks>
public sealed class HookSecrets
{
    /// <summary>As Standard Webhooks writes a secret.</summary>
    public const string Prefix = "whsec_";

    private const int SecretBytes = 32;
    private const int NonceBytes = 12;
    private const int TagBytes = 16;

    private readonly byte[] _key;

    public HookSecrets(ReadOnlySpan<byte> fleetSecret)
    {
        _key = new byte[32];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, fleetSecret, _key, salt: [], info: "astra: secrets of hooks, 1"u8);
    }

    public static byte[] NewSecret() => RandomNumberGenerator.GetBytes(SecretBytes);

    public static string ToText(ReadOnlySpan<byte> secret) => Prefix + Convert.ToBase64String(secret);

    public byte[] Seal(TenantId tenant, HookId hook, ReadOnlySpan<byte> secret)
    {
        var box = new byte[NonceBytes + secret.Length + TagBytes];
        var nonce = box.AsSpan(0, NonceBytes);
        RandomNumberGenerator.Fill(nonce);
        using var aes = new AesGcm(_key, TagBytes);
        aes.Encrypt(nonce, secret, box.AsSpan(NonceBytes, secret.Length), box.AsSpan(NonceBytes + secret.Length), Owner(tenant, hook));
        return box;
    }

    /// <exception cref="CryptographicException">It was sealed for another hook, by another fleet, or was changed.</exception>
    public byte[] Open(TenantId tenant, HookId hook, ReadOnlySpan<byte> box)
    {
        if (box.Length < NonceBytes + TagBytes)
            throw new CryptographicException("This is no sealed secret.");
        var secret = new byte[box.Length - NonceBytes - TagBytes];
        using var aes = new AesGcm(_key, TagBytes);
        aes.Decrypt(box[..NonceBytes], box[NonceBytes..^TagBytes], box[^TagBytes..], secret, Owner(tenant, hook));
        return secret;
    }

    private static byte[] Owner(TenantId tenant, HookId hook) => Encoding.ASCII.GetBytes($"{tenant.Value:N}{hook.Value:N}");
}
