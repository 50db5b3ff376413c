using Astra.Sdk;

namespace Astra.Tests.CommandLine;

// API keys.
public sealed partial class FakeServer
{
    private readonly List<ApiKeyView> _apiKeys = [];

    /// <summary>What the next key is.</summary>
    public string NewSecret { get; set; } = "astra_" + new string('A', 43);

    public Exception? KeyFailure { get; set; }

    public Task<IReadOnlyList<ApiKeyView>> ListApiKeysAsync(CancellationToken cancellationToken = default) => Task.FromResult<IReadOnlyList<ApiKeyView>>([.. _apiKeys]);

    public Task<NewApiKey> CreateApiKeyAsync(ApiKeyRequest request, CancellationToken cancellationToken = default)
    {
        if (KeyFailure is { } failure)
            throw failure;
        var key = new ApiKeyView { Id = Guid.CreateVersion7(), Name = request.Name, Role = request.Role, CreatedAt = DateTimeOffset.UnixEpoch };
        _apiKeys.Add(key);
        return Called($"key {request.Name} {request.Role}", new NewApiKey(key, NewSecret));
    }

    public Task RevokeApiKeyAsync(Guid key, CancellationToken cancellationToken = default)
    {
        var index = _apiKeys.FindIndex(known => known.Id == key);
        if (index < 0)
            throw new AstraException(404, "Not Found", $"There is no key {key} here.");
        _apiKeys[index] = _apiKeys[index] with { RevokedAt = DateTimeOffset.UnixEpoch.AddDays(1) };
        return Called($"revoke {key}", true);
    }
}
