using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Astra.Sdk;

/// <summary>
/// A chat with a model of a server. It tries nothing a second time: the router does, where that is harmless, and knows what it
/// costs. A stream that broke off ends in an exception, never as if it were whole.
/// </summary>
internal sealed class ServerChatClient(IModelEndpoint endpoint, string model) : IChatClient
{
    private readonly ChatClientMetadata _metadata = new("astra", endpoint.Address, model);

    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var answer = await ModelAnswers.AskAsync(endpoint, ModelOperation.Chat, ChatRequest.Write(messages, options, model, isStream: false, this), cancellationToken);
        try
        {
            return ChatAnswer.Read(answer);
        }
        catch (JsonException e)
        {
            throw ModelAnswers.Unreadable(endpoint, e);
        }
    }

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        await using var response = await endpoint.PostAsync(ModelOperation.Chat, ChatRequest.Write(messages, options, model, isStream: true, this), cancellationToken);
        if (response.Status != 200)
            throw await ModelAnswers.RefusalOfAsync(endpoint, response, cancellationToken);
        var stream = new ChatStream();
        await using var events = SseParser.Create(response.Body, static (_, data) => new Told(data.SequenceEqual("[DONE]"u8) ? null : AstraJson.Parse(data))).EnumerateAsync(cancellationToken)
            .GetAsyncEnumerator(cancellationToken);
        while (await NextAsync(events))
        {
            if (events.Current.Data.Chunk is not { } chunk)
            {
                if (stream.Calls() is { } calls)
                    yield return calls;
                yield break;
            }
            if (stream.Read(ModelAnswers.ThrowIfError(chunk)) is { } update)
                yield return update;
        }
        throw ModelAnswers.BrokeOff(endpoint, "the stream has no end.");
    }

    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(ChatClientMetadata) ? _metadata
            : serviceType.IsInstanceOfType(this) ? this
            : null;
    }

    public void Dispose()
    {
        // The connections are whoever's who made the endpoint.
    }

    private async ValueTask<bool> NextAsync(IAsyncEnumerator<SseItem<Told>> events)
    {
        try
        {
            return await events.MoveNextAsync();
        }
        catch (JsonException e)
        {
            throw ModelAnswers.Unreadable(endpoint, e);
        }
        catch (Exception e) when (ModelAnswers.IsBreak(e))
        {
            throw ModelAnswers.BrokeOff(endpoint, FailureCause.Sentence(e));
        }
    }

    /// <param name="Chunk">Null is the end.</param>
    private readonly record struct Told(JsonElement? Chunk);
}
