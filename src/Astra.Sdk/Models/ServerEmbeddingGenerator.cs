using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;

namespace Astra.Sdk;

/// <summary>Embeddings of a model of a server. They travel as base64: a third of the bytes, and exact.</summary>
internal sealed class ServerEmbeddingGenerator(IModelEndpoint endpoint, string model) : IEmbeddingGenerator<string, Embedding<float>>
{
    private readonly EmbeddingGeneratorMetadata _metadata = new("astra", endpoint.Address, model);

    public async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
        IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        var inputs = new JsonArray([.. values.Select(value => JsonValue.Create(value))]);
        if (inputs.Count == 0)
            return [];
        var count = inputs.Count;
        var answer = await ModelAnswers.AskAsync(endpoint, ModelOperation.Embeddings, Write(inputs, options), cancellationToken);
        try
        {
            return Read(answer, count);
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            throw ModelAnswers.Unreadable(endpoint, e);
        }
    }

    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(EmbeddingGeneratorMetadata) ? _metadata
            : serviceType.IsInstanceOfType(this) ? this
            : null;
    }

    public void Dispose()
    {
        // The connections are whoever's who made the endpoint.
    }

    private byte[] Write(JsonArray inputs, EmbeddingGenerationOptions? options)
    {
        var body = options?.RawRepresentationFactory?.Invoke(this) as JsonObject ?? [];
        body.TryAdd("model", options?.ModelId ?? model);
        body["input"] = inputs;
        body["encoding_format"] = "base64";
        if (options?.Dimensions is { } dimensions)
            body.TryAdd("dimensions", dimensions);
        foreach (var (name, value) in options?.AdditionalProperties ?? [])
            body.TryAdd(name, JsonSerializer.SerializeToNode(value, AIJsonUtilities.DefaultOptions));
        return JsonSerializer.SerializeToUtf8Bytes(body);
    }

    /// <summary>In the order of what was asked, which an answer need not keep.</summary>
    private static GeneratedEmbeddings<Embedding<float>> Read(JsonElement answer, int count)
    {
        var vectors = new ReadOnlyMemory<float>?[count];
        var at = 0;
        foreach (var entry in answer.Items("data"))
        {
            var index = entry.Whole("index") ?? at;
            if (index < 0 || index >= count || vectors[index] is not null)
                throw new JsonException($"It has an embedding for input {index}, of {count}.");
            vectors[index] = entry.Member("embedding") is { } vector ? VectorOf(vector) : throw new JsonException("An entry has no embedding.");
            at++;
        }
        if (at != count)
            throw new JsonException($"It has {at} embeddings for {count} inputs.");
        var usage = ChatAnswer.UsageOf(answer);
        return new GeneratedEmbeddings<Embedding<float>>(vectors.Select(vector => new Embedding<float>(vector!.Value) { ModelId = answer.Text("model") })) { Usage = usage };
    }

    private static ReadOnlyMemory<float> VectorOf(JsonElement vector)
    {
        if (vector.ValueKind == JsonValueKind.Array)
            return vector.EnumerateArray().Select(number => number.ValueKind == JsonValueKind.Number ? number.GetSingle() : throw new JsonException("An embedding is made of numbers.")).ToArray();
        if (vector.ValueKind != JsonValueKind.String || !vector.TryGetBytesFromBase64(out var bytes) || bytes.Length % sizeof(float) != 0)
            throw new JsonException("An embedding is neither numbers nor their bytes.");
        if (!BitConverter.IsLittleEndian)
            for (var i = 0; i < bytes.Length; i += sizeof(float))
                bytes.AsSpan(i, sizeof(float)).Reverse();
        return MemoryMarshal.Cast<byte, float>(bytes).ToArray();
    }
}
