using System.Net;
using Astra.Llm.Config;
using Astra.Llm.Money;
using Astra.Tests.EndToEnd;

namespace Astra.Tests.Models;

/// <summary>What becomes of a request when its provider fails before it has said anything: by the kind of the fault.</summary>
public sealed class FailoverTests
{
    private const string Html = "<html><body>Sign in</body></html>";

    public static TheoryData<string> FaultsThatFailOver { get; } =
        ["500", "503", "529", "408", "429", "401", "403", "refused", "html", "broken json", "hang", "cut", "error with 200"];

    public static TheoryData<string> StreamFaultsThatFailOver { get; } =
    [
        "500", "429", "401", "refused", "html", "hang before headers", "hang after headers", "comments only", "cut after headers", "cut after the role",
        "ends after the role", "malformed first chunk", "error event first", "empty",
    ];

    [Theory, MemberData(nameof(FaultsThatFailOver))]
    public async Task An_answer_comes_from_the_next_provider_when_the_first_one_fails(string fault)
    {
        await using var world = await ModelWorld.StartAsync();
        var good = world.Provider();
        await ConfigureAsync(world, fault, good);
        var answer = await world.ChatAsync();
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        Assert.Equal("b/m1", answer.Headers["x-astra-model"]);
        Assert.Equal("2", answer.Headers["x-astra-attempts"]);
        Assert.Single(good.Seen);
    }

    [Theory, MemberData(nameof(StreamFaultsThatFailOver))]
    public async Task A_stream_comes_whole_from_the_next_provider_when_the_first_one_fails_before_its_first_content(string fault)
    {
        await using var world = await ModelWorld.StartAsync();
        var good = world.Provider(_ => ModelScript.ChatStream("good ", "news"));
        await ConfigureAsync(world, fault, good);
        var answer = await world.ChatAsync(isStream: true);
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        Assert.Equal("good news", answer.Words);
        Assert.Equal("[DONE]", answer.Events[^1]);
        // Nothing of the first one has got out.
        Assert.Single(answer.Events, data => data.Contains("\"role\"", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(400)]
    [InlineData(404)]
    [InlineData(413)]
    [InlineData(422)]
    public async Task A_request_that_a_provider_does_not_take_is_not_tried_elsewhere_and_its_words_are_handed_on(int status)
    {
        await using var world = await ModelWorld.StartAsync();
        var good = world.Provider();
        await world.ConfigureAsync(world.Provider(_ => ModelScript.Status(status, "messages[0] is odd")), good);
        var answer = await world.ChatAsync();
        Assert.Equal(status, (int)answer.Status);
        Assert.Equal("messages[0] is odd", answer.Error.GetProperty("message").GetString());
        Assert.Empty(good.Seen);
    }

    [Fact]
    public async Task A_provider_that_asks_for_a_rest_has_it_for_as_long_as_it_asked()
    {
        await using var world = await ModelWorld.StartAsync();
        var tired = world.Provider(_ => ModelScript.Status(429, "slow down", ("retry-after", "120")));
        await world.ConfigureAsync(tired);
        var first = await world.ChatAsync();
        Assert.Equal(HttpStatusCode.TooManyRequests, first.Status);
        Assert.Equal("120", first.Headers["retry-after"]);
        var second = await world.ChatAsync();
        Assert.Equal(HttpStatusCode.TooManyRequests, second.Status);
        Assert.InRange(int.Parse(second.Headers["retry-after"]), 60, 120);
        Assert.Single(tired.Seen);
    }

    [Fact]
    public async Task A_refused_key_is_not_shown_again_until_its_secret_is_another_one()
    {
        await using var world = await ModelWorld.StartAsync();
        var strict = world.Provider(request => request.Headers["authorization"] == "Bearer new" ? ModelScript.Chat("in") : ModelScript.Status(401));
        world.Keys["k"] = "old";
        await world.ConfigureAsync(ProviderKind.OpenAi, provider => provider with { Keys = ["k"] }, strict);
        var refused = await world.ChatAsync();
        // Not 401: the client's own key is a good one.
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.Status);
        Assert.Equal("provider_key_refused", refused.Error.GetProperty("code").GetString());
        await world.ChatAsync();
        Assert.Single(strict.Seen);
        world.Keys["k"] = "new";
        Assert.Equal(HttpStatusCode.OK, (await world.ChatAsync()).Status);
    }

    [Fact]
    public async Task Of_several_keys_a_refused_one_is_passed_over()
    {
        await using var world = await ModelWorld.StartAsync();
        var provider = world.Provider(request => request.Headers["authorization"] == "Bearer good" ? ModelScript.Chat("in") : ModelScript.Status(403));
        (world.Keys["one"], world.Keys["two"]) = ("bad", "good");
        await world.ConfigureAsync(ProviderKind.OpenAi, config => config with { Keys = ["one", "two"] }, provider);
        for (var i = 0; i < 6; i++)
            await world.ChatAsync();
        Assert.Single(provider.Seen, request => request.Headers["authorization"] == "Bearer bad");
    }

    [Fact]
    public async Task A_provider_that_fails_again_and_again_is_left_alone_and_its_clients_are_told()
    {
        await using var world = await ModelWorld.StartAsync();
        var broken = world.Provider(_ => ModelScript.Status(500));
        await world.ConfigureAsync(broken);
        for (var i = 0; i < 5; i++)
            Assert.Equal(HttpStatusCode.BadGateway, (await world.ChatAsync()).Status);
        var left = await world.ChatAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, left.Status);
        Assert.Equal("providers_down", left.Error.GetProperty("code").GetString());
        Assert.Equal(5, broken.Seen.Count);
    }

