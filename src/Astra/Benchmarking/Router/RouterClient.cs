using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Astra.Benchmarking.Router;

/// <summary>One connection that asks the same thing again and again; it takes as little of the machine as can be, because the machine is what is measured.</summary>
internal sealed class RouterClient : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] _request;
    private readonly byte[] _buffer = new byte[64 << 10];

    private RouterClient(byte[] request) => _request = request;

    public static async Task<RouterClient> ConnectAsync(int port, string model, string? apiKey, bool isStream, bool isCached, CancellationToken cancellationToken)
    {
        var body = $"{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"system\",\"content\":\"You are terse and exact, and you answer in one sentence.\"}},{{\"role\":\"user\",\"content\":\"How does the address begin that was given at Gettysburg?\"}}],\"temperature\":0{(isStream ? ",\"stream\":true" : "")}}}";
        var authorization = apiKey is null ? "" : $"authorization: Bearer {apiKey}\r\n{(isCached ? "" : "x-astra-cache: no\r\n")}";
        var client = new RouterClient(Encoding.ASCII.GetBytes(
            $"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n{authorization}content-type: application/json\r\ncontent-length: {body.Length}\r\n\r\n{body}"));
        await client._socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), cancellationToken);
        return client;
    }

    /// <summary>Asks once and reads the answer to its end; anything but a 200 ends the measurement.</summary>
    public async ValueTask AskAsync(CancellationToken cancellationToken)
    {
        await _socket.SendAsync(_request, cancellationToken);
        var length = 0;
        while (HttpFraming.WholeLength(_buffer.AsSpan(0, length)) == 0)
            length += await ReceiveAsync(length, cancellationToken);
        Check(length);
    }

    /// <summary>Asks for a stream: when its first word came, and what lay between the others.</summary>
    public async ValueTask<(TimeSpan First, IReadOnlyList<double> Gaps)> StreamAsync(CancellationToken cancellationToken)
    {
        var began = Stopwatch.GetTimestamp();
        await _socket.SendAsync(_request, cancellationToken);
        TimeSpan? first = null;
        var (length, words, last) = (0, 0, 0L);
        var gaps = new List<double>();
        while (true)
        {
            length += await ReceiveAsync(length, cancellationToken);
            var now = Stopwatch.GetTimestamp();
            var there = _buffer.AsSpan(0, length).Count("\"word \""u8);
            if (there > words)
            {
                if (first is null)
                    first = Stopwatch.GetElapsedTime(began, now);
                else
                    gaps.Add(Stopwatch.GetElapsedTime(last, now).TotalMilliseconds);
                (words, last) = (there, now);
            }
            if (_buffer.AsSpan(0, length).EndsWith("0\r\n\r\n"u8))
                break;
        }
        Check(length);
        return (first ?? throw new InvalidOperationException("A stream came without a word."), gaps);
    }

    public void Dispose() => _socket.Dispose();

    private async ValueTask<int> ReceiveAsync(int length, CancellationToken cancellationToken) =>
        await _socket.ReceiveAsync(_buffer.AsMemory(length), cancellationToken) is var count and > 0 ? count
            : throw new InvalidOperationException("The connection was closed in the middle of an answer.");

    private void Check(int length)
    {
        if (!_buffer.AsSpan(0, length).StartsWith("HTTP/1.1 200"u8))
            throw new InvalidOperationException($"An answer was not what was asked for: {Encoding.UTF8.GetString(_buffer, 0, Math.Min(length, 600))}");
    }
}
