using System.Net.Sockets;
using System.Text;

namespace Astra.Tests.Api;

/// <summary>A client that sends exactly the bytes that a test says.</summary>
internal sealed class RawConnection : IDisposable
{
    private static readonly TimeSpan WaitMax = TimeSpan.FromSeconds(60);

    public const string Http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    /// <summary>A frame of HTTP/2 that says nothing: a client's first frame has to be this one.</summary>
    public static readonly byte[] EmptySettings = [0, 0, 0, SettingsFrame, 0, 0, 0, 0, 0];

    public const byte SettingsFrame = 4;
    public const byte GoAwayFrame = 7;

    private const int FrameHeadBytes = 9;

    private readonly TcpClient _client = new() { NoDelay = true };

    private readonly CancellationTokenSource _patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);

    private RawConnection() => _patience.CancelAfter(WaitMax);

    private CancellationToken Ct => _patience.Token;

    public static async Task<RawConnection> OpenAsync(Uri address)
    {
        var connection = new RawConnection();
        await connection._client.ConnectAsync(address.Host, address.Port, connection.Ct);
        return connection;
    }

    public async Task SendAsync(string text) => await SendAsync(Encoding.ASCII.GetBytes(text));

    public async Task SendAsync(byte[] bytes) => await _client.GetStream().WriteAsync(bytes, Ct);

    /// <summary>In as many packets as it has bytes.</summary>
    public async Task SendSlowlyAsync(string text)
    {
        foreach (var letter in text)
            await SendAsync($"{letter}");
    }

    /// <summary>Everything until the server has closed its side in good order; a reset is an exception.</summary>
    public async Task<string> ReadToEndAsync()
    {
        using var reader = new StreamReader(_client.GetStream(), Encoding.Latin1);
        return await reader.ReadToEndAsync(Ct);
    }

    public async Task<(byte Kind, byte[] Payload)> ReadFrameAsync()
    {
        var head = new byte[FrameHeadBytes];
        await _client.GetStream().ReadExactlyAsync(head, Ct);
        var payload = new byte[head[0] << 16 | head[1] << 8 | head[2]];
        await _client.GetStream().ReadExactlyAsync(payload, Ct);
        return (head[3], payload);
    }

    public void Dispose()
    {
        _client.Dispose();
        _patience.Dispose();
    }
}
