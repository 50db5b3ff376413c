using System.Buffers;
using System.Text.Json;

namespace Astra.Llm;

/// <summary>Errors as the clients of each dialect know them: as a body, and in the middle of a stream.</summary>
public static class DialectErrors
{
    public static byte[] Body(bool isAnthropic, ModelRefusal refusal, string? requestId)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(buffer))
            Write(json, isAnthropic, refusal, requestId);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>The last that a client hears of a stream that broke off. Nothing that looks like an end comes after it.</summary>
    public static void WriteEvent(Operation operation, ModelRefusal refusal, IBufferWriter<byte> output)
    {
        if (operation == Operation.Responses)
        {
            output.Write("event: error\ndata: "u8);
            using (var json = new Utf8JsonWriter(output))
            {
                json.WriteStartObject();
                json.WriteString("type", "error");
                json.WriteString("code", refusal.Code);
                json.WriteString("message", refusal.Message);
                json.WriteNull("param");
                json.WriteEndObject();
            }
        }
        else
        {
            output.Write(operation.IsAnthropic() ? "event: error\ndata: "u8 : "data: "u8);
            using var json = new Utf8JsonWriter(output);
            Write(json, operation.IsAnthropic(), refusal, requestId: null);
        }
        output.Write("\n\n"u8);
    }

    private static void Write(Utf8JsonWriter json, bool isAnthropic, ModelRefusal refusal, string? requestId)
    {
        json.WriteStartObject();
        if (isAnthropic)
        {
            json.WriteString("type", "error");
            json.WriteStartObject("error");
            json.WriteString("type", AnthropicType(refusal.Status));
            json.WriteString("message", refusal.Message);
            if (refusal.Code is not null)
                json.WriteString("code", refusal.Code);
            json.WriteEndObject();
            if (requestId is not null)
                json.WriteString("request_id", requestId);
        }
        else
        {
            json.WriteStartObject("error");
            json.WriteString("message", refusal.Message);
            json.WriteString("type", refusal.Type);
            json.WriteString("param", refusal.Parameter);
            json.WriteString("code", refusal.Code);
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    private static string AnthropicType(int status) => status switch
    {
        400 or 422 => "invalid_request_error",
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        503 or 529 => "overloaded_error",
        _ => "api_error",
    };
}
