using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Astra.Tests.Models;

/// <summary>
/// A server of models that does what a test tells it, byte for byte: right answers in every dialect, and every way to be wrong.
/// Below HTTP libraries on purpose: none of them would send what a broken provider sends.
/// </summary>
internal sealed class ScriptedModels : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentBag<Task> _connections = [];
    private readonly ConcurrentBag<Socket> _sockets = [];
    private readonly Task _accepting;

    public ScriptedModels(Func<ModelRequest, ModelScript>? answer = null)
    {
        Answer = answer ?? (_ => ModelScript.Chat("hello"));
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public string Root => $"http://127.0.0.1:{Port}";

    public Func<ModelRequest, ModelScript> Answer { get; set; }

    public ConcurrentQueue<ModelRequest> Seen { get; } = [];

    /// <summary>How many connections the other side broke off while a script was running.</summary>
    public int BrokenOff => Volatile.Read(ref _brokenOff);
    private int _brokenOff;

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Stop();
        foreach (var socket in _sockets)
            socket.Dispose();
        await _accepting;
        await Task.WhenAll(_connections);
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            try
            {
                var socket = await _listener.AcceptSocketAsync(_stopping.Token);
                _sockets.Add(socket);
                _connections.Add(Task.Run(() => ServeAsync(socket)));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using var stream = new NetworkStream(socket, ownsSocket: true);
        try
        {
            while (await ReadAsync(stream) is { } request)
            {
                Seen.Enqueue(request);
                if (!await PlayAsync(Answer(request), stream, socket))
                    return;
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or OperationCanceledException or SocketException)
        {
            if (!_stopping.IsCancellationRequested)
                Interlocked.Increment(ref _brokenOff);
        }
    }

    private async Task<bool> PlayAsync(ModelScript script, NetworkStream stream, Socket socket)
    {
        foreach (var step in script.Steps)
        {
            switch (step)
            {
                case Send send:
                    await stream.WriteAsync(send.Bytes, _stopping.Token);
                    break;
                case SendForEver more:
                    while (true)
                    {
                        await stream.WriteAsync(more.Bytes, _stopping.Token);
                        await Task.Delay(more.Every, _stopping.Token);
                    }
                case Hang:
                    // Until the other side gives up: then there is something to read, namely nothing.
                    if (await stream.ReadAsync(new byte[1], _stopping.Token) == 0)
                        throw new IOException("The other side has gone.");
                    break;
                case Until gate:
                    await gate.Task.WaitAsync(_stopping.Token);
                    break;
                case Cut:
                    socket.LingerState = new LingerOption(true, 0);
                    socket.Close();
                    return false;
            }
        }
        return true;
    }

    private async Task<ModelRequest?> ReadAsync(NetworkStream stream)
    {
        var head = new List<byte>();
        var one = new byte[1];
        while (head.Count < 4 || head[^4] != '\r' || head[^3] != '\n' || head[^2] != '\r' || head[^1] != '\n')
        {
            if (await stream.ReadAsync(one, _stopping.Token) == 0)
                return null;
            head.Add(one[0]);
        }
        var lines = Encoding.ASCII.GetString([.. head]).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        var headers = lines.Skip(1).Select(line => line.Split(": ", 2)).ToDictionary(pair => pair[0], pair => pair[1], StringComparer.OrdinalIgnoreCase);
        var body = new byte[headers.TryGetValue("content-length", out var length) ? int.Parse(length) : 0];
        await stream.ReadExactlyAsync(body, _stopping.Token);
        return new ModelRequest(lines[0].Split(' ')[0], lines[0].Split(' ')[1], headers, body);
    }
}

internal sealed record ModelRequest(string Method, string Path, IReadOnlyDictionary<string, string> Headers, byte[] Body)
{
    public JsonElement Json => JsonElement.Parse(Body);
    public string Text => Encoding.UTF8.GetString(Body);
    public bool IsStream => Body.Length > 0 && Json.TryGetProperty("stream", out var stream) && stream.GetBoolean();
}

internal abstract record ScriptStep;

internal sealed record Send(byte[] Bytes) : ScriptStep;

internal sealed record SendForEver(byte[] Bytes, TimeSpan Every) : ScriptStep;

/// <summary>Says nothing more and keeps the connection.</summary>
internal sealed record Hang : ScriptStep;

/// <summary>Goes on when the test says so.</summary>
internal sealed record Until(Task Task) : ScriptStep;

/// <summary>The connection is gone, without a good-bye.</summary>
internal sealed record Cut : ScriptStep;
