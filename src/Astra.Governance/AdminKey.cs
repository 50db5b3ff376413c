using System.Text;
using Astra.Kernel;

namespace Astra.Governance;

/// <summary>
/// The key of whoever runs the server, in `admin.key` in the data directory: who can read that file is the admin, as
/// with a database's socket.
/// </summary>
public static class AdminKey
{
    public const string FileName = "admin.key";

    /// <summary>Reads the key, or makes one; either way the store knows it afterwards, as an admin's of this tenant.</summary>
    public static async ValueTask<string> EnsureAsync(string dataDirectory, TenantId tenant, IApiKeyStore keys, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var path = Path.Combine(dataDirectory, FileName);
        if (await ReadAsync(path, cancellationToken) is { } known && ApiKeys.HashOf(known) is { } knownHash)
        {
            switch (await keys.FindAsync(knownHash, cancellationToken))
            {
                case { RevokedAt: null }:
                    return known;
                case null:
                    // The database is another one than the file was made for, or the server died between the two.
                    await keys.AddAsync(NewRecord(tenant, now), knownHash, cancellationToken);
                    return known;
                default:
                    break;
            }
        }

        var secret = ApiKeys.NewSecret();
        await keys.AddAsync(NewRecord(tenant, now), ApiKeys.HashOf(secret)!, cancellationToken);
        Write(path, secret);
        return secret;
    }

    private static ApiKeyRecord NewRecord(TenantId tenant, DateTimeOffset now) =>
        new(Guid.CreateVersion7(now), tenant, "admin", Role.OrgAdmin, now, RevokedAt: null);

    private static async ValueTask<string?> ReadAsync(string path, CancellationToken cancellationToken) =>
        File.Exists(path) ? (await File.ReadAllTextAsync(path, cancellationToken)).Trim() : null;

    /// <summary>Readable by its owner only from its first byte, and never half there.</summary>
    private static void Write(string path, string secret)
    {
        var unfinished = $"{path}.{Environment.ProcessId}";
        // A left-over keeps the mode it was made with, whatever is asked for now.
        File.Delete(unfinished);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var file = new FileStream(unfinished, options))
            file.Write(Encoding.ASCII.GetBytes(secret + "\n"));
        File.Move(unfinished, path, overwrite: true);
    }
}
