using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Astra.Sdk;

namespace Astra.Tests.Api;

/// <summary>Frames on the wire are the JSON that the serializer makes of them, and whatever says the same is read the same.</summary>
public sealed class FrameSocketTests
{
    private static readonly Guid Id = Guid.Parse("0199b1f0-1234-7abc-8def-0123456789ab");

    private static readonly TaskAssignment Bare = new()
    {
        TaskId = Id, GoalId = Guid.Parse("0199b1f0-1234-7abc-8def-0123456789ac"), Attempt = 3, Name = "fetch", Executor = "agent:bench", Kind = "no-op",
        Input = AstraJson.ToElement(null), GoalInput = AstraJson.ToElement(null), Dependencies = [], LeaseSeconds = 30, Now = new DateTimeOffset(2026, 11, 22, 10, 30, 0, TimeSpan.Zero),
    };

    private static readonly TaskAssignment Full = Bare with
    {
        Name = "\u00fcber \"quoted\"\n<b>\ud83d\ude80", Agent = "auditor", Kind = "", Input = AstraJson.ToElement(new { deep = new[] { new { a = 1.5, b = "x" } } }),
        GoalInput = AstraJson.ToElement("text"), LeaseSeconds = 0.25, Now = new DateTimeOffset(2026, 11, 22, 10, 30, 0, 123, TimeSpan.FromHours(2)), Effect = new AssignedEffect("task-key"),
        Dependencies =
        [
            new StepOutput("a", StepState.Completed, AstraJson.ToElement(new { n = 1 }), null), new StepOutput("b", StepState.Dead, AstraJson.ToElement(null), "no \u201creason\u201d"),
            new StepOutput("c", StepState.Cancelled, AstraJson.ToElement(false), null),
        ],
    };

    private static readonly ServerFrame[] FromServer =
    [
        new ServerFrame.Assign(Bare), new ServerFrame.Assign(Full), new ServerFrame.Assign(Bare with { Effect = new AssignedEffect("key", EffectState.Sent, AstraJson.ToElement(7)) }),
        new ServerFrame.Accepted(Id, 1), new ServerFrame.Accepted(Id, int.MaxValue), new ServerFrame.Late(Id, 2, "over"), new ServerFrame.Welcome("w", 10),
    ];

    private static readonly WorkerFrame[] FromWorker =
    [
        new WorkerFrame.Complete(Id, 1, AstraJson.ToElement(null), Edits: null), new WorkerFrame.Complete(Id, 2, AstraJson.ToElement(new { rows = 3 }), Edits: null, "passed"),
        new WorkerFrame.Complete(Id, 3, AstraJson.ToElement(new[] { 1, 2 }), [new CancelStep("other")]), new WorkerFrame.Complete(Id, 4, AstraJson.ToElement("\ud83d\ude80"), [], "o"),
        new WorkerFrame.Fail(Id, 5, FailureKind.Permanent, "bad"), new WorkerFrame.Drain(),
    ];

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_sent_is_the_json_of_the_frame_byte_for_byte()
    {
        await using var server = await PairAsync<WorkerFrame, ServerFrame>();
        foreach (var frame in FromServer)
            Assert.Equal(Text(frame), await server.SendAsync(frame));
        await using var worker = await PairAsync<ServerFrame, WorkerFrame>();
        foreach (var frame in FromWorker)
            Assert.Equal(Text(frame), await worker.SendAsync(frame));
    }

