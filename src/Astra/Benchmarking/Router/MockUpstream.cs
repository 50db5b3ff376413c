using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Astra.Benchmarking.Router;

/// <summary>
/// A provider of models that costs as little as one can: it answers every request at once with the same bytes, whole or as a
/// stream. It runs in a process of its own, on a loopback port that it prints, until its input ends.
/// </summary>
internal static class MockUpstream
{
    public const string Verb = "bench-upstream";

    /// <summary>What stands between the parts of a streamed answer, so that each is a moment of its own.</summary>
    public static readonly TimeSpan ChunkPeriod = TimeSpan.FromMilliseconds(2);

    public const int ChunkCount = 20;

    private const int ReadBytes = 16 << 10;

    private static readonly byte[] Whole = WholeAnswer();
    private static readonly byte[] StreamHead = Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
    private static readonly byte[] Delta = Chunk("data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"},\"finish_reason\":null}]}\n\n");
    private static readonly byte[] StreamEnd =
    [
        .. Chunk("data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"), .. "0\r\n\r\n"u8,
    ];

    public static async Task<int> RunAsync(TextWriter output, CancellationToken cancellationToken)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(512);
        await output.WriteLineAsync($"listening on {((IPEndPoint)listener.LocalEndPoint!).Port}");
        await output.FlushAsync(cancellationToken);
        while (!cancellationToken.IsCancellationRequested)
        {
            var socket = await listener.AcceptAsync(cancellationToken);
            _ = Task.Run(() => ServeAsync(socket, cancellationToken), cancellationToken);
        }
        return 0;
    }

    private static async Task ServeAsync(Socket socket, CancellationToken cancellationToken)
    {
        using var owned = socket;
        socket.NoDelay = true;
        var buffer = new byte[ReadBytes];
        var length = 0;
        try
        {
            while (await socket.ReceiveAsync(buffer.AsMemory(length), cancellationToken) is var count and > 0)
            {
                length += count;
                while (HttpFraming.WholeLength(buffer.AsSpan(0, length)) is var whole and > 0)
                {
                    var isStream = buffer.AsSpan(0, whole).IndexOf("\"stream\":true"u8) >= 0;
                    buffer.AsSpan(whole, length - whole).CopyTo(buffer);
                    length -= whole;
                    if (isStream)
                        await StreamAsync(socket, cancellationToken);
                    else
                        await socket.SendAsync(Whole, cancellationToken);
                }
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // The other side is done.
        }
    }

    private static async Task StreamAsync(Socket socket, CancellationToken cancellationToken)
    {
        await socket.SendAsync(StreamHead, cancellationToken);
        for (var i = 0; i < ChunkCount; i++)
        {
            await socket.SendAsync(Delta, cancellationToken);
            await Task.Delay(ChunkPeriod, cancellationToken);
        }
        await socket.SendAsync(StreamEnd, cancellationToken);
    }

    private static byte[] WholeAnswer()
    {
        const string body = "{\"id\":\"c\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Four score and seven years ago our fathers brought forth\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":11,\"total_tokens\":31}}";
        return Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {body.Length}\r\n\r\n{body}");
    }

    private static byte[] Chunk(string text) => Encoding.ASCII.GetBytes($"{text.Length:x}\r\n{text}\r\n");
}