    [Fact]
    public async Task When_all_fail_the_client_hears_it_once_in_its_own_dialect()
    {
        await using var world = await ModelWorld.StartAsync();
        await world.ConfigureAsync(world.Provider(_ => ModelScript.Status(500)), world.Provider(_ => ModelScript.Status(503)));
        var chat = await world.ChatAsync();
        Assert.Equal(HttpStatusCode.BadGateway, chat.Status);
        Assert.Equal("upstream_failed", chat.Error.GetProperty("code").GetString());
        var message = await world.PostAsync("/v1/messages", """{"model":"r","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}""");
        Assert.Equal("error", message.Json.GetProperty("type").GetString());
        Assert.Equal("api_error", message.Error.GetProperty("type").GetString());
    }

    [Fact]
    public async Task Every_attempt_is_written_down_once_and_those_that_cost_nothing_say_so()
    {
        await using var world = await ModelWorld.StartAsync();
        await world.ConfigureAsync(world.Provider(_ => ModelScript.Status(500)), world.Provider());
        await world.ChatAsync();
        Assert.Equal([AttemptOutcome.Failed, AttemptOutcome.Completed], world.Usage.Records.Select(record => record.Outcome));
        Assert.Equal([TokenUsage.None, new TokenUsage(11, 0, 0, 2, 0)], world.Usage.Records.Select(record => record.Usage));
        Assert.Single(world.Usage.Records.Select(record => record.Request).Distinct());
        Assert.Equal(2, world.Usage.Records.Select(record => record.Attempt).Distinct().Count());
    }

    [Fact]
    public async Task The_time_for_the_whole_request_counts_across_its_attempts()
    {
        await using var world = await ModelWorld.StartAsync();
        await world.ConfigureAsync(world.Provider(_ => new ModelScript([new Hang()])), world.Provider(_ => new ModelScript([new Hang()])), world.Provider());
        await world.Desk.ChangeAsync(config => config with { TotalSeconds = 1 }, TestContext.Current.CancellationToken);
        var answer = await world.ChatAsync(isStream: true);
        Assert.Equal(HttpStatusCode.GatewayTimeout, answer.Status);
        Assert.Contains("whole request", answer.Error.GetProperty("message").GetString()!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_that_leaves_before_the_first_content_ends_the_attempt_at_its_provider()
    {
        await using var world = await ModelWorld.StartAsync();
        var silent = world.Provider(_ => ModelScript.Stream(new Hang()));
        await world.ConfigureAsync(silent);
        using var leaving = new CancellationTokenSource();
        var asking = world.Http.PostAsync("/v1/chat/completions", new StringContent("""{"model":"r","stream":true,"messages":[]}"""), leaving.Token);
        await Eventually.SeeAsync("the request at the provider", () => Task.FromResult(silent.Seen.FirstOrDefault()));
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
        var record = await Eventually.SeeAsync("the record of the attempt", () => Task.FromResult(world.Usage.First));
        Assert.Equal(AttemptOutcome.Abandoned, record.Outcome);
        await Eventually.SeeAsync("the end at the provider", () => Task.FromResult(silent.BrokenOff == 1 ? "" : null));
    }

    private static Task ConfigureAsync(ModelWorld world, string fault, ScriptedModels good) => fault == "refused"
        // A port that nobody listens on.
        ? world.ConfigureAsync(Patient, [$"http://127.0.0.1:{HttpReceiver.FreePort()}/v1", $"{good.Root}/v1"])
        : world.ConfigureAsync(ProviderKind.OpenAi, Patient, world.Provider(request => Script(fault)), good);

    /// <summary>Long enough for an answer on this machine, short enough to wait for.</summary>
    private static ProviderConfig Patient(ProviderConfig provider) =>
        provider.Name == "a" ? provider with { FirstTokenSeconds = 0.5, AnswerSeconds = 0.5, BetweenTokensSeconds = 0.5 } : provider;

    private static ModelScript Script(string fault) => fault switch
    {
        "html" => ModelScript.Whole(200, Html, "text/html"),
        "broken json" => ModelScript.Whole(200, """{"id":"c1","choices":[{"""),
        "error with 200" => ModelScript.Whole(200, """{"error":{"message":"overloaded"}}"""),
        "hang" or "hang before headers" => new ModelScript([new Hang()]),
        "cut" => new ModelScript([ModelScript.Bytes("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\":"), new Cut()]),
        "hang after headers" => ModelScript.Stream(new Hang()),
        "comments only" => ModelScript.Stream(new SendForEver(ModelScript.Chunk(": still here\n\n").Bytes, TimeSpan.FromMilliseconds(20))),
        "cut after headers" => ModelScript.Stream(new Cut()),
        "cut after the role" => ModelScript.Stream(ModelScript.Chunk(ModelScript.Role), new Cut()),
        "ends after the role" => ModelScript.Stream(ModelScript.Chunk(ModelScript.Role), ModelScript.LastChunk),
        "malformed first chunk" => ModelScript.Stream(ModelScript.Chunk("data: {\"choices\":[{\"de\n\n"), new Hang()),
        "error event first" => ModelScript.Stream(ModelScript.Chunk("data: {\"error\":{\"message\":\"overloaded\"}}\n\n"), new Hang()),
        "empty" => ModelScript.Stream(ModelScript.LastChunk),
        _ => ModelScript.Status(int.Parse(fault)),
    };
}
