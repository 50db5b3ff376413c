using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Astra.Gateway;
using Astra.Governance;
using Astra.Sdk;

namespace Astra.Tests.Api;

/// <summary>HTTP/2 by prior knowledge, on the port of HTTP/1.1.</summary>
public sealed class Http2Tests
{
    private const string Connect = "/api/v1/workers/connect";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_worker_over_HTTP2_takes_a_task_and_its_goal_ends()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        var said = new ConcurrentQueue<string>();
        using var stop = new CancellationTokenSource();
        var working = new AstraWorker(server.Address, await server.NewKeyAsync(Role.Member)) { HttpVersion = HttpVersion.Version20, Log = said.Enqueue }.Add(TestAgent.Echo()).RunAsync(stop.Token);
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "echo", Input = AstraJson.ToElement("hello") }, cancellationToken: Ct);
        var ending = client.FinishAsync(goal.Id, Ct);
        Assert.Same(ending, await Task.WhenAny(ending, working));
        Assert.Equal("hello", (await ending).Result!.Value.GetString());
        await stop.CancelAsync();
        await working.WaitAsync(Ct);
        Assert.StartsWith("Connected to", Assert.Single(said), StringComparison.Ordinal);
        Assert.Empty(server.Errors);
    }

    [Fact]
    public async Task Several_workers_share_one_connection_and_what_one_of_them_held_is_issued_to_another_when_it_goes()
    {
        await using var server = await ServerFixture.StartAsync();
        using var connections = new CountedConnections();
        var client = await server.ClientAsync();
        await using var first = await RawWorker.ConnectOverHttp2Async(server, connections.Invoker);
        await first.HelloAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "raw" }, cancellationToken: Ct);
        var lost = await first.NextAsync<ServerFrame.Assign>();
        await using var second = await RawWorker.ConnectOverHttp2Async(server, connections.Invoker);
        await second.HelloAsync();
        first.Abort();

        var again = await second.NextAsync<ServerFrame.Assign>();
        Assert.Equal(lost.Task.TaskId, again.Task.TaskId);
        second.Send(new WorkerFrame.Complete(again.Task.TaskId, again.Task.Attempt, AstraJson.ToElement("done"), null));
        await second.NextAsync<ServerFrame.Accepted>();
        Assert.Equal("done", (await client.FinishAsync(goal.Id, Ct)).Result!.Value.GetString());
        Assert.Equal(1, connections.Count);
    }

    [Fact]
    public async Task Requests_share_one_connection_and_are_answered_as_over_HTTP1()
    {
        await using var server = await ServerFixture.StartAsync(TestAgent.Echo());
        var goal = await (await server.ClientAsync()).SubmitAsync(new GoalSubmission { Agent = "echo" }, cancellationToken: Ct);
        await (await server.ClientAsync()).FinishAsync(goal.Id, Ct);
        var path = $"/api/v1/goals/{goal.Id}";
        var expected = await (await server.RawAsync()).GetStringAsync(path, Ct);
        using var connections = new CountedConnections();
        using var http = await connections.ClientAsync(server);
        for (var round = 0; round < 3; round++)
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 30).Select(_ => http.GetAsync(path, Ct)));
            foreach (var answer in answers)
            {
                Assert.Equal((HttpStatusCode.OK, HttpVersion.Version20), (answer.StatusCode, answer.Version));
                Assert.Equal(expected, await answer.Content.ReadAsStringAsync(Ct));
            }
        }

        Assert.Equal(1, connections.Count);
    }

    [Fact]
    public async Task A_body_longer_than_any_window_arrives_whole()
    {
        await using var server = await ServerFixture.StartAsync(TestAgent.Echo());
        var goal = await (await server.ClientAsync()).SubmitAsync(new GoalSubmission { Agent = "echo" }, cancellationToken: Ct);
        using var connections = new CountedConnections();
        using var http = await connections.ClientAsync(server);
        var sent = new byte[5 << 20];
        Random.Shared.NextBytes(sent);
        using var content = new ByteArrayContent(sent);
        var path = $"/api/v1/goals/{goal.Id}/artifacts/big.bin";
        Assert.True((await http.PutAsync(path, content, Ct)).IsSuccessStatusCode);
        Assert.Equal(sent, await http.GetByteArrayAsync(path, Ct));
    }

    [Fact]
    public async Task An_event_stream_arrives_as_it_happens_beside_other_requests_on_its_connection()
    {
        var working = new TaskCompletionSource();
        var finish = new TaskCompletionSource();
        await using var server = await ServerFixture.StartAsync(new TestAgent("held")
        {
            OnPlan = _ =>
            {
                var plan = new Plan();
                plan.Step("work", "work");
                return plan;
            },
            OnStep = async (_, ct) =>
            {
                working.SetResult();
                await finish.Task.WaitAsync(ct);
                return StepResult.Done("done");
            },
        });
        var goal = await (await server.ClientAsync()).SubmitAsync(new GoalSubmission { Agent = "held" }, cancellationToken: Ct);
        using var connections = new CountedConnections();
        using var http = await connections.ClientAsync(server);
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/goals/{goal.Id}/events") { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        request.Headers.Accept.ParseAdd("text/event-stream");
        using var stream = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Ct);
        using var events = new StreamReader(await stream.Content.ReadAsStreamAsync(Ct));
        await working.Task.WaitAsync(Ct);
        while (await events.ReadLineAsync(Ct) is var line && line?.Contains("task_claimed", StringComparison.Ordinal) != true)
            Assert.NotNull(line);
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync($"/api/v1/goals/{goal.Id}", Ct)).StatusCode);
        finish.SetResult();
        Assert.Contains("goal_completed", await events.ReadToEndAsync(Ct), StringComparison.Ordinal);
        Assert.Equal(1, connections.Count);
    }

    [Fact]
    public async Task What_another_node_owns_is_answered_too()
    {
        var world = new ServerWorld();
        await using var one = await ServerFixture.StartAsync(world, "one", TestAgent.Echo());
        await using var two = await ServerFixture.StartAsync(world, "two", TestAgent.Echo());
        while ((await one.SummariseAsync()).ShardsOwned != 2048 || (await two.SummariseAsync()).ShardsOwned != 2048)
            Ct.ThrowIfCancellationRequested();
        using var submitting = new AstraClient(one.Address, await one.NewKeyAsync());
        using var connections = new CountedConnections();
        using var http = await connections.ClientAsync(two);
        for (var i = 0; i < 8; i++)
        {
            // The key decides the shard, and so the node.
            var goal = await submitting.SubmitAsync(new GoalSubmission { Agent = "echo", Input = AstraJson.ToElement(i) }, $"key {i}", Ct);
            using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/goals/{goal.Id}/events") { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
            request.Headers.Accept.ParseAdd("text/event-stream");
            using var events = await http.SendAsync(request, Ct);
            Assert.Contains("goal_completed", await events.Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);
            Assert.Equal(i, AstraJson.Read<GoalView>(await http.GetByteArrayAsync($"/api/v1/goals/{goal.Id}", Ct)).Result!.Value.GetInt32());
        }

        Assert.Equal(1, connections.Count);
    }

    [Fact]
    public async Task A_worker_without_a_right_key_is_refused_as_over_HTTP1()
    {
        await using var server = await ServerFixture.StartAsync();
        foreach (var version in (Version[])[HttpVersion.Version11, HttpVersion.Version20])
        {
            var stranger = new AstraWorker(server.Address, ApiKeys.NewSecret()) { HttpVersion = version }.Add(TestAgent.Echo());
            Assert.Equal(401, (await Assert.ThrowsAsync<AstraException>(() => stranger.RunAsync(Ct))).Status);
            var admin = new AstraWorker(server.Address, await server.NewKeyAsync(Role.PlatformAdmin)) { HttpVersion = version }.Add(TestAgent.Echo());
            Assert.Equal(403, (await Assert.ThrowsAsync<AstraException>(() => admin.RunAsync(Ct))).Status);
        }
    }

    [Theory]
    [InlineData("CONNECT", Connect, "other", "127.0.0.1", 400)]
    [InlineData("CONNECT", Connect, "websocket", "evil.example", 421)]
    [InlineData("CONNECT", "/api/v1/goals", "websocket", "127.0.0.1", 405)]
    [InlineData("CONNECT", "/api/v1/nothing", "websocket", "127.0.0.1", 404)]
    [InlineData("GET", Connect, null, "127.0.0.1", 400)]
    [InlineData("POST", Connect, null, "127.0.0.1", 405)]
    public async Task What_is_no_worker_is_refused_with_a_sentence(string method, string path, string? protocol, string host, int status)
    {
        await using var server = await ServerFixture.StartAsync();
        using var connections = new CountedConnections();
        using var http = await connections.ClientAsync(server);
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        request.Headers.Protocol = protocol;
        request.Headers.Host = host;
        request.Headers.Add("Sec-WebSocket-Version", "13");
        using var answer = await http.SendAsync(request, Ct);
        Assert.Equal(status, (await Problems.ReadAsync(answer, Ct)).Status);
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/health", Ct)).StatusCode);
        Assert.Equal(1, connections.Count);
        Assert.Empty(server.Errors);
    }

    [Fact]
    public async Task A_preface_may_come_byte_by_byte_and_is_answered_with_the_settings_that_the_documents_name()
    {
        await using var server = await ServerFixture.StartAsync();
        using var connection = await RawConnection.OpenAsync(server.Address);
        await connection.SendSlowlyAsync(RawConnection.Http2Preface);
        await connection.SendAsync(RawConnection.EmptySettings);
        var (kind, payload) = await connection.ReadFrameAsync();
        Assert.Equal(RawConnection.SettingsFrame, kind);
        var settings = payload.Chunk(6).ToDictionary(setting => BinaryPrimitives.ReadUInt16BigEndian(setting), setting => BinaryPrimitives.ReadUInt32BigEndian(setting.AsSpan(2)));
        // RFC 9113: SETTINGS_MAX_CONCURRENT_STREAMS; RFC 8441: SETTINGS_ENABLE_CONNECT_PROTOCOL.
        Assert.Equal((100u, 1u), (settings[3], settings[8]));
    }

    [Theory]
    [InlineData("PRI\r\n\r\n")]
    [InlineData("PRIVATE / HTTP/1.1\r\n\r\n")]
    [InlineData("PRI *\r\n\r\n")]
    public async Task What_only_begins_like_HTTP2_is_answered_400(string bytes)
    {
        await using var server = await ServerFixture.StartAsync();
        using var connection = await RawConnection.OpenAsync(server.Address);
        await connection.SendSlowlyAsync(bytes);
        Assert.StartsWith("HTTP/1.1 400 ", await connection.ReadToEndAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whoever_begins_the_preface_and_ends_it_otherwise_is_told_in_the_words_of_HTTP2()
    {
        await using var server = await ServerFixture.StartAsync();
        using var connection = await RawConnection.OpenAsync(server.Address);
        await connection.SendSlowlyAsync("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
        Assert.Equal(RawConnection.GoAwayFrame, (await connection.ReadFrameAsync()).Kind);
        Assert.Empty(await connection.ReadToEndAsync());
    }

    [Theory]
    [InlineData("POST /api/v1/goals HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 401 ")]
    [InlineData("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 ")]
    public async Task A_request_of_HTTP1_may_come_byte_by_byte(string request, string answer)
    {
        await using var server = await ServerFixture.StartAsync();
        using var connection = await RawConnection.OpenAsync(server.Address);
        await connection.SendSlowlyAsync(request);
        Assert.StartsWith(answer, await connection.ReadToEndAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("P")]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r")]
    public async Task Whoever_begins_a_preface_and_falls_silent_does_not_keep_the_connection(string begun)
    {
        await using var server = await ServerFixture.StartAsync(new GatewayOptions { StartedAt = DateTimeOffset.UtcNow, RequestHeadTimeMax = TimeSpan.FromMilliseconds(50) });
        using var connection = await RawConnection.OpenAsync(server.Address);
        await connection.SendAsync(begun);
        Assert.Empty(await connection.ReadToEndAsync());
    }

    [Fact]
    public async Task Connections_of_both_versions_count_together()
    {
        await using var server = await ServerFixture.StartAsync(new GatewayOptions { StartedAt = DateTimeOffset.UtcNow, ConnectionsMax = 2 });
        using var one = new CountedConnections();
        using var http2 = await one.ClientAsync(server);
        Assert.Equal(HttpStatusCode.OK, (await http2.GetAsync("/health", Ct)).StatusCode);
        using var http1 = new HttpClient { BaseAddress = server.Address };
        Assert.Equal(HttpStatusCode.OK, (await http1.GetAsync("/health", Ct)).StatusCode);
        using var another = new CountedConnections();
        using var tooMany = await another.ClientAsync(server);
        await Assert.ThrowsAsync<HttpRequestException>(() => tooMany.GetAsync("/health", Ct));
        Assert.Equal(HttpStatusCode.OK, (await http2.GetAsync("/health", Ct)).StatusCode);
    }

    /// <summary>HTTP/2 and nothing else, and how many connections it took.</summary>
    private sealed class CountedConnections : IDisposable
    {
        private readonly SocketsHttpHandler _handler;
        private int _count;

        public CountedConnections()
        {
            _handler = new SocketsHttpHandler
            {
                ConnectCallback = async (place, ct) =>
                {
                    Interlocked.Increment(ref _count);
                    var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                    await socket.ConnectAsync(place.DnsEndPoint, ct);
                    return new NetworkStream(socket, ownsSocket: true);
                },
            };
            Invoker = new HttpMessageInvoker(_handler, disposeHandler: false);
        }

        public HttpMessageInvoker Invoker { get; }
        public int Count => Volatile.Read(ref _count);

        public async Task<HttpClient> ClientAsync(ServerFixture server) => new(_handler, disposeHandler: false)
        {
            BaseAddress = server.Address,
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", await server.NewKeyAsync()) },
        };

        public void Dispose()
        {
            Invoker.Dispose();
            _handler.Dispose();
        }
    }
}
