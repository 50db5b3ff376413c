using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;

namespace Astra.Llm.Wire;

/// <summary>
/// Embeddings in the form that was asked for. Clients of OpenAI ask for base64 unless told otherwise and read nothing else
/// then; many local servers answer with numbers whatever they are asked.
/// </summary>
internal static class EmbeddingForm
{
    /// <summary>False when the answer is as was asked already; then nothing is written.</summary>
    public static bool Convert(ReadOnlySpan<byte> answer, bool wantsBase64, IBufferWriter<byte> output)
    {
        var reader = new Utf8JsonReader(answer);
        using var document = JsonDocument.ParseValue(ref reader);
        if (!document.RootElement.TryGetProperty("data", out var data) || data.ValueKind != JsonValueKind.Array || data.GetArrayLength() == 0
            || !data[0].TryGetProperty("embedding", out var first) || first.ValueKind == (wantsBase64 ? JsonValueKind.String : JsonValueKind.Array))
            return false;

        using var json = new Utf8JsonWriter(output);
        json.WriteStartObject();
        foreach (var member in document.RootElement.EnumerateObject())
        {
            if (member.Name != "data")
            {
                member.WriteTo(json);
                continue;
            }
            json.WriteStartArray("data");
            foreach (var entry in member.Value.EnumerateArray())
                WriteEntry(entry, wantsBase64, json);
            json.WriteEndArray();
        }
        json.WriteEndObject();
        return true;
    }

    private static void WriteEntry(JsonElement entry, bool wantsBase64, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        foreach (var member in entry.EnumerateObject())
        {
            if (member.Name != "embedding")
                member.WriteTo(json);
            else if (wantsBase64)
                json.WriteBase64String("embedding", Bytes(member.Value));
            else
            {
                json.WriteStartArray("embedding");
                var bytes = member.Value.GetBytesFromBase64();
                for (var i = 0; i + sizeof(float) <= bytes.Length; i += sizeof(float))
                    json.WriteNumberValue(BinaryPrimitives.ReadSingleLittleEndian(bytes.AsSpan(i)));
                json.WriteEndArray();
            }
        }
        json.WriteEndObject();
    }

    private static byte[] Bytes(JsonElement numbers)
    {
        var bytes = new byte[numbers.GetArrayLength() * sizeof(float)];
        var at = 0;
        foreach (var number in numbers.EnumerateArray())
        {
            BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(at), number.GetSingle());
            at += sizeof(float);
        }
        return bytes;
    }
}
