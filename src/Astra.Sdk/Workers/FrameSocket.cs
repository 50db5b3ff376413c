using System.Buffers;
using System.Net.WebSockets;
using System.Text.Json;
using System.Threading.Channels;

namespace Astra.Sdk;

/// <summary>
/// JSON frames over a WebSocket, the same for both ends. A message is one frame, or an array of frames for a peer that
/// has said it reads those. Sending queues and returns; a peer that does not read fast enough is told so by
/// <see cref="TrySend(TOut)"/> and never makes the queue grow.
/// </summary>
/// <remarks>No timer gathers frames: what has queued up while the message before was being written goes out together,
/// so that a quiet connection waits for nothing and a busy one makes few system calls.</remarks>
public sealed class FrameSocket<TIn, TOut> : IAsyncDisposable
    where TIn : class
    where TOut : class
{
    /// <summary>A plan of a hundred thousand steps fits.</summary>
    public const int FrameBytesMax = 32 << 20;

    private const int QueuedFramesMax = 4096;
    private const int ReceiveBufferBytes = 16 << 10;

    // A message of many frames ends with the first that takes it past this.
    private const int TogetherBytesMax = 64 << 10;

    public static readonly TimeSpan CloseTimeMax = TimeSpan.FromSeconds(5);

    private readonly WebSocket _socket;
    private readonly CancellationTokenSource _aborted = new();
    private readonly Channel<Queued> _queue = Channel.CreateBounded<Queued>(new BoundedChannelOptions(QueuedFramesMax) { SingleReader = true });
    private readonly ArrayBufferWriter<byte> _received = new(ReceiveBufferBytes);
    private readonly Queue<TIn> _parsed = [];
    private readonly Task _sending;
    private volatile bool _sendsTogether;

    public FrameSocket(WebSocket socket)
    {
        _socket = socket;
        _sending = Task.Run(SendQueuedAsync);
    }

    /// <summary>The peer reads arrays of frames.</summary>
    public void SendTogether() => _sendsTogether = true;

    /// <summary>False when the peer is too slow, or gone.</summary>
    public bool TrySend(TOut frame) => _queue.Writer.TryWrite(new Queued(frame, null));

    /// <param name="make">Called when the frame's turn to be sent has come, by whoever sends.</param>
    public bool TrySend(Func<TOut> make) => _queue.Writer.TryWrite(new Queued(null, make));

    /// <summary>One receiver at a time.</summary>
    /// <returns>Null when the peer has closed the connection.</returns>
    /// <exception cref="BadFrameException">It is no frame; the message says why.</exception>
    /// <exception cref="IOException">The connection broke.</exception>
    public async ValueTask<TIn?> ReceiveAsync(CancellationToken cancellationToken)
    {
        if (_parsed.TryDequeue(out var parsed))
            return parsed;
        _received.ResetWrittenCount();
        while (true)
        {
            var part = await ReceivePartAsync(_received.GetMemory(ReceiveBufferBytes), cancellationToken);
            if (part.MessageType == WebSocketMessageType.Close)
                return null;
            if (part.MessageType == WebSocketMessageType.Binary)
                throw new BadFrameException("Frames are text; this one is binary.");
            if (_received.WrittenCount + part.Count > FrameBytesMax)
                throw new BadFrameException($"A frame has at most {FrameBytesMax} bytes.");
            _received.Advance(part.Count);
            if (part.EndOfMessage)
                return Parse(_received.WrittenSpan);
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

    /// <summary>Reads on without looking until the peer has closed its side too, or for a while. Cutting the connection
    /// before that can take away what the peer has not read yet, the last word above all.</summary>
    public async ValueTask WaitForCloseAsync()
    {
        using var timeout = new CancellationTokenSource(CloseTimeMax);
        var buffer = new byte[ReceiveBufferBytes];
        try
        {
            while ((await ReceivePartAsync(buffer, timeout.Token)).MessageType != WebSocketMessageType.Close)
            {
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // Gone, one way or the other.
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

    private async ValueTask<ValueWebSocketReceiveResult> ReceivePartAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            return await _socket.ReceiveAsync(buffer, cancellationToken);
        }
        catch (Exception e) when (e is WebSocketException or ObjectDisposedException or InvalidOperationException)
        {
            throw new IOException($"The connection broke: {e.Message}", e);
        }
    }

    private TIn Parse(ReadOnlySpan<byte> utf8)
    {
        var json = new Utf8JsonReader(utf8);
        try
        {
            json.Read();
            if (json.TokenType != JsonTokenType.StartArray)
                _parsed.Enqueue(ReadFrame(ref json) ?? throw new JsonException("Expected a frame, found null."));
            else
                while (json.Read() && json.TokenType != JsonTokenType.EndArray)
                    _parsed.Enqueue(ReadFrame(ref json) ?? throw new BadFrameException("One of the frames of a message is null."));
            // Nothing may follow, and reading on would find it.
            json.Read();
            return _parsed.TryDequeue(out var first) ? first : throw new BadFrameException("A message holds at least one frame.");
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            throw new BadFrameException($"The frame is not one of the protocol: {FailureCause.Sentence(e)}");
        }
    }

    private static TIn? ReadFrame(ref Utf8JsonReader json) =>
        FrequentFrames.TryRead<TIn>(ref json) ?? JsonSerializer.Deserialize<TIn>(ref json, AstraJson.Options);

    private async Task SendQueuedAsync()
    {
        var message = new ArrayBufferWriter<byte>();
        await using var json = new Utf8JsonWriter(message);
        try
        {
            while (await _queue.Reader.WaitToReadAsync(_aborted.Token))
                while (_queue.Reader.TryRead(out var first))
                {
                    message = Write(json, message, first);
                    await _socket.SendAsync(message.WrittenMemory, WebSocketMessageType.Text, endOfMessage: true, _aborted.Token);
                }
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or ObjectDisposedException or IOException or InvalidOperationException)
        {
            // The receiving side sees the same break and ends the connection.
        }
        catch (JsonException)
        {
            // A frame that cannot be written. The peer would wait for it for ever.
            _socket.Abort();
        }
        finally
        {
            _queue.Writer.TryComplete();
        }
    }

    private ArrayBufferWriter<byte> Write(Utf8JsonWriter json, ArrayBufferWriter<byte> before, Queued first)
    {
        // Room for the odd large frame is not kept.
        var message = before.Capacity > 16 * TogetherBytesMax ? new ArrayBufferWriter<byte>() : before;
        message.ResetWrittenCount();
        json.Reset(message);
        if (_sendsTogether && _queue.Reader.TryRead(out var second))
            WriteTogether(json, first, second);
        else
            WriteFrame(json, first);
        json.Flush();
        return message;
    }

    /// <summary>As many as have queued up, until what has been written of them is long enough.</summary>
    private void WriteTogether(Utf8JsonWriter json, Queued first, Queued next)
    {
        json.WriteStartArray();
        WriteFrame(json, first);
        do
            WriteFrame(json, next);
        while (json.BytesCommitted + json.BytesPending < TogetherBytesMax && _queue.Reader.TryRead(out next));
        json.WriteEndArray();
    }

    private static void WriteFrame(Utf8JsonWriter json, Queued queued)
    {
        var frame = queued.Get();
        if (!FrequentFrames.TryWrite(json, frame))
            JsonSerializer.Serialize(json, frame, AstraJson.Options);
    }

    // RFC 6455: a close reason has at most 123 bytes.
    private static string? Shorten(string? reason) => reason is { Length: > 40 } ? reason[..40] : reason;

    private readonly record struct Queued(TOut? Frame, Func<TOut>? Make)
    {
        public TOut Get() => Frame ?? Make!();
    }
}

/// <summary>The peer sent something that is no frame of the protocol.</summary>
public sealed class BadFrameException(string reason) : Exception(reason);
