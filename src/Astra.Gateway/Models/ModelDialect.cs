using Astra.Llm;
using Microsoft.AspNetCore.Http;

namespace Astra.Gateway;

/// <summary>An endpoint for the clients of models: whose errors it answers with, and that a key may also come in `x-api-key`.</summary>
internal sealed record ModelDialect(bool IsAnthropic)
{
    public Task RefuseAsync(HttpContext http, int status, string sentence) => RefuseAsync(http, new ModelRefusal(
        status, status switch { 401 => "authentication_error", 403 => "permission_error", _ => "invalid_request_error" }, status == 401 ? "invalid_api_key" : null, sentence));

    public async Task RefuseAsync(HttpContext http, ModelRefusal refusal)
    {
        var body = DialectErrors.Body(IsAnthropic, refusal, http.TraceIdentifier);
        RefusalHeaders.Set(refusal, (name, value) => http.Response.Headers[name] = value);
        http.Response.StatusCode = refusal.Status;
        http.Response.ContentType = "application/json";
        http.Response.ContentLength = body.Length;
        http.Response.Headers[IsAnthropic ? "request-id" : "x-request-id"] = http.TraceIdentifier;
        await http.Response.Body.WriteAsync(body, http.RequestAborted);
    }
}
