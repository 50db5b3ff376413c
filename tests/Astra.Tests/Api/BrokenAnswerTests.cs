using System.Net;
using System.Net.Sockets;
using System.Text;
using Astra.Sdk;

namespace Astra.Tests.Api;

/// <summary>What the client says of an answer that does not come to its end.</summary>
public sealed class BrokenAnswerTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"id\":")]
    [InlineData("HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nContent-Length: 500\r\n\r\n{\"title\":")]
    [InlineData("HTTP/1.1 200")]
    [InlineData("")]
    public async Task An_answer_that_breaks_off_anywhere_is_no_answer(string beginning)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var client = new AstraClient(new Uri($"http://{listener.LocalEndpoint}"), "key");
        var asking = client.GetGoalAsync(Guid.NewGuid(), Ct);
        // A connection that ends without a byte is tried again beneath the client, so every one gets the same.
        for (var next = listener.AcceptTcpClientAsync(Ct).AsTask(); await Task.WhenAny(asking, next) == next; next = listener.AcceptTcpClientAsync(Ct).AsTask())
        {
            using var server = await next;
            var stream = server.GetStream();
            Assert.True(await stream.ReadAsync(new byte[4096], Ct) > 0);
            await stream.WriteAsync(Encoding.ASCII.GetBytes(beginning), Ct);
        }

        Assert.Equal(0, (await Assert.ThrowsAsync<AstraException>(() => asking)).Status);
    }
}
