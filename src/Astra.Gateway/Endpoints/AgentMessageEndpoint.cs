using System.Text.Json;
using Astra.Kernel;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>Messages to agents: any node takes one and hands it to the owner of the agent's shard.</summary>
internal sealed class AgentMessageEndpoint(KernelNode node, GatewayOptions options, Replies replies)
{
    private const string Json = "application/json";

    private static readonly byte[] Null = "null"u8.ToArray();

    public void Map(IEndpointRouteBuilder api) => api.MapPost("/agents/{name}/messages", (Delegate)Send).WithTags("Agents")
        .Accepts<JsonElement>(Json).Produces<JsonElement>()
        .WithSummary("Send an agent a message and get its answer. It wakes if it sleeps; a change of its state is durable before the answer.");

    private async Task<IResult> Send(string name, HttpContext http)
    {
        if (!http.Request.HasJsonContentType())
            return Problems.Of(StatusCodes.Status415UnsupportedMediaType, "The request body must be JSON, with Content-Type: application/json.");
        var body = await ReadAsync(http);
        if (body is not { } message)
            return Problems.Of(StatusCodes.Status413PayloadTooLarge, $"A message has at most {options.MessageBytesMax} bytes; larger things are artifacts.");
        if (WhatIsWrong(message.Span) is { } wrong)
            return Problems.Of(StatusCodes.Status400BadRequest, $"The message is not JSON: {wrong}");

        // The kernel answers or refuses by itself, within the patience of a message.
        var answer = await node.Agents.SendAsync(http.Principal().Caller, name, message);
        return answer.Refusal is { } refusal ? replies.Of(refusal) : Results.Bytes(answer.Value.Bytes.IsEmpty ? Null : answer.Value.Bytes, Json);
    }

    /// <summary>Null when there is more than a message may have; the rest is not read.</summary>
    private async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(HttpContext http)
    {
        if (http.Request.ContentLength > options.MessageBytesMax)
            return null;
        using var content = new MemoryStream();
        var buffer = new byte[16 << 10];
        while (await http.Request.Body.ReadAsync(buffer, http.RequestAborted) is var count and > 0)
        {
            if (content.Length + count > options.MessageBytesMax)
                return null;
            content.Write(buffer, 0, count);
        }
        return content.GetBuffer().AsMemory(0, (int)content.Length);
    }

    private static string? WhatIsWrong(ReadOnlySpan<byte> utf8)
    {
        try
        {
            var reader = new Utf8JsonReader(utf8);
            while (reader.Read())
            {
                // To the end: what is parsed later has been looked at whole.
            }
            return null;
        }
        catch (JsonException e)
        {
            return FailureCause.Sentence(e);
        }
    }
}
