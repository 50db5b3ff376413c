using System.Data.Common;
using Astra.Sdk;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>Errors as RFC 9457 has them: a status, a title, and one sentence that says what to do.</summary>
internal static class Problems
{
    private const string ContentType = "application/problem+json";

    public static IResult Of(int status, string detail) => new ProblemResult(status, detail);

    public static async Task WriteAsync(HttpContext http, int status, string detail)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = ContentType;
        var problem = new Problem { Title = TitleOf(status), Status = status, Detail = detail };
        var body = AstraJson.Write(problem);
        http.Response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(http.Request.Method))
            await http.Response.Body.WriteAsync(body, http.RequestAborted);
    }

    private static string TitleOf(int status) => status switch
    {
        400 => "Malformed request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not found",
        405 => "Method not allowed",
        408 => "Too slow",
        409 => "Conflict",
        412 => "Precondition failed",
        413 => "Too large",
        415 => "Unsupported media type",
        421 => "Misdirected request",
        422 => "Invalid request",
        429 => "Too much",
        500 => "Server error",
        502 => "Agent failed",
        503 => "Unavailable",
        _ => "Error",
    };

    private sealed class ProblemResult(int status, string detail) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext) => WriteAsync(httpContext, status, detail);
    }
}

/// <summary>Stands around everything: whatever goes wrong inside becomes a problem with a sentence.</summary>
internal sealed class ProblemsForAll(RequestDelegate next, Action<string, Exception, LogIds> onError)
{
    public async Task InvokeAsync(HttpContext http)
    {
        try
        {
            await next(http);
        }
        catch (BadHttpRequestException e)
        {
            await WriteAsync(http, e.StatusCode, Describe(e));
            return;
        }
        catch (BrokenAnswerException)
        {
            // For the listener; there is nothing to say any more.
            throw;
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            return;
        }
        catch (DbException e) when (IsAway(e))
        {
            onError(PlaceOf(http), e, IdsOf(http));
            await WriteAsync(http, 503, "The database does not answer right now; try again in a moment.");
            return;
        }
        catch (Exception e)
        {
            onError(PlaceOf(http), e, IdsOf(http));
            await WriteAsync(http, 500, $"The server made a mistake; its log says more under request {http.TraceIdentifier}.");
            return;
        }

        var response = http.Response;
        if (response.StatusCode >= 400 && !response.HasStarted && response.ContentType is null)
            await WriteAsync(http, response.StatusCode, Describe(http));
    }

    /// <summary>By the route: a path repeats whatever somebody typed.</summary>
    private static string PlaceOf(HttpContext http) => $"{http.Request.Method} {(http.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "no route"} ({http.TraceIdentifier})";

    private static LogIds IdsOf(HttpContext http)
    {
        var parts = http.Request.Path.Value?.Split('/') ?? [];
        return new LogIds { Tenant = http.Features.Get<Principal>()?.Tenant.Value, Goal = IdAfter("goals"), Task = IdAfter("tasks") };

        Guid? IdAfter(string word) => Array.IndexOf(parts, word) is var at and >= 0 && at + 1 < parts.Length && Guid.TryParse(parts[at + 1], out var id) ? id : null;
    }

    private static async Task WriteAsync(HttpContext http, int status, string detail)
    {
        if (http.Response.HasStarted)
        {
            // Half an answer is out; only a broken connection can still say that the rest is missing.
            http.Abort();
            return;
        }
        http.Response.Clear();
        if (status == 503)
            http.Response.Headers.RetryAfter = "1";
        await Problems.WriteAsync(http, status, detail);
    }

    /// <summary>Not there, or leaving: it comes back by itself, and a worker or a client that is told so waits for it. The
    /// class 57P is PostgreSQL's word for a server that stops, has crashed or still starts.</summary>
    private static bool IsAway(DbException e) => e.IsTransient || e.SqlState?.StartsWith("57P", StringComparison.Ordinal) == true;

    private static string Describe(BadHttpRequestException exception) => exception switch
    {
        { StatusCode: 413 } => "The request body is too large; larger things are artifacts.",
        { StatusCode: 415 } => "The request body must be JSON, with Content-Type: application/json.",
        { InnerException: System.Text.Json.JsonException json } => $"The request body is not the JSON expected here: {FailureCause.Sentence(json)}",
        _ => $"The request is malformed: {FailureCause.Sentence(exception)}",
    };

    private static string Describe(HttpContext http) => http.Response.StatusCode switch
    {
        404 => $"There is nothing at {http.Request.Path}; the API is under /api/v1, and /openapi.json describes it.",
        405 => $"{http.Request.Method} is not possible at {http.Request.Path}; {http.Response.Headers.Allow} is.",
        415 => "The request body must be JSON, with Content-Type: application/json.",
        var status => $"The request failed with {status}.",
    };
}
