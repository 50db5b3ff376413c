using System.Net.WebSockets;
using System.Text.Json;
using System.Threading.Channels;

namespace Astra.Sdk;

/// <summary>
/// JSON frames over a WebSocket, the same for both ends. Sending queues and returns; a peer that does not read fast
/// enough is told so by <see cref="TrySend"/> and never makes the queue grow.
/// </summary>
public sealed class FrameSocket<TIn, TOut> : IAsyncDisposable
    where TIn : class
    where TOut : class
{
    /// <summary>A plan of a hundred thousand steps fits.</summary>
    public const int FrameBytesMax = 32 << 20;

    private const int QueuedFramesMax = 4096;
    private const int ReceiveBufferBytes = 16 << 10;

    private static readonly TimeSpan CloseTimeMax = TimeSpan.FromSeconds(5);

    private readonly WebSocket _socket;
    private readonly CancellationTokenSource _aborted = new();
    private readonly Channel<TOut> _queue = Channel.CreateBounded<TOut>(new BoundedChannelOptions(QueuedFramesMax) { SingleReader = true });
    private readonly Task _sending;

    public FrameSocket(WebSocket socket)
    {
        _socket = socket;
        _sending = Task.Run(SendQueuedAsync);
    }

    /// <summary>False when the peer is too slow, or gone.</summary>
    public bool TrySend(TOut frame) => _queue.Writer.TryWrite(frame);

    /// <returns>Null when the peer has closed the connection.</returns>
    /// <exception cref="BadFrameException">It is no frame; the message says why.</exception>
    /// <exception cref="IOException">The connection broke.</exception>
    public async ValueTask<TIn?> ReceiveAsync(CancellationToken cancellationToken)
    {
        using var bytes = new MemoryStream();
        var buffer = new byte[ReceiveBufferBytes];
        while (true)
        {
            var part = await ReceivePartAsync(buffer, cancellationToken);
            if (part.MessageType == WebSocketMessageType.Close)
                return null;
            if (part.MessageType == WebSocketMessageType.Binary)
                throw new BadFrameException("Frames are text; this one is binary.");
            if (bytes.Length + part.Count > FrameBytesMax)
                throw new BadFrameException($"A frame has at most {FrameBytesMax} bytes.");
            bytes.Write(buffer, 0, part.Count);
            if (part.EndOfMessage)
                return Parse(bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
        }
    }

    /// <summary>Sends what is queued, says goodbye, and does not wait for the answer for long.</summary>
    public async ValueTask CloseAsync(string? reason = null)
    {
        _queue.Writer.TryComplete();
        await Task.WhenAny(_sending, Task.Delay(CloseTimeMax));
        if (_socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
        {
            try
            {
                using var timeout = new CancellationTokenSource(CloseTimeMax);
                var status = reason is null ? WebSocketCloseStatus.NormalClosure : WebSocketCloseStatus.PolicyViolation;
                await _socket.CloseOutputAsync(status, Shorten(reason), timeout.Token);
            }
            catch (Exception e) when (e is WebSocketException or OperationCanceledException or IOException)
            {
                // It was going anyway.
            }
        }
    }

    /// <summary>Cuts the connection; what waits in <see cref="ReceiveAsync"/> ends with an exception.</summary>
    public void Abort() => _socket.Abort();

    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _aborted.CancelAsync();
        await _sending;
        _socket.Dispose();
        _aborted.Dispose();
    }

    private async ValueTask<ValueWebSocketReceiveResult> ReceivePartAsync(byte[] buffer, CancellationToken cancellationToken)
    {
        try
        {
            return await _socket.ReceiveAsync(buffer.AsMemory(), cancellationToken);
        }
        catch (Exception e) when (e is WebSocketException or ObjectDisposedException or InvalidOperationException)
        {
            throw new IOException($"The connection broke: {e.Message}", e);
        }
    }

    private static TIn Parse(ReadOnlySpan<byte> utf8)
    {
        try
        {
            return AstraJson.Read<TIn>(utf8);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            throw new BadFrameException($"The frame is not one of the protocol: {FailureCause.Sentence(e)}");
        }
    }

    private async Task SendQueuedAsync()
    {
        try
        {
            await foreach (var frame in _queue.Reader.ReadAllAsync(_aborted.Token))
                await _socket.SendAsync(AstraJson.Write(frame), WebSocketMessageType.Text, endOfMessage: true, _aborted.Token);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or ObjectDisposedException or IOException or InvalidOperationException)
        {
            // The receiving side sees the same break and ends the connection.
        }
        finally
        {
            _queue.Writer.TryComplete();
        }
    }

    // RFC 6455: a close reason has at most 123 bytes.
    private static string? Shorten(string? reason) => reason is { Length: > 40 } ? reason[..40] : reason;
}

/// <summary>The peer sent something that is no frame of the protocol.</summary>
public sealed class BadFrameException(string reason) : Exception(reason);