    [Fact]
    public async Task What_is_received_is_the_frame_in_whatever_order_case_or_spacing_it_is_said_alone_or_together()
    {
        await using var worker = await PairAsync<ServerFrame, WorkerFrame>();
        foreach (var frame in FromServer)
            foreach (var saying in Sayings(Text(frame)))
                Assert.Equal(Text(frame), Text(await worker.ReceiveAsync(saying)));
        await using var server = await PairAsync<WorkerFrame, ServerFrame>();
        foreach (var frame in FromWorker)
            foreach (var saying in Sayings(Text(frame)))
                Assert.Equal(Text(frame), Text(await server.ReceiveAsync(saying)));

        Assert.Equal(Text(FromServer[0]), Text(await worker.ReceiveAsync($"[{string.Join(',', FromServer.Select(Text))}]")));
        foreach (var frame in FromServer.Skip(1))
            Assert.Equal(Text(frame), Text(await worker.Frames.ReceiveAsync(Ct) ?? throw new IOException("The connection ended.")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("[null]")]
    [InlineData("""{"type":"accepted","taskId":"0199b1f0-1234-7abc-8def-0123456789ab","attempt":1}""")]
    [InlineData("""{"type":"complete","taskId":"no id","attempt":1,"output":null}""")]
    [InlineData("""{"type":"complete","taskId":"0199b1f0-1234-7abc-8def-0123456789ab","attempt":1.5,"output":null}""")]
    [InlineData("""{"type":"complete","taskId":"0199b1f0-1234-7abc-8def-0123456789ab","attempt":1,"output":null""")]
    [InlineData("""{"type":"complete","taskId":"0199b1f0-1234-7abc-8def-0123456789ab","attempt":1,"output":null} {}""")]
    [InlineData("""{"type":"complete","taskId":"0199b1f0-1234-7abc-8def-0123456789ab","attempt":1,"output":{"a":}}""")]
    [InlineData("""{"type":"complete","taskId":"0199b1f0-1234-7abc-8def-0123456789ab","attempt":1,"output":1,"outcome":"\ud800"}""")]
    public async Task What_is_no_frame_is_refused_with_a_sentence(string said)
    {
        await using var server = await PairAsync<WorkerFrame, ServerFrame>();
        Assert.NotEmpty((await Assert.ThrowsAsync<BadFrameException>(async () => await server.ReceiveAsync(said))).Message);
    }

    private static string Text<T>(T frame) => Encoding.UTF8.GetString(AstraJson.Write(frame));

    /// <summary>The same, as others would say it.</summary>
    private static IEnumerable<string> Sayings(string frame)
    {
        yield return frame;
        yield return $"[{frame}]";
        using var parsed = JsonDocument.Parse(frame);
        yield return $" \n{JsonSerializer.Serialize(parsed, Indented)}\t";
        var fields = parsed.RootElement.EnumerateObject().Select(field => $"\"{field.Name}\":{field.Value.GetRawText()}").ToList();
        yield return $"{{{string.Join(',', fields.AsEnumerable().Reverse())}}}";
        yield return $"{{{string.Join(',', fields)},\"unknown\":[1]}}";
        yield return $"{{{fields[0]},\"unknown\":{{}}{string.Concat(fields.Skip(1).Select(field => $",{field}"))}}}";
        yield return frame.Replace("\"attempt\":", "\"Attempt\":", StringComparison.Ordinal);
    }

    private static async Task<Pair<TIn, TOut>> PairAsync<TIn, TOut>()
        where TIn : class
        where TOut : class
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var near = new TcpClient();
        await near.ConnectAsync((IPEndPoint)listener.LocalEndpoint, Ct);
        var far = await listener.AcceptTcpClientAsync(Ct);
        return new Pair<TIn, TOut>(
            new FrameSocket<TIn, TOut>(WebSocket.CreateFromStream(near.GetStream(), new WebSocketCreationOptions { IsServer = true })),
            WebSocket.CreateFromStream(far.GetStream(), new WebSocketCreationOptions()));
    }

    /// <summary>A frame socket, and the bare WebSocket at its other end.</summary>
    private sealed class Pair<TIn, TOut>(FrameSocket<TIn, TOut> frames, WebSocket raw) : IAsyncDisposable
        where TIn : class
        where TOut : class
    {
        private readonly byte[] _buffer = new byte[16 << 10];

        public FrameSocket<TIn, TOut> Frames => frames;

        public async Task<string> SendAsync(TOut frame)
        {
            Assert.True(frames.TrySend(frame));
            var received = await raw.ReceiveAsync(_buffer.AsMemory(), Ct);
            Assert.True(received.EndOfMessage);
            return Encoding.UTF8.GetString(_buffer.AsSpan(0, received.Count));
        }

        public async Task<TIn> ReceiveAsync(string said)
        {
            await raw.SendAsync(Encoding.UTF8.GetBytes(said), WebSocketMessageType.Text, endOfMessage: true, Ct);
            return await frames.ReceiveAsync(Ct) ?? throw new IOException("The connection ended.");
        }

        public async ValueTask DisposeAsync()
        {
            frames.Abort();
            await frames.DisposeAsync();
            raw.Dispose();
        }
    }
}
