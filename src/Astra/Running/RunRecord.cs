using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Astra.Hosting;
using Astra.Sdk;

namespace Astra.Running;

/// <summary>
/// What makes a command that was killed find its goal again: one small file per command line, and in it how often that
/// command has run to an end. Both make the idempotency key, so a kill between "written" and "submitted" submits the
/// same goal once, and a command that ended begins a new one.
/// </summary>
public sealed class RunRecord
{
    private readonly string _path;
    private readonly string _hash;
    private Content _content;

    private RunRecord(string path, string hash, Content content)
    {
        _path = path;
        _hash = hash;
        _content = content;
    }

    /// <summary>The goal of a run that did not see its end.</summary>
    public Guid? Goal => _content.Goal;

    public string IdempotencyKey => $"run-{_hash}-{_content.Ended}";

    /// <param name="data">Where records are kept.</param>
    /// <param name="command">Every word that makes this command another one: the verb, absolute paths, options.</param>
    public static RunRecord Open(DataDirectory data, params string[] command)
    {
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', command))))[..20];
        Directory.CreateDirectory(data.RunsPath);
        var path = Path.Combine(data.RunsPath, hash + ".json");
        return new RunRecord(path, hash, Read(path) ?? new Content(string.Join(' ', command), 0, null));
    }

    public void Began(Guid goal) => Write(_content with { Goal = goal });

    /// <summary>The next run is a new one.</summary>
    public void Ended() => Write(_content with { Goal = null, Ended = _content.Ended + 1 });

    private void Write(Content content)
    {
        DataDirectory.WritePrivately(_path, AstraJson.Write(content));
        _content = content;
    }

    private static Content? Read(string path)
    {
        try
        {
            return File.Exists(path) ? AstraJson.Read<Content>(File.ReadAllBytes(path)) : null;
        }
        catch (JsonException)
        {
            // Counting from nought again could find an old goal by its key, which is then shown as what it is: ended.
            return null;
        }
    }

    private sealed record Content(string Command, int Ended, Guid? Goal);
}
