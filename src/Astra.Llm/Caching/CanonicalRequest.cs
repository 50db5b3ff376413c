using System.Text;
using System.Text.Json;
using Astra.Llm.Translation;
using Astra.Llm.Wire;

namespace Astra.Llm.Caching;

/// <summary>
/// A request as everything in it that affects the answer, in one form: members by name, without white space, text without
/// escapes that could be left out. Two requests with the same digest have the same answer.
/// </summary>
internal static class CanonicalRequest
{
    /// <summary>Another form or another meaning of an endpoint is another number; then nothing from before is found.</summary>
    private const byte Version = 1;

    /// <summary>Null for what cannot be answered from a cache: it depends on what a provider keeps, or cannot be brought into a form.</summary>
    /// <param name="scope">Beside the request: for whom, and whom it leads to.</param>
    public static Digest? Of(ModelCall call, RequestScan scan, ReadOnlySpan<byte> scope)
    {
        using var buffer = new PooledBuffer(call.Body.Length + 256);
        buffer.Write([Version, (byte)call.Operation]);
        Write(buffer, scope);
        Write(buffer, call.Operation.IsAnthropic() ? call.AnthropicVersion : null);
        Write(buffer, call.Operation.IsAnthropic() ? call.AnthropicBeta : null);
        Write(buffer, scan.Model);
        try
        {
            using var json = Json.Writer(buffer);
            if (!TryWrite(json, Json.Parse(call.Body.Span), call.Operation))
                return null;
        }
        catch (InvalidOperationException)
        {
            // Half a surrogate: there is no text that this would be.
            return null;
        }
        return Digest.Of(buffer.Span);
    }

    private static bool TryWrite(Utf8JsonWriter json, JsonElement body, Operation operation)
    {
        json.WriteStartObject();
        foreach (var member in body.EnumerateObject().OrderBy(member => member.Name, StringComparer.Ordinal))
        {
            // What a conversation holds by now, and what becomes of work in the background, is not in the request.
            if (operation == Operation.Responses && member.Name is "conversation" or "background" && member.Value.ValueKind is not (JsonValueKind.Null or JsonValueKind.False))
                return false;
            if (IsLeftOut(member.Name, operation))
                continue;
            json.WritePropertyName(member.Name);
            Write(json, member.Value);
        }
        json.WriteEndObject();
        json.Flush();
        return true;
    }

    /// <summary>OpenAI's responses repeat who asked and what was noted beside it, so there these are part of the answer.</summary>
    private static bool IsLeftOut(string name, Operation operation) => name switch
    {
        "model" or "stream" or "stream_options" => true,
        "user" or "metadata" or "safety_identifier" or "prompt_cache_key" => operation != Operation.Responses,
        _ => false,
    };

    private static void Write(Utf8JsonWriter json, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                json.WriteStartObject();
                // The order is stable: of two of the same name, which the provider takes is its own affair.
                foreach (var member in value.EnumerateObject().OrderBy(member => member.Name, StringComparer.Ordinal))
                {
                    json.WritePropertyName(member.Name);
                    Write(json, member.Value);
                }
                json.WriteEndObject();
                break;
            case JsonValueKind.Array:
                json.WriteStartArray();
                foreach (var item in value.EnumerateArray())
                    Write(json, item);
                json.WriteEndArray();
                break;
            case JsonValueKind.String:
                json.WriteStringValue(value.GetString());
                break;
            default:
                json.WriteRawValue(value.GetRawText(), skipInputValidation: true);
                break;
        }
    }

    private static void Write(PooledBuffer buffer, string? text) => Write(buffer, text is null ? default : (ReadOnlySpan<byte>)Encoding.UTF8.GetBytes(text));

    // With their lengths, so that no two parts make what two others make.
    private static void Write(PooledBuffer buffer, ReadOnlySpan<byte> part)
    {
        buffer.Write(BitConverter.GetBytes(part.Length));
        buffer.Write(part);
    }
}
