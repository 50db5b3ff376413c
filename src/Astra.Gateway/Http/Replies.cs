using System.Globalization;
using System.Security.Cryptography;
using Astra.Kernel;
using Astra.Sdk;
using Microsoft.AspNetCore.Http;

namespace Astra.Gateway;

/// <summary>The kernel's answers as HTTP: a value becomes JSON, a refusal a problem, and what another node owns is asked there.</summary>
internal sealed class Replies(OwnerForwarding forwarding, TimeSpan answerTimeMax)
{
    // Half of a SHA-256: two bodies with the same tag would have to be looked for.
    private const int TagBytes = 16;

    public static IResult Json<T>(T value, int status = StatusCodes.Status200OK) => Results.Json(value, AstraJson.Options, statusCode: status);

    /// <summary>With an ETag of what is sent: whoever has just that already (If-None-Match) is told so, with 304 and no body.</summary>
    public static IResult Tagged<T>(HttpContext http, T value)
    {
        var body = AstraJson.Write(value);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(body, hash);
        var tag = $"\"{Convert.ToHexStringLower(hash[..TagBytes])}\"";
        http.Response.Headers.ETag = tag;
        // What is answered is as of now, and nobody on the way may keep it without asking again.
        http.Response.Headers.CacheControl = "no-cache";
        return IsKnown(http, tag) ? Results.StatusCode(StatusCodes.Status304NotModified) : Results.Bytes(body, "application/json; charset=utf-8");
    }

    public static bool IsKnown(HttpContext http, string tag)
    {
        foreach (var header in http.Request.Headers.IfNoneMatch)
            foreach (var known in header?.Split(',', StringSplitOptions.TrimEntries) ?? [])
                if (known == "*" || known == tag || known == $"W/{tag}")
                    return true;
        return false;
    }

    public async Task<IResult> Of<T>(HttpContext http, ValueTask<Answer<T>> asked, Func<T, IResult> onValue)
    {
        var answer = await Ask(asked);
        return answer.Refusal is { } refusal ? Of(refusal) : onValue(answer.Value);
    }

    public Task<IResult> Of<T, TView>(HttpContext http, ValueTask<Answer<T>> asked, Func<T, TView> toView) =>
        Of(http, asked, value => Json(toView(value)));

    /// <summary>The kernel always answers, but not while its database hangs; then we do.</summary>
    public async ValueTask<Answer<T>> Ask<T>(ValueTask<Answer<T>> asked)
    {
        if (asked.IsCompleted)
            return await asked;
        try
        {
            return await asked.AsTask().WaitAsync(answerTimeMax);
        }
        catch (TimeoutException)
        {
            return new Refusal(RefusalKind.Unavailable, "The server did not get an answer from its database in time; what was asked for may still happen.", TimeSpan.FromSeconds(5));
        }
    }

    public IResult Of(Refusal refusal) => refusal.Kind == RefusalKind.Elsewhere
        ? new ForwardResult(forwarding, refusal)
        : new RefusalResult(refusal);

    private sealed class RefusalResult(Refusal refusal) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            if (MovingRequests.TakesBack(httpContext, refusal))
                return Task.CompletedTask;
            if (refusal.IsMoving)
                httpContext.Response.Headers[MovingRequests.UntouchedHeader] = "1";
            if (refusal.RetryAfter is { } wait)
                httpContext.Response.Headers.RetryAfter = Math.Max(1, Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
            else if (refusal.Kind is RefusalKind.Overloaded or RefusalKind.Unavailable)
                httpContext.Response.Headers.RetryAfter = "1";
            return Problems.WriteAsync(httpContext, StatusOf(refusal.Kind), refusal.Reason);
        }
    }

    private sealed class ForwardResult(OwnerForwarding forwarding, Refusal refusal) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext) => forwarding.ForwardAsync(httpContext, refusal);
    }

    public static int StatusOf(RefusalKind kind) => kind switch
    {
        RefusalKind.NotFound => StatusCodes.Status404NotFound,
        RefusalKind.Invalid => StatusCodes.Status422UnprocessableEntity,
        RefusalKind.Conflict or RefusalKind.Late => StatusCodes.Status409Conflict,
        RefusalKind.Overloaded => StatusCodes.Status429TooManyRequests,
        RefusalKind.Forbidden => StatusCodes.Status403Forbidden,
        RefusalKind.Failed => StatusCodes.Status502BadGateway,
        _ => StatusCodes.Status503ServiceUnavailable,
    };
}
