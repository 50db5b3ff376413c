using System.IO.Pipelines;
using Astra.Llm;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Astra.Gateway;

/// <summary>An answer of the router as the response to a request.</summary>
internal sealed class HttpModelReply(HttpContext http) : IModelReply
{
    public PipeWriter Body => http.Response.BodyWriter;

    /// <summary>What was sent is not the whole answer.</summary>
    public bool IsBroken { get; private set; }

    public void Break() => IsBroken = true;

    public void SetHeader(string name, string value) => http.Response.Headers[name] = value;

    public void Start(int status, string contentType, long? length)
    {
        var response = http.Response;
        response.StatusCode = status;
        response.ContentType = contentType;
        response.ContentLength = length;
        if (length is not null)
            return;
        // What stands between may not collect what is meant to arrive a word at a time.
        response.Headers.CacheControl = "no-cache";
        response.Headers["X-Accel-Buffering"] = "no";
        http.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
    }
}
