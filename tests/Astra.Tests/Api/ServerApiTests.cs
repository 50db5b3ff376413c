using System.Net;
using System.Text.Json;
using Astra.Sdk;

namespace Astra.Tests.Api;

public sealed class ServerApiTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("GET", "/nothing", 404)]
    [InlineData("GET", "/api/v1/nothing", 404)]
    [InlineData("PUT", "/api/v1/goals", 405)]
    [InlineData("GET", "/api/v1/goals/not-an-id", 400)]
    [InlineData("GET", "/api/v1/goals?cursor=what", 400)]
    [InlineData("GET", "/api/v1/goals?limit=0", 400)]
    [InlineData("GET", "/api/v1/goals?limit=many", 400)]
    [InlineData("GET", "/api/v1/goals?state=happy", 400)]
    [InlineData("GET", "/api/v1/goals/019aa000-0000-7000-8000-000000000000", 404)]
    [InlineData("GET", "/api/v1/tasks/019aa000-0000-7000-8000-000000000000", 404)]
    [InlineData("GET", "/api/v1/why/019aa000-0000-7000-8000-000000000000", 404)]
    [InlineData("POST", "/api/v1/dead-letters/019aa000-0000-7000-8000-000000000000/replay", 404)]
    [InlineData("GET", "/api/v1/goals/019aa000-0000-7000-8000-000000000000/events?after=-1", 400)]
    [InlineData("DELETE", "/api/v1/api-keys/019aa000-0000-7000-8000-000000000000", 404)]
    [InlineData("POST", "/api/v1/goals", 415)]
    [InlineData("GET", "/api/v1/workers/connect", 400)]
    public async Task Every_error_is_a_problem_with_a_sentence(string method, string path, int status)
    {
        await using var server = await ServerFixture.StartAsync();
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (status == 415)
            request.Content = new StringContent("hello", null, "text/plain");
        var response = await (await server.RawAsync()).SendAsync(request, Ct);
        Assert.Equal(status, (await Problems.ReadAsync(response, Ct)).Status);
        Assert.Empty(server.Errors);
    }

    [Fact]
    public async Task Without_a_key_there_is_only_health()
    {
        await using var server = await ServerFixture.StartAsync();
        using var http = new HttpClient { BaseAddress = server.Address };
        foreach (var path in new[] { "/health", "/ready", "/openapi.json" })
            Assert.Equal(HttpStatusCode.OK, (await http.GetAsync(path, Ct)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await http.GetAsync("/metrics", Ct)).StatusCode);
        var refused = await http.GetAsync("/api/v1/goals", Ct);
        Assert.Equal("Bearer", refused.Headers.WwwAuthenticate.ToString());
        Assert.Equal(401, (await Problems.ReadAsync(refused, Ct)).Status);
    }

    [Fact]
    public async Task A_page_that_renames_itself_to_this_machine_gets_nothing()
    {
        await using var server = await ServerFixture.StartAsync();
        var http = await server.RawAsync();
        foreach (var (host, status) in new[] { ("evil.example", 421), ("127.0.0.1.evil.example", 421), ("localhost", 200), ("127.0.0.1:1", 200), ("[::1]", 200) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/status") { Headers = { Host = host } };
            Assert.Equal(status, (int)(await http.SendAsync(request, Ct)).StatusCode);
        }
    }

    [Fact]
    public async Task The_description_names_every_endpoint_and_its_key()
    {
        await using var server = await ServerFixture.StartAsync();
        using var http = new HttpClient { BaseAddress = server.Address };
        using var description = JsonDocument.Parse(await http.GetStringAsync("/openapi.json", Ct));
        var paths = description.RootElement.GetProperty("paths").EnumerateObject().Select(path => path.Name).ToList();
        Assert.Contains("/api/v1/goals", paths);
        Assert.Contains("/api/v1/goals/{id}/plan", paths);
        Assert.Contains("/api/v1/dead-letters/{id}/replay", paths);
        Assert.Contains("/api/v1/why/{id}", paths);
        Assert.DoesNotContain("/health", paths);
        Assert.Equal("get", Assert.Single(description.RootElement.GetProperty("paths").GetProperty("/api/v1/workers/connect").EnumerateObject()).Name);
        Assert.True(description.RootElement.GetProperty("components").GetProperty("securitySchemes").TryGetProperty("apiKey", out _));
    }

    [Fact]
    public async Task Status_tells_who_is_there()
    {
        await using var server = await ServerFixture.StartAsync();
        var status = await (await server.ClientAsync()).GetStatusAsync(Ct);
        Assert.Equal("node", status.NodeId);
        Assert.Equal(4096, status.ShardsOwned);
        Assert.Equal(1, status.WorkersConnected);
        Assert.True(Assert.Single(status.Nodes).Alive);
    }

    [Fact]
    public async Task Any_node_takes_any_request_and_any_stream()
    {
        var world = new ServerWorld();
        await using var one = await ServerFixture.StartAsync(world, "one", TestAgent.Echo());
        await using var two = await ServerFixture.StartAsync(world, "two", TestAgent.Echo());
        while ((await one.SummariseAsync()).ShardsOwned != 2048 || (await two.SummariseAsync()).ShardsOwned != 2048)
            Ct.ThrowIfCancellationRequested();
        using var there = new AstraClient(one.Address, await one.NewKeyAsync());
        using var here = new AstraClient(two.Address, await two.NewKeyAsync());
        for (var i = 0; i < 8; i++)
        {
            // The key decides the shard, and so the node.
            var goal = await here.SubmitAsync(new GoalSubmission { Agent = "echo", Input = AstraJson.ToElement(i) }, $"key {i}", Ct);
            Assert.Equal(GoalState.Completed, (await there.FinishAsync(goal.Id, Ct)).State);
            Assert.Equal(i, (await here.FinishAsync(goal.Id, Ct)).Result!.Value.GetInt32());
        }
    }
}
