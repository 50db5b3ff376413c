using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Astra.Tests.EndToEnd;

/// <summary>A receiver of hooks, as somebody else would write it: it knows its secret and what docs/webhooks.md says.</summary>
internal sealed class HookReceiver : IAsyncDisposable
{
    private readonly HttpReceiver _receiver;

    public HookReceiver(int port) => _receiver = new HttpReceiver(port, Take);

    /// <summary>What it answers; null never answers.</summary>
    public Func<HookRequestSeen, int?> Answer { get; set; } = _ => 204;

    public ConcurrentQueue<HookRequestSeen> Seen { get; } = [];

    public Task<HookRequestSeen> SeesAsync(int number, Func<string>? elseSay = null) =>
        Eventually.SeeAsync($"message {number} at the receiver", () => Task.FromResult(Seen.ElementAtOrDefault(number - 1)), elseSay);

    public ValueTask DisposeAsync() => _receiver.DisposeAsync();

    private void Take(HttpListenerContext http, byte[] body)
    {
        var seen = new HookRequestSeen(
            http.Request.Url!.AbsolutePath, http.Request.Headers["webhook-id"]!, http.Request.Headers["webhook-timestamp"]!, http.Request.Headers["webhook-signature"]!, body);
        Seen.Enqueue(seen);
        if (Answer(seen) is not { } status)
            return;
        http.Response.StatusCode = status;
        if (status == 302)
            http.Response.RedirectLocation = "/elsewhere";
        http.Response.Close();
    }
}

internal sealed record HookRequestSeen(string Path, string Id, string Timestamp, string Signature, byte[] Body)
{
    public JsonElement Json => JsonElement.Parse(Body);

    public string Type => Json.GetProperty("type").GetString()!;

    public JsonElement Data => Json.GetProperty("data");

    /// <param name="secret">As it was shown: `whsec_` and base64.</param>
    public bool IsSignedWith(string secret)
    {
        byte[] signed = [.. Encoding.ASCII.GetBytes($"{Id}.{Timestamp}."), .. Body];
        var expected = "v1," + Convert.ToBase64String(HMACSHA256.HashData(Convert.FromBase64String(secret["whsec_".Length..]), signed));
        return Signature == expected && Math.Abs(DateTimeOffset.UtcNow.ToUnixTimeSeconds() - long.Parse(Timestamp)) < 300;
    }
}
