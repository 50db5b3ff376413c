using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;
using Astra.Sdk;

namespace Astra.Hosting;

/// <summary>
/// The directory that holds everything Astra keeps on this machine, and the only place it writes to. The lock in it is
/// what "a server runs here" means: the system drops it with the process, so a crash leaves no false claim behind.
/// </summary>
public sealed class DataDirectory(string path)
{
    public string Path { get; } = path;

    public string LogPath => System.IO.Path.Combine(Path, "server.log");
    public string RunsPath => System.IO.Path.Combine(Path, "runs");

    private string ServerFilePath => System.IO.Path.Combine(Path, "server.json");
    private string LockPath => System.IO.Path.Combine(Path, "server.lock");
    private string AdminKeyPath => System.IO.Path.Combine(Path, "admin.key");

    public static DataDirectory Resolve(string? option, Func<string, string?> environment, string home, bool isRoot)
    {
        var path = option;
        if (string.IsNullOrWhiteSpace(path))
            path = environment("ASTRA_DATA");
        if (string.IsNullOrWhiteSpace(path))
            path = isRoot ? "/var/lib/astra" : System.IO.Path.Combine(home, ".astra");
        return new DataDirectory(System.IO.Path.GetFullPath(path));
    }

    public void Ensure()
    {
        try
        {
            if (!Directory.Exists(Path))
            {
                // As root the private database runs under an account of its own, which must be able to pass through.
                // What is in here protects itself.
                Directory.CreateDirectory(Path, Environment.IsPrivilegedProcess
                    ? UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute
                    : UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            }

            using (File.Open(LockPath, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite))
            {
            }
        }
        catch (IOException) when (IsLocked())
        {
            // A server runs here, so the directory is fit for use.
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException && !Sentences.IsDiskFull(e))
        {
            throw new CommandException(
                $"The data directory {Path} cannot be written to; choose another with --data or ASTRA_DATA, or correct its permissions.", cause: e);
        }
    }

    /// <summary>Null when another process holds it.</summary>
    public IDisposable? TryLock()
    {
        try
        {
            return new FileStream(LockPath, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (!Sentences.IsDiskFull(e))
        {
            return null;
        }
    }

    public bool IsLocked()
    {
        if (!File.Exists(LockPath))
            return false;
        try
        {
            // A shared lock: two who only ask do not see each other.
            using var probe = new FileStream(LockPath, FileMode.Open, FileAccess.Read, FileShare.Read);
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }

    /// <summary>What a running server wrote about itself; null when there is none, or half of one.</summary>
    public ServerFile? ReadServerFile()
    {
        try
        {
            return AstraJson.Read<ServerFile>(File.ReadAllBytes(ServerFilePath));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or JsonException)
        {
            return null;
        }
        catch (UnauthorizedAccessException e)
        {
            throw new CommandException(
                $"{ServerFilePath} belongs to somebody else; run this as the user who started the server, or choose your own directory with --data.", cause: e);
        }
    }

    public void WriteServerFile(ServerFile file) => WritePrivately(ServerFilePath, AstraJson.Write(file));

    public void DeleteServerFile() => File.Delete(ServerFilePath);

    public string? ReadAdminKey() => File.Exists(AdminKeyPath) ? File.ReadAllText(AdminKeyPath).Trim() : null;

    /// <summary>Whoever can read this file is the administrator, as with a database's socket.</summary>
    public string ReadOrCreateAdminKey()
    {
        if (ReadAdminKey() is { Length: > 0 } known)
            return known;
        var key = "astra_" + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
        WritePrivately(AdminKeyPath, System.Text.Encoding.ASCII.GetBytes(key + "\n"));
        return key;
    }

    /// <summary>Readable by its owner only from its first byte, and never half there.</summary>
    public static void WritePrivately(string path, ReadOnlySpan<byte> content)
    {
        var unfinished = $"{path}.{Environment.ProcessId}";
        try
        {
            var options = new FileStreamOptions
            {
                Mode = FileMode.Create,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            };
            using (var stream = new FileStream(unfinished, options))
                stream.Write(content);
            File.Move(unfinished, path, overwrite: true);
        }
        catch
        {
            File.Delete(unfinished);
            throw;
        }
    }
}

/// <summary>How to find a running server.</summary>
/// <param name="Database">Tells two databases apart without naming them; null is the private one.</param>
public sealed record ServerFile(Uri Address, int Pid, DateTimeOffset Started, string? Database);
