using System.Security.Cryptography;
using System.Text;
using Astra.Kernel;
using Astra.Sdk;

namespace Astra.Agents;

/// <summary>
/// Artifacts and notes as files: `artifacts/GOAL/NAME` and `notes/TENANT/COLLECTION/KEY` under the data directory. A
/// file is there as a whole or not at all, and no name leads out of its directory.
/// </summary>
public sealed class FileArtifacts(string dataDirectory)
{
    public const int ContentBytesMax = 64 << 20;

    private const int NameLengthMax = 500;
    private const int PartLengthMax = 120;

    /// <summary>The store as one tenant sees it. Whether a goal is the tenant's is checked by whoever hands out its id.</summary>
    public IArtifactStore For(TenantId tenant) => new TenantArtifacts(
        Path.Combine(dataDirectory, "artifacts"), Path.Combine(dataDirectory, "notes", tenant.Value.ToString()));

    private sealed class TenantArtifacts(string artifacts, string notes) : IArtifactStore
    {
        public async ValueTask<string> SaveAsync(Guid goal, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
        {
            var path = Path.Combine(artifacts, goal.ToString(), ToPath(name));
            await WriteAsync(path, content, cancellationToken);
            return path;
        }

        public ValueTask<ReadOnlyMemory<byte>?> ReadAsync(Guid goal, string name, CancellationToken cancellationToken) =>
            ReadOrNullAsync(Path.Combine(artifacts, goal.ToString(), ToPath(name)), cancellationToken);

        public ValueTask SaveNoteAsync(string collection, string key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
            WriteAsync(Path.Combine(notes, ToPath(collection), ToPath(key)), content, cancellationToken);

        public ValueTask<ReadOnlyMemory<byte>?> ReadNoteAsync(string collection, string key, CancellationToken cancellationToken) =>
            ReadOrNullAsync(Path.Combine(notes, ToPath(collection), ToPath(key)), cancellationToken);
    }

    /// <summary>Where an artifact is, or would be.</summary>
    internal string PathOf(Guid goal, string name) => Path.Combine(dataDirectory, "artifacts", goal.ToString(), ToPath(name));

    /// <summary>
    /// A relative path whose parts are plain names. Letters that some file system takes for something else are written
    /// as %XX, so different names are different files (where the file system tells capitals apart).
    /// </summary>
    /// <exception cref="ArgumentException">The name has no parts, an empty one, or is too long.</exception>
    internal static string ToPath(string name)
    {
        if (name.Length is 0 or > NameLengthMax)
            throw new ArgumentException($"The name of an artifact or note has 1 to {NameLengthMax} characters.");
        var parts = name.Split('/');
        if (parts.Any(part => part is "" or "." or ".."))
            throw new ArgumentException($"'{name}' cannot be the name of an artifact or note: its parts must not be empty or dots.");
        return Path.Combine([.. parts.Select(ToFileName)]);
    }

    private static string ToFileName(string part)
    {
        var escaped = new StringBuilder(part.Length);
        foreach (var value in Encoding.UTF8.GetBytes(part))
        {
            var letter = (char)value;
            // A dot in front would hide the file, and that is how unfinished ones are named.
            if (char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '@' or '+' || letter == '.' && escaped.Length > 0)
                escaped.Append(letter);
            else
                escaped.Append('%').Append(value.ToString("X2"));
        }
        if (escaped.Length <= PartLengthMax)
            return escaped.ToString();
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(part)));
        return $"{escaped.ToString(0, PartLengthMax - 34)}%~{hash.AsSpan(0, 32)}";
    }

    private static async ValueTask WriteAsync(string path, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        if (content.Length > ContentBytesMax)
            throw new ArgumentException($"An artifact or note has at most {ContentBytesMax} bytes, and this one has {content.Length}.");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var unfinished = Path.Combine(Path.GetDirectoryName(path)!, $".{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}");
        try
        {
            await File.WriteAllBytesAsync(unfinished, content, cancellationToken);
            File.Move(unfinished, path, overwrite: true);
        }
        catch
        {
            File.Delete(unfinished);
            throw;
        }
    }

    private static async ValueTask<ReadOnlyMemory<byte>?> ReadOrNullAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            return await File.ReadAllBytesAsync(path, cancellationToken);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }
}
