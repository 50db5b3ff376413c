using System.Buffers;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace Astra.Gateway;

/// <summary>
/// Finds out from the first bytes of a connection whether its client speaks HTTP/2 (RFC 9113, "prior knowledge") or HTTP/1.1,
/// and lets whoever serves that version read them again. Costs one look a connection, and a request nothing.
/// </summary>
/// <param name="next">Serves HTTP/1.1, and refuses what is neither.</param>
/// <param name="silenceMax">How long a client may say nothing: browsers connect before they know what for.</param>
/// <param name="prefaceTimeMax">How long one that has begun with what may become HTTP/2 may take to go on.</param>
internal sealed class FirstBytes(ConnectionDelegate next, Http2Listener http2, TimeSpan silenceMax, TimeSpan prefaceTimeMax)
{
    private enum Beginning
    {
        Open,
        Http1,
        Http2,
    }

    private static ReadOnlySpan<byte> Preface => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8;

    public async Task ServeAsync(ConnectionContext connection)
    {
        if (await ChooseAsync(connection) is { } serve)
            await serve(connection);
        // Otherwise there is nobody to serve. The listener closes what comes back from here.
    }

    private async ValueTask<ConnectionDelegate?> ChooseAsync(ConnectionContext connection)
    {
        var closing = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? CancellationToken.None;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(closing);
        patience.CancelAfter(silenceMax);
        var input = connection.Transport.Input;
        var hasBegun = false;
        try
        {
            while (true)
            {
                var read = await input.ReadAsync(patience.Token);
                var beginning = Judge(read.Buffer);
                if (beginning != Beginning.Open || read.IsCompleted)
                {
                    // Not even looked at: otherwise the next read, which is no longer ours, would wait for more than there is.
                    input.AdvanceTo(read.Buffer.Start);
                    return beginning == Beginning.Http2 ? http2.ServeAsync : next;
                }
                // Once: a client that sends a byte now and then gets no longer.
                if (!hasBegun)
                    patience.CancelAfter(prefaceTimeMax);
                hasBegun = true;
                input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // Silent for too long, gone, or the server stops.
            return null;
        }
    }

    private static Beginning Judge(in ReadOnlySequence<byte> said)
    {
        Span<byte> head = stackalloc byte[Preface.Length];
        var length = (int)Math.Min(said.Length, Preface.Length);
        said.Slice(0, length).CopyTo(head);
        if (!Preface.StartsWith(head[..length]))
            return Beginning.Http1;
        return length < Preface.Length ? Beginning.Open : Beginning.Http2;
    }
}
