using System.Net;
using System.Net.Http.Headers;
using Astra.Llm.Config;
using Astra.Llm.Routing;

namespace Astra.Llm.Attempts;

/// <summary>Requests as each kind of provider wants them: where to, and how the key is shown.</summary>
internal static class ProviderRequests
{
    private const string AnthropicVersionDefault = "2023-06-01";

    private static readonly MediaTypeHeaderValue JsonType = new("application/json");

    public static HttpRequestMessage New(Provider provider, UsableKey key, Operation operation, ReadOnlyMemory<byte> body, ModelCall call)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, UriOf(provider, operation)) { Version = HttpVersion.Version11, Content = new ReadOnlyMemoryContent(body) };
        request.Content.Headers.ContentType = JsonType;
        Authorise(request, provider.Config, key);
        if (provider.Config.Kind == ProviderKind.Anthropic)
        {
            request.Headers.TryAddWithoutValidation("anthropic-version", call.AnthropicVersion ?? AnthropicVersionDefault);
            if (call.AnthropicBeta is { } beta)
                request.Headers.TryAddWithoutValidation("anthropic-beta", beta);
        }
        return request;
    }

    public static HttpRequestMessage Get(Provider provider, UsableKey key, string path)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, new Uri(provider.Base, path));
        Authorise(request, provider.Config, key);
        if (provider.Config.Kind == ProviderKind.Anthropic)
            request.Headers.TryAddWithoutValidation("anthropic-version", AnthropicVersionDefault);
        return request;
    }

    private static void Authorise(HttpRequestMessage request, ProviderConfig provider, UsableKey key)
    {
        if (key.Secret is not { } secret)
            return;
        if (provider.KeyHeader is { } header)
            request.Headers.TryAddWithoutValidation(header, secret);
        else if (provider.Kind == ProviderKind.Anthropic)
            request.Headers.TryAddWithoutValidation("x-api-key", secret);
        else
            request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {secret}");
    }

    private static Uri UriOf(Provider provider, Operation operation)
    {
        var (prefix, path) = (provider.Config.Kind == ProviderKind.OpenAi ? "" : "v1/", operation switch
        {
            Operation.Chat => "chat/completions",
            Operation.Responses => "responses",
            Operation.Embeddings => "embeddings",
            Operation.Messages => "messages",
            _ => "messages/count_tokens",
        });
        return provider.UriOf(prefix + path);
    }
}
