using System.Net;

namespace Astra.Sdk;

/// <summary>The server's artifacts and notes over HTTP, for agents that run elsewhere.</summary>
internal sealed class RemoteArtifacts(ServerRequests requests) : IArtifactStore
{
    public async ValueTask<string> SaveAsync(Guid goal, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        using var response = await requests.SendAsync(HttpMethod.Put, $"goals/{goal}/artifacts/{Path(name)}", new ReadOnlyMemoryContent(content), cancellationToken);
        return AstraJson.Read<SavedArtifact>(await response.Content.ReadAsByteArrayAsync(cancellationToken)).Path;
    }

    public ValueTask<ReadOnlyMemory<byte>?> ReadAsync(Guid goal, string name, CancellationToken cancellationToken) =>
        ReadOrNullAsync($"goals/{goal}/artifacts/{Path(name)}", cancellationToken);

    public async ValueTask SaveNoteAsync(string collection, string key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        (await requests.SendAsync(HttpMethod.Put, $"notes/{Path(collection)}/{Path(key)}", new ReadOnlyMemoryContent(content), cancellationToken)).Dispose();

    public ValueTask<ReadOnlyMemory<byte>?> ReadNoteAsync(string collection, string key, CancellationToken cancellationToken) =>
        ReadOrNullAsync($"notes/{Path(collection)}/{Path(key)}", cancellationToken);

    private async ValueTask<ReadOnlyMemory<byte>?> ReadOrNullAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            using var response = await requests.SendAsync(HttpMethod.Get, path, null, cancellationToken);
            return await response.Content.ReadAsByteArrayAsync(cancellationToken);
        }
        catch (AstraException e) when (e.Status == (int)HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    private static string Path(string name)
    {
        var parts = name.Split('/');
        // "." and ".." would be resolved on the way, and the request would reach another address than the one meant.
        if (parts.Any(part => part is "" or "." or ".."))
            throw new ArgumentException($"'{name}' cannot be the name of an artifact or note: its parts must not be empty or dots.");
        return string.Join('/', parts.Select(Uri.EscapeDataString));
    }
}

/// <summary>The answer to a saved artifact.</summary>
/// <param name="Path">Where a person finds it, on the server's machine.</param>
public sealed record SavedArtifact(string Path);
