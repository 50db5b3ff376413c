using System.Text.Json;
using Astra.Kernel;
using Astra.Llm;
using Astra.Llm.Money;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>
/// Models for everyone, as OpenAI's and Anthropic's own clients know them. What is asked is the router's to understand; here it
/// is read, its sender's tenant is put to it, and its answer is written.
/// </summary>
internal sealed class ModelEndpoints(ModelRouter router, AttemptCalls attempts)
{
    public void Map(IEndpointRouteBuilder app)
    {
        var v1 = app.MapGroup("/v1").WithTags("Models");
        Map(v1, "/chat/completions", Operation.Chat, "OpenAI's chat completions, streamed or not.");
        Map(v1, "/responses", Operation.Responses, "OpenAI's responses, streamed or not.");
        Map(v1, "/embeddings", Operation.Embeddings, "OpenAI's embeddings.");
        Map(v1, "/messages", Operation.Messages, "Anthropic's messages, streamed or not.");
        Map(v1, "/messages/count_tokens", Operation.CountTokens, "Anthropic's count of a request's tokens.");
        v1.MapGet("/models", (RequestDelegate)ListAsync).WithMetadata(new ModelDialect(IsAnthropic: false)).For(Access.Content)
            .WithSummary("The models, tiers and routes that a request may name, for the clients of both.");
        v1.MapGet("/models/{**id}", (RequestDelegate)FindAsync).WithMetadata(new ModelDialect(IsAnthropic: false)).For(Access.Content).WithSummary("One of them.");
    }

    private void Map(IEndpointRouteBuilder v1, string path, Operation operation, string summary)
    {
        var dialect = new ModelDialect(operation.IsAnthropic());
        v1.MapPost(path, (RequestDelegate)(http => AnswerAsync(http, operation, dialect))).WithMetadata(dialect).For(Access.Content).WithSummary(summary);
    }

    private async Task AnswerAsync(HttpContext http, Operation operation, ModelDialect dialect)
    {
        var (request, aborted) = (http.Request, http.RequestAborted);
        try
        {
            var said = CallHeaders.Of(request);
            var key = http.Principal().Key;
            var spender = new Spender(key.Tenant, said.Agent, said.Goal is { } goal ? new GoalId(goal) : null, said.Task is { } task ? new TaskId(task) : null, key.Id);
            var kind = said.Kind;
            if (said.Attempt is { } attempt)
            {
                // Before the body is read: it may be for another node.
                var found = await attempts.FindAsync(key.Tenant, spender.Task!.Value, attempt);
                if (found.Refusal is { } refusal)
                {
                    await attempts.RefuseAsync(http, dialect, refusal);
                    return;
                }
                spender = spender with { Agent = found.Value.Agent, Goal = found.Value.Goal };
                kind ??= found.Value.Kind;
            }
            using var body = await RequestBody.ReadAsync(request, aborted);
            var call = new ModelCall(operation, body.Memory, spender)
            {
                Id = Guid.CreateVersion7(), Attempt = said.Attempt ?? 0, Kind = kind, Priority = said.Priority, Cache = said.Cache,
                AnthropicVersion = operation.IsAnthropic() ? (string?)request.Headers["anthropic-version"] : null,
                AnthropicBeta = operation.IsAnthropic() ? (string?)request.Headers["anthropic-beta"] : null,
            };
            var reply = new HttpModelReply(http);
            await router.AnswerAsync(call, reply, aborted);
            if (reply.IsBroken)
                throw new BrokenAnswerException();
        }
        catch (FormatException e)
        {
            await dialect.RefuseAsync(http, StatusCodes.Status400BadRequest, e.Message);
        }
        catch (BadHttpRequestException e)
        {
            await dialect.RefuseAsync(http, e.StatusCode, e.StatusCode == StatusCodes.Status413PayloadTooLarge ? "The request body is too large." : "The request body could not be read.");
        }
        catch (OperationCanceledException) when (aborted.IsCancellationRequested)
        {
            // Nobody is there to be answered.
        }
    }

    /// <summary>Clients of both dialects read what they know of each entry and pass over the rest.</summary>
    private Task ListAsync(HttpContext http)
    {
        var names = router.NamesFor(http.Principal().Tenant);
        return WriteAsync(http, json =>
        {
            json.WriteStartObject();
            json.WriteString("object", "list");
            json.WriteStartArray("data");
            foreach (var (name, owner) in names)
                WriteModel(json, name, owner);
            json.WriteEndArray();
            json.WriteBoolean("has_more", false);
            json.WriteString("first_id", names.Count == 0 ? null : names[0].Name);
            json.WriteString("last_id", names.Count == 0 ? null : names[^1].Name);
            json.WriteEndObject();
        });
    }

    private async Task FindAsync(HttpContext http)
    {
        // The slash of PROVIDER/MODEL: some clients escape it, and a path keeps that as it is.
        var id = ((string?)http.Request.RouteValues["id"] ?? "").Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
        if (router.NamesFor(http.Principal().Tenant).FirstOrDefault(entry => entry.Name == id) is not { Name: not null } found)
        {
            await new ModelDialect(http.Request.Headers.ContainsKey("anthropic-version")).RefuseAsync(http, StatusCodes.Status404NotFound, $"There is no model {id} here.");
            return;
        }
        await WriteAsync(http, json => WriteModel(json, found.Name, found.Owner));
    }

    private static void WriteModel(Utf8JsonWriter json, string name, string owner)
    {
        json.WriteStartObject();
        json.WriteString("id", name);
        json.WriteString("object", "model");
        // When a provider made a model is not known here; clients want a number.
        json.WriteNumber("created", 0);
        json.WriteString("owned_by", owner);
        json.WriteString("type", "model");
        json.WriteString("display_name", name);
        json.WriteString("created_at", "1970-01-01T00:00:00Z");
        json.WriteEndObject();
    }

    private static async Task WriteAsync(HttpContext http, Action<Utf8JsonWriter> write)
    {
        http.Response.ContentType = "application/json";
        await using (var json = new Utf8JsonWriter(http.Response.BodyWriter))
            write(json);
        await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
    }
}
