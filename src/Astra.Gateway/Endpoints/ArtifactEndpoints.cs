using Astra.Agents;
using Astra.Kernel;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>The files that goals leave, and the notes that outlive them.</summary>
internal sealed class ArtifactEndpoints(KernelNode node, FileArtifacts artifacts, Replies replies)
{
    private const string Bytes = "application/octet-stream";

    public void Map(IEndpointRouteBuilder api)
    {
        var goal = api.MapGroup("/goals/{id}/artifacts").WithTags("Artifacts").AddEndpointFilter(RefusingBadNames);
        goal.MapGet("/{**name}", Read).Produces<byte[]>(contentType: Bytes).WithSummary("A file that the goal left.");
        goal.MapPut("/{**name}", Save).Produces<SavedArtifact>(StatusCodes.Status201Created).WithSummary("Leave a file; the body is its content.");

        var notes = api.MapGroup("/notes/{collection}").WithTags("Artifacts").AddEndpointFilter(RefusingBadNames);
        notes.MapGet("/{**key}", ReadNote).Produces<byte[]>(contentType: Bytes).WithSummary("A note of the tenant.");
        notes.MapPut("/{**key}", SaveNote).Produces(StatusCodes.Status204NoContent).WithSummary("Write a note; the body is its content.");
    }

    private async Task<IResult> Read(Guid id, string name, HttpContext http) =>
        await RefuseAsync(id, http) ?? ToResult(await artifacts.For(http.Principal().Tenant).ReadAsync(id, name, http.RequestAborted), $"artifact {name}");

    private async Task<IResult> Save(Guid id, string name, HttpContext http)
    {
        if (await RefuseAsync(id, http) is { } refusal)
            return refusal;
        var path = await artifacts.For(http.Principal().Tenant).SaveAsync(id, name, await BodyAsync(http), http.RequestAborted);
        return Replies.Json(new SavedArtifact(path), StatusCodes.Status201Created);
    }

    private async Task<IResult> ReadNote(string collection, string key, HttpContext http) =>
        ToResult(await artifacts.For(http.Principal().Tenant).ReadNoteAsync(collection, key, http.RequestAborted), $"note {collection}/{key}");

    private async Task<IResult> SaveNote(string collection, string key, HttpContext http)
    {
        await artifacts.For(http.Principal().Tenant).SaveNoteAsync(collection, key, await BodyAsync(http), http.RequestAborted);
        return Results.NoContent();
    }

    private static async ValueTask<object?> RefusingBadNames(EndpointFilterInvocationContext invocation, EndpointFilterDelegate next)
    {
        try
        {
            return await next(invocation);
        }
        catch (ArgumentException e)
        {
            return Problems.Of(StatusCodes.Status422UnprocessableEntity, e.Message);
        }
    }

    /// <summary>Files are kept by goal alone; that the goal is the caller's is what makes them the caller's.</summary>
    private async ValueTask<IResult?> RefuseAsync(Guid goal, HttpContext http) =>
        await replies.Ask(node.GetGoalAsync(http.Principal().Tenant, new GoalId(goal))) is { Refusal: { } refusal } ? replies.Of(refusal) : null;

    private static async ValueTask<ReadOnlyMemory<byte>> BodyAsync(HttpContext http)
    {
        using var content = new MemoryStream();
        await http.Request.Body.CopyToAsync(content, http.RequestAborted);
        return content.GetBuffer().AsMemory(0, (int)content.Length);
    }

    // As a download, whatever it is: what an agent wrote must not run as a page of this server.
    private static IResult ToResult(ReadOnlyMemory<byte>? content, string what) => content is { } bytes
        ? Results.Bytes(bytes, Bytes)
        : Problems.Of(StatusCodes.Status404NotFound, $"There is no {Words.Clean(what)}.");
}
