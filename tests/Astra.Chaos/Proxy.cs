using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Astra.Chaos;

/// <summary>A piece of network of ours: passes bytes on, late if told so, and cuts connections off.</summary>
internal sealed class Proxy : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly IPEndPoint _target;
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<Link, byte> _links = new();
    private readonly Task _accepting;
    private long _delayTicks;

    public Proxy(int targetPort)
    {
        _target = new IPEndPoint(IPAddress.Loopback, targetPort);
        _listener = new TcpListener(IPAddress.Loopback, 0);
        _listener.Start(512);
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>How long each piece is held, in each direction.</summary>
    public TimeSpan Delay
    {
        get => TimeSpan.FromTicks(Interlocked.Read(ref _delayTicks));
        set => Interlocked.Exchange(ref _delayTicks, value.Ticks);
    }

    /// <summary>Cuts every connection there is, as a router that was restarted does: with a reset, in the middle of whatever is said.</summary>
    /// <returns>How many there were.</returns>
    public int Reset()
    {
        var cut = 0;
        foreach (var link in _links.Keys)
        {
            link.Reset();
            cut++;
        }
        return cut;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Dispose();
        await _accepting;
        Reset();
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                _ = ServeAsync(await _listener.AcceptSocketAsync(_stopping.Token));
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException)
            {
                // Gone before it was taken.
            }
        }
    }

    private async Task ServeAsync(Socket near)
    {
        var link = new Link(near, new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
        near.NoDelay = true;
        _links.TryAdd(link, 0);
        try
        {
            await link.Far.ConnectAsync(_target, _stopping.Token);
            await Task.WhenAll(PumpAsync(link, link.Near, link.Far), PumpAsync(link, link.Far, link.Near));
            link.Close();
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            link.Reset();
        }
        finally
        {
            _links.TryRemove(link, out _);
        }
    }

    private async Task PumpAsync(Link link, Socket from, Socket to)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (true)
            {
                var count = await from.ReceiveAsync(buffer, SocketFlags.None, _stopping.Token);
                if (Delay is { Ticks: > 0 } delay)
                    await Task.Delay(delay, _stopping.Token);
                if (count == 0)
                {
                    to.Shutdown(SocketShutdown.Send);
                    return;
                }
                for (var sent = 0; sent < count;)
                    sent += await to.SendAsync(buffer.AsMemory(sent, count - sent), SocketFlags.None, _stopping.Token);
            }
        }
        catch
        {
            // One side is gone: the other hears of it now, not when it next says something.
            link.Reset();
            throw;
        }
    }

    private sealed record Link(Socket Near, Socket Far)
    {
        public void Reset()
        {
            foreach (var socket in (Socket[])[Near, Far])
            {
                try
                {
                    // Closed without waiting for what is on its way: both ends are told with a reset.
                    socket.LingerState = new LingerOption(true, 0);
                }
                catch (Exception e) when (e is SocketException or ObjectDisposedException)
                {
                    // It is over already.
                }
                socket.Dispose();
            }
        }

        public void Close()
        {
            Near.Dispose();
            Far.Dispose();
        }
    }
}
