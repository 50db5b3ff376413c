using System.Net;
using System.Net.WebSockets;
using System.Text;
using Astra.Governance;
using Astra.Sdk;

namespace Astra.Tests.Api;

/// <summary>A worker that says exactly what a test says.</summary>
internal sealed class RawWorker : IAsyncDisposable
{
    private readonly ClientWebSocket _socket;
    private readonly FrameSocket<ServerFrame, WorkerFrame> _frames;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private RawWorker(ClientWebSocket socket) => (_socket, _frames) = (socket, new FrameSocket<ServerFrame, WorkerFrame>(socket));

    public static async Task<RawWorker> ConnectAsync(ServerFixture server, string? key = null) =>
        await ConnectAsync(server, new ClientWebSocket(), key ?? await server.NewKeyAsync(Role.Member), invoker: null);

    /// <param name="invoker">Whose connection to use.</param>
    public static async Task<RawWorker> ConnectOverHttp2Async(ServerFixture server, HttpMessageInvoker invoker)
    {
        var socket = new ClientWebSocket { Options = { HttpVersion = HttpVersion.Version20, HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact } };
        return await ConnectAsync(server, socket, await server.NewKeyAsync(Role.Member), invoker);
    }

    private static async Task<RawWorker> ConnectAsync(ServerFixture server, ClientWebSocket socket, string key, HttpMessageInvoker? invoker)
    {
        socket.Options.SetRequestHeader("Authorization", $"Bearer {key}");
        await socket.ConnectAsync(new UriBuilder(server.Address) { Scheme = "ws", Path = "/api/v1/workers/connect" }.Uri, invoker, Ct);
        return new RawWorker(socket);
    }

    public async Task HelloAsync(string agent = "raw", bool messages = false)
    {
        Send(new WorkerFrame.Hello("raw worker", [new AgentRegistration(agent)], 1, Messages: messages));
        Assert.NotEmpty((await NextAsync<ServerFrame.Welcome>()).WorkerId);
    }

    public void Send(WorkerFrame frame) => Assert.True(_frames.TrySend(frame));

    public Task SendRawAsync(string text) => _socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, true, Ct);

    public async Task<T> NextAsync<T>() where T : ServerFrame => Assert.IsType<T>(await _frames.ReceiveAsync(Ct));

    public async Task<bool> IsClosedAsync() => await _frames.ReceiveAsync(Ct) is null;

    public void Abort() => _frames.Abort();

    public ValueTask DisposeAsync() => _frames.DisposeAsync();
}
