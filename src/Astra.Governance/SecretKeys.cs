using System.Security.Cryptography;
using System.Text;

namespace Astra.Governance;

/// <summary>
/// The keys that secrets are sealed under, in a file of its own or handed over by the service manager, and in no database: who has
/// a copy of the database has no secrets. The last line of the file seals; every line opens, so that a key can be followed by another.
/// </summary>
public sealed class SecretKeys : IDisposable
{
    public const string FileName = "secrets.key";

    /// <summary>As systemd hands a credential over: a file of this name in $CREDENTIALS_DIRECTORY.</summary>
    public const string CredentialName = "astra-secrets-key";

    private const int KeyBytes = 32;
    private const int NonceBytes = 12;
    private const int TagBytes = 16;

    private readonly string _path;
    private readonly IReadOnlyList<(string Id, byte[] Key)> _keys;

    private SecretKeys(string path, IReadOnlyList<(string Id, byte[] Key)> keys) => (_path, _keys) = (path, keys);

    public string CurrentId => _keys[^1].Id;

    /// <param name="credentialsDirectory">What the service manager has said, or null.</param>
    /// <exception cref="SecretKeyException">The file cannot be trusted or read; the message says what to do.</exception>
    public static SecretKeys Open(string dataDirectory, string? credentialsDirectory)
    {
        if (!string.IsNullOrEmpty(credentialsDirectory) && Path.Combine(credentialsDirectory, CredentialName) is var given && File.Exists(given))
            return Read(given);
        var path = Path.Combine(dataDirectory, FileName);
        if (!File.Exists(path))
            Create(path);
        return Read(path);
    }

    /// <summary>Bound to its owner and its name: a row that is copied elsewhere opens nowhere.</summary>
    public byte[] Seal(Guid tenant, string name, string secret)
    {
        var plain = Encoding.UTF8.GetBytes(secret);
        var box = new byte[NonceBytes + plain.Length + TagBytes];
        RandomNumberGenerator.Fill(box.AsSpan(0, NonceBytes));
        using var aes = new AesGcm(_keys[^1].Key, TagBytes);
        aes.Encrypt(box.AsSpan(0, NonceBytes), plain, box.AsSpan(NonceBytes, plain.Length), box.AsSpan(NonceBytes + plain.Length), Owner(tenant, name, _keys[^1].Id));
        CryptographicOperations.ZeroMemory(plain);
        return box;
    }

    /// <exception cref="SecretKeyException">It was sealed under a key that is not here, for somebody else, or was changed.</exception>
    public string Open(Guid tenant, string name, string keyId, ReadOnlySpan<byte> box)
    {
        if (_keys.FirstOrDefault(key => key.Id == keyId).Key is not { } key)
            throw new SecretKeyException($"The secret {name} was sealed under the key {keyId}, which is not in {_path}: copy that file from the server that set the secret, or set it again with `astra secret set {name}`.");
        if (box.Length < NonceBytes + TagBytes)
            throw Damaged(name);
        var plain = new byte[box.Length - NonceBytes - TagBytes];
        try
        {
            using var aes = new AesGcm(key, TagBytes);
            aes.Decrypt(box[..NonceBytes], box[NonceBytes..^TagBytes], box[^TagBytes..], plain, Owner(tenant, name, keyId));
            return Encoding.UTF8.GetString(plain);
        }
        catch (CryptographicException)
        {
            throw Damaged(name);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(plain);
        }
    }

    public void Dispose()
    {
        foreach (var (_, key) in _keys)
            CryptographicOperations.ZeroMemory(key);
    }

    private static SecretKeys Read(string path)
    {
        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & ~(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute)) != UnixFileMode.None)
            throw new SecretKeyException($"{path} holds the key of all secrets and others than its owner may read or change it: type `chmod 600 {path}`, and set the secrets anew if somebody may have read it.");
        string[] lines;
        try
        {
            lines = File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SecretKeyException($"{path} holds the key of all secrets and cannot be read: {e.Message}");
        }
        var keys = lines.Where(line => line.Trim().Length > 0).Select(line => Parse(path, line.Trim())).ToList();
        return keys.Count > 0 ? new SecretKeys(path, keys) : throw new SecretKeyException($"{path} is to hold the key of all secrets and is empty: restore it, or delete it and set the secrets anew.");
    }

    /// <remarks>A key's id is made of the key, so that it is the same on every server and cannot be given to another one.</remarks>
    private static (string Id, byte[] Key) Parse(string path, string line)
    {
        var key = new byte[KeyBytes];
        if (!Convert.TryFromBase64String(line, key, out var length) || length != KeyBytes)
            throw new SecretKeyException($"{path} is to hold keys of {KeyBytes} bytes in base64, one to a line, and holds something else: restore it.");
        return (Convert.ToHexStringLower(SHA256.HashData([.. "astra: id of a key of secrets"u8, .. key]))[..8], key);
    }

    /// <summary>Readable by its owner only from its first byte, never half there, and never over one that somebody else has just made.</summary>
    private static void Create(string path)
    {
        var unfinished = $"{path}.{Environment.ProcessId}";
        File.Delete(unfinished);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var file = new FileStream(unfinished, options))
        {
            file.Write(Encoding.ASCII.GetBytes(Convert.ToBase64String(RandomNumberGenerator.GetBytes(KeyBytes)) + "\n"));
            file.Flush(flushToDisk: true);
        }
        try
        {
            File.Move(unfinished, path, overwrite: false);
        }
        catch (IOException) when (File.Exists(path))
        {
            File.Delete(unfinished);
        }
    }

    private static byte[] Owner(Guid tenant, string name, string keyId) => Encoding.UTF8.GetBytes($"{tenant:N}\n{keyId}\n{name}");

    private static SecretKeyException Damaged(string name) =>
        new($"The secret {name} does not open: its row was changed, or belongs to another name or tenant; set it again with `astra secret set {name}`.");
}

/// <summary>Secrets cannot be sealed or opened. The message never holds a key or a secret.</summary>
public sealed class SecretKeyException(string sentence) : Exception(sentence);
