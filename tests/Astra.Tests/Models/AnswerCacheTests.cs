using System.Net;
using System.Text.Json;
using Astra.Governance;
using Astra.Kernel;
using Astra.Llm.Config;
using Astra.Llm.Money;
using Astra.Testing.Time;
using Astra.Tests.EndToEnd;

namespace Astra.Tests.Models;

/// <summary>Answers that were given before, given again: to whom, for what, and what they cost.</summary>
public sealed class AnswerCacheTests
{
    private const string Zero = ",\"temperature\":0";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_same_request_at_temperature_zero_is_asked_once_and_answered_again_word_for_word()
    {
        await using var world = await ModelWorld.StartAsync();
        var provider = world.Provider();
        await world.ConfigureAsync(provider);
        var answers = new List<ModelAnswer>();
        for (var i = 0; i < 3; i++)
            answers.Add(await world.ChatAsync(extra: Zero));
        Assert.Single(provider.Seen);
        Assert.Equal(["miss", "hit", "hit"], answers.Select(answer => answer.Headers["x-astra-cache"]));
        Assert.Single(answers.Select(answer => answer.Text).Distinct());
        Assert.All(answers, answer => Assert.Equal("a/m1", answer.Headers["x-astra-model"]));
        Assert.Equal(3, answers.Select(answer => answer.Headers["x-request-id"]).Distinct().Count());
    }

    [Theory]
    [InlineData("""{"temperature":0,"messages":[{"content":"hi","role":"user"}],"model":"r"}""")]
    [InlineData("""{ "model" : "r", "messages" : [ { "role" : "user", "content" : "h\u0069" } ],  "temperature" : 0 }""")]
    [InlineData("""{"model":"r","messages":[{"role":"user","content":"hi"}],"temperature":0,"user":"ada","metadata":{"a":"b"}}""")]
    public async Task A_request_that_is_written_differently_and_means_the_same_is_the_same(string other)
    {
        await using var world = await ModelWorld.StartAsync();
        var provider = world.Provider();
        await world.ConfigureAsync(provider);
        await world.ChatAsync(extra: Zero);
        Assert.Equal("hit", (await world.PostAsync("/v1/chat/completions", other)).Headers["x-astra-cache"]);
        Assert.Single(provider.Seen);
    }

    [Theory]
    [InlineData("""{"model":"a/m1","messages":[{"role":"user","content":"hi"}],"temperature":0}""")]
    [InlineData("""{"model":"r","messages":[{"role":"user","content":"hi "}],"temperature":0}""")]
    [InlineData("""{"model":"r","messages":[{"role":"system","content":"hi"}],"temperature":0}""")]
    [InlineData("""{"model":"r","messages":[{"role":"user","content":"hi"}],"temperature":0,"max_tokens":9}""")]
    [InlineData("""{"model":"r","messages":[{"role":"user","content":"hi"}],"temperature":0,"seed":1}""")]
    [InlineData("""{"model":"r","messages":[{"role":"user","content":"hi"}],"temperature":0,"whatever":{"b":1,"a":[1,2]}}""")]
    public async Task What_affects_the_answer_makes_another_request(string other)
    {
        await using var world = await ModelWorld.StartAsync();
        var provider = world.Provider();
        await world.ConfigureAsync(provider);
        await world.ChatAsync(extra: Zero);
        Assert.Equal("miss", (await world.PostAsync("/v1/chat/completions", other)).Headers["x-astra-cache"]);
        Assert.Equal(2, provider.Seen.Count);
    }

    [Theory]
    [InlineData("", null, false)]
    [InlineData(",\"temperature\":0.7", null, false)]
    [InlineData(",\"temperature\":null", null, false)]
    [InlineData(",\"temperature\":0.0", null, true)]
    [InlineData("", "yes", true)]
    [InlineData(",\"temperature\":0.7", "yes", true)]
    [InlineData(",\"temperature\":0", "no", false)]
    public async Task Above_temperature_zero_an_answer_is_kept_for_those_who_ask_for_it_and_nothing_for_those_who_refuse_it(string extra, string? wish, bool isKept)
    {
        await using var world = await ModelWorld.StartAsync();
        var provider = world.Provider();
        await world.ConfigureAsync(provider);
        var body = $"{{\"model\":\"r\",\"messages\":[]{extra}}}";
        (string, string)[] headers = wish is null ? [] : [("x-astra-cache", wish)];
        await world.PostAsync("/v1/chat/completions", body, headers);
        var second = await world.PostAsync("/v1/chat/completions", body, headers);
        Assert.Equal(isKept ? "hit" : null, second.Headers.GetValueOrDefault("x-astra-cache"));
        Assert.Equal(isKept ? 1 : 2, provider.Seen.Count);
        // Who has asked speaks for himself.
        if (isKept && wish is not null)
            Assert.DoesNotContain("x-astra-cache", (await world.PostAsync("/v1/chat/completions", body)).Headers.Keys);
    }

    [Fact]
    public async Task A_word_about_the_cache_that_nobody_knows_is_refused()
    {
        await using var world = await ModelWorld.StartAsync();
        var answer = await world.PostAsync("/v1/chat/completions", "{}", ("x-astra-cache", "maybe"));
        Assert.Equal((HttpStatusCode.BadRequest, "x-astra-cache is yes or no."), (answer.Status, answer.Error.GetProperty("message").GetString()));
    }

    public static TheoryData<string> NotWhole { get; } = ["length", "filter", "refused", "failed", "cut stream", "stream to its bound"];

    [Theory, MemberData(nameof(NotWhole))]
    public async Task What_is_an_error_or_not_whole_is_never_kept(string how)
    {
        await using var world = await ModelWorld.StartAsync();
        var provider = world.Provider(_ => how switch
        {
            "length" => ModelScript.Whole(200, """{"choices":[{"index":0,"message":{"role":"assistant","content":"half"},"finish_reason":"length"}]}"""),
            "filter" => ModelScript.Whole(200, """{"choices":[{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"content_filter"}]}"""),
            "refused" => ModelScript.Status(400, "no such thing"),
            "failed" => ModelScript.Status(500),
            "cut stream" => ModelScript.Stream(ModelScript.Chunk(ModelScript.Delta("half")), new Cut()),
            _ => ModelScript.Stream(
                ModelScript.Chunk(ModelScript.Delta("half")), ModelScript.Chunk(ModelScript.Finish.Replace("\"stop\"", "\"length\"", StringComparison.Ordinal)),
                ModelScript.Chunk(ModelScript.Done), ModelScript.LastChunk),
        });
        await world.ConfigureAsync(provider);
        var isStream = how.Contains("stream", StringComparison.Ordinal);
        var first = await world.ChatAsync(isStream: isStream, extra: Zero);
        var second = await world.ChatAsync(isStream: isStream, extra: Zero);
        Assert.Equal(2, provider.Seen.Count);
        Assert.Equal((first.Status, "miss"), (second.Status, second.Headers["x-astra-cache"]));
        Assert.Equal(first.Text, second.Text);
    }

    [Fact]
    public async Task A_streamed_answer_is_given_again_in_one_piece_and_one_in_one_piece_as_a_stream()
    {
        await using var world = await ModelWorld.StartAsync();
        var provider = world.Provider(request => request.IsStream ? ModelScript.ChatStream("from ", "a stream") : ModelScript.Chat("in one piece"));
        await world.ConfigureAsync(provider);
        Assert.Equal("from a stream", (await world.ChatAsync(isStream: true, extra: Zero)).Words);
        var whole = await world.ChatAsync(extra: Zero);
        Assert.Equal("hit", whole.Headers["x-astra-cache"]);
        Assert.Equal("chat.completion", whole.Json.GetProperty("object").GetString());
        var choice = whole.Json.GetProperty("choices")[0];
        Assert.Equal(("from a stream", "stop"), (choice.GetProperty("message").GetProperty("content").GetString(), choice.GetProperty("finish_reason").GetString()));
        Assert.Equal(13, whole.Json.GetProperty("usage").GetProperty("total_tokens").GetInt32());

        await world.ChatAsync(model: "a/m1", extra: Zero);
        var stream = await world.ChatAsync(model: "a/m1", isStream: true, extra: Zero);
        Assert.Equal(("hit", "in one piece", "[DONE]"), (stream.Headers["x-astra-cache"], stream.Words, stream.Events[^1]));
        Assert.DoesNotContain("usage", stream.Text, StringComparison.Ordinal);
        var withUsage = await world.ChatAsync(model: "a/m1", isStream: true, extra: Zero + ",\"stream_options\":{\"include_usage\":true}");
        Assert.Equal(13, JsonElement.Parse(withUsage.Events[^2]).GetProperty("usage").GetProperty("total_tokens").GetInt32());
        Assert.Equal(2, provider.Seen.Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Calls_of_tools_survive_the_way_from_one_form_to_the_other(bool isStreamFirst)
    {
        await using var world = await ModelWorld.StartAsync();
        await world.ConfigureAsync(world.Provider(request => ModelScript.ToolCall(request.IsStream)));
        await world.ChatAsync(isStream: isStreamFirst, extra: Zero);
        var other = await world.ChatAsync(isStream: !isStreamFirst, extra: Zero);
        Assert.Equal("hit", other.Headers["x-astra-cache"]);
        var call = isStreamFirst
            ? other.Json.GetProperty("choices")[0].GetProperty("message").GetProperty("tool_calls")[0]
            : JsonElement.Parse(other.Events[0]).GetProperty("choices")[0].GetProperty("delta").GetProperty("tool_calls")[0];
        Assert.Equal(("call_1", "weather", "{\"city\":\"Bonn\"}"), (
            call.GetProperty("id").GetString(), call.GetProperty("function").GetProperty("name").GetString(), call.GetProperty("function").GetProperty("arguments").GetString()));
        Assert.Equal(!isStreamFirst, call.TryGetProperty("index", out _));
    }

    [Theory]
    [InlineData(ProviderKind.Anthropic, true)]
    [InlineData(ProviderKind.Anthropic, false)]
    [InlineData(ProviderKind.OpenAi, true)]
    [InlineData(ProviderKind.OpenAi, false)]
    public async Task Anthropics_messages_are_given_again_in_either_form_whoever_answered_them(ProviderKind kind, bool isStreamFirst)
    {
        await using var world = await ModelWorld.StartAsync();
        var provider = world.Provider(request => kind == ProviderKind.Anthropic ? ModelScript.MessageToolCall(request.IsStream) : ModelScript.ToolCall(request.IsStream));
        await world.ConfigureAsync(kind, config => config, provider);
        Task<ModelAnswer> Ask(bool isStream) => world.PostAsync(
            "/v1/messages", $"{{\"model\":\"r\",\"max_tokens\":9,\"temperature\":0,\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]{(isStream ? ",\"stream\":true" : "")}}}");
        await Ask(isStreamFirst);
        var other = await Ask(!isStreamFirst);
        Assert.Equal("hit", other.Headers["x-astra-cache"]);
        Assert.Single(provider.Seen);
        if (isStreamFirst)
        {
            var block = Assert.Single(other.Json.GetProperty("content").EnumerateArray());
            Assert.Equal(("tool_use", "weather", "Bonn"), (block.GetProperty("type").GetString(), block.GetProperty("name").GetString(), block.GetProperty("input").GetProperty("city").GetString()));
            Assert.Equal("tool_use", other.Json.GetProperty("stop_reason").GetString());
            return;
        }
        var types = other.Events.Select(data => JsonElement.Parse(data).GetProperty("type").GetString());
        Assert.Equal(["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop"], types);
        Assert.Equal("{\"city\":\"Bonn\"}", JsonElement.Parse(other.Events[2]).GetProperty("delta").GetProperty("partial_json").GetString());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Responses_are_given_again_in_either_form(bool isStreamFirst)
    {
        await using var world = await ModelWorld.StartAsync();
        var provider = world.Provider(request => request.IsStream ? ModelScript.ChatStream("hel", "lo") : ModelScript.Chat("hello"));
        await world.ConfigureAsync(provider);
        Task<ModelAnswer> Ask(bool isStream) => world.PostAsync("/v1/responses", $"{{\"model\":\"r\",\"temperature\":0,\"input\":\"hi\"{(isStream ? ",\"stream\":true" : "")}}}");
        var first = await Ask(isStreamFirst);
        var other = await Ask(!isStreamFirst);
        Assert.Equal("hit", other.Headers["x-astra-cache"]);
        var whole = isStreamFirst ? other.Json : JsonElement.Parse(other.Events[^1]).GetProperty("response");
        Assert.Equal("hello", whole.GetProperty("output")[0].GetProperty("content")[0].GetProperty("text").GetString());
        Assert.Equal("completed", whole.GetProperty("status").GetString());
        Assert.Equal(isStreamFirst ? JsonElement.Parse(first.Events[^1]).GetProperty("response").GetProperty("id").GetString() : first.Json.GetProperty("id").GetString(), whole.GetProperty("id").GetString());
        Assert.Single(provider.Seen);
    }

    [Fact]
    public async Task Embeddings_are_kept_without_being_asked_for()
    {
        await using var world = await ModelWorld.StartAsync();
        var provider = world.Provider(_ => ModelScript.Whole(200, """{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1,2]}],"usage":{"prompt_tokens":3,"total_tokens":3}}"""));
        await world.ConfigureAsync(provider);
        var body = """{"model":"r","input":"hi","encoding_format":"base64"}""";
        var first = await world.PostAsync("/v1/embeddings", body);
        var second = await world.PostAsync("/v1/embeddings", body);
        Assert.Equal(("hit", first.Text), (second.Headers["x-astra-cache"], second.Text));
        Assert.Single(provider.Seen);
    }

    [Fact]
    public async Task Requests_at_the_same_time_are_one_at_the_provider_and_who_leaves_takes_nobody_along()
    {
        await using var world = await ModelWorld.StartAsync();
        var gate = new TaskCompletionSource();
        var provider = world.Provider(_ => ModelScript.Stream(
            ModelScript.Chunk(ModelScript.Delta("hel")), new Until(gate.Task), ModelScript.Chunk(ModelScript.Delta("lo")), ModelScript.Chunk(ModelScript.Finish),
            ModelScript.Chunk(ModelScript.Done), ModelScript.LastChunk));
        await world.ConfigureAsync(provider);
        var first = await StreamAsync(world);
        // Whoever has headers waits for the same answer.
        var others = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => StreamAsync(world)));
        first.Dispose();
        gate.SetResult();
        foreach (var other in others)
        {
            Assert.Equal("shared", Assert.Single(other.Headers.GetValues("x-astra-cache")));
            Assert.EndsWith(ModelScript.Done, await other.Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);
            other.Dispose();
        }
        Assert.Single(provider.Seen);
        Assert.Equal(0, provider.BrokenOff);
    }

    [Fact]
    public async Task A_stream_that_two_wait_for_arrives_word_by_word_at_both()
    {
        await using var world = await ModelWorld.StartAsync();
        var (begun, rest) = (new TaskCompletionSource(), new TaskCompletionSource());
        var provider = world.Provider(_ => ModelScript.Stream(
            new Until(begun.Task), ModelScript.Chunk(ModelScript.Role), ModelScript.Chunk(ModelScript.Delta("one ")), new Until(rest.Task), ModelScript.Chunk(ModelScript.Delta("two")),
            ModelScript.Chunk(ModelScript.Finish), ModelScript.Chunk(ModelScript.Usage), ModelScript.Chunk(ModelScript.Done), ModelScript.LastChunk));
        await world.ConfigureAsync(provider);
        var first = StreamAsync(world);
        await Eventually.SeeAsync("the request at the provider", () => Task.FromResult(provider.Seen.FirstOrDefault()));
        var second = StreamAsync(world);
        begun.SetResult();
        using var one = await first;
        using var two = await second;
        // Both have begun although the answer has not ended.
        rest.SetResult();
        foreach (var response in (HttpResponseMessage[])[one, two])
        {
            var text = await response.Content.ReadAsStringAsync(Ct);
            Assert.Contains("one ", text, StringComparison.Ordinal);
            Assert.Contains("two", text, StringComparison.Ordinal);
            Assert.EndsWith(ModelScript.Done, text, StringComparison.Ordinal);
            Assert.DoesNotContain("prompt_tokens", text, StringComparison.Ordinal);
        }
        Assert.Single(provider.Seen);
    }

    [Fact]
    public async Task The_last_one_to_leave_ends_the_request_at_the_provider()
    {
        await using var world = await ModelWorld.StartAsync();
        var provider = world.Provider(_ => new ModelScript([new Hang()]));
        await world.ConfigureAsync(provider);
        using var leaving = new CancellationTokenSource();
        var waiting = Enumerable.Range(0, 3).Select(_ => SendAsync(world, leaving.Token)).ToList();
        await Eventually.SeeAsync("the request at the provider", () => Task.FromResult(provider.Seen.FirstOrDefault()));
        await leaving.CancelAsync();
        foreach (var one in waiting)
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => one);
        await Eventually.SeeAsync("the end at the provider", () => Task.FromResult(provider.BrokenOff >= 1 ? "" : null));
        // And the next one is not bound to what was left.
        provider.Answer = _ => ModelScript.Chat("hello");
        Assert.Equal(HttpStatusCode.OK, (await world.ChatAsync(extra: Zero)).Status);
    }

    [Fact]
    public async Task What_the_first_was_refused_the_others_ask_for_themselves()
    {
        await using var world = await ModelWorld.StartAsync();
        var gate = new TaskCompletionSource();
        var count = 0;
        var provider = world.Provider(_ => Interlocked.Increment(ref count) == 1 ? new ModelScript([new Until(gate.Task), .. ModelScript.Status(400, "not for you").Steps]) : ModelScript.Chat("for you"));
        await world.ConfigureAsync(provider);
        var first = world.ChatAsync(extra: Zero);
        await Eventually.SeeAsync("the request at the provider", () => Task.FromResult(provider.Seen.FirstOrDefault()));
        var second = world.ChatAsync(extra: Zero);
        gate.SetResult();
        Assert.Equal((HttpStatusCode.BadRequest, HttpStatusCode.OK), ((await first).Status, (await second).Status));
    }

    [Fact]
    public async Task A_hit_costs_nothing_and_is_counted_for_whoever_it_was_for()
    {
        await using var world = await ModelWorld.StartAsync();
        await world.ConfigureAsync(world.Provider());
        await world.ChatAsync(extra: Zero);
        for (var i = 0; i < 5; i++)
            await world.PostAsync("/v1/chat/completions", """{"model":"r","messages":[{"role":"user","content":"hi"}],"temperature":0}""", ("x-astra-agent", "ada"));
        var hits = await Eventually.SeeAsync("the hits as usage", () => Task.FromResult(
            world.Usage.Records.Where(record => record.Outcome == AttemptOutcome.Cached).ToList() is var cached && cached.Sum(record => record.Calls) == 5 ? cached : null));
        Assert.All(hits, record => Assert.Equal(("ada", "a", "m1", Nanodollars.Zero, TokenUsage.None), (record.Spender.Agent, record.Provider, record.Model, record.Cost, record.Usage)));
        Assert.Single(world.Usage.Records, record => record.Outcome == AttemptOutcome.Completed);
    }

    [Fact]
    public async Task Another_tenant_and_a_revoked_key_are_given_nothing_that_was_kept()
    {
        await using var world = await ModelWorld.StartAsync();
        var provider = world.Provider();
        await world.ConfigureAsync(provider);
        await world.ChatAsync(extra: Zero);
        world.Http.DefaultRequestHeaders.Authorization = new("Bearer", await world.Server.NewKeyAsync(new TenantId(Guid.NewGuid()), Role.Member));
        Assert.Equal("miss", (await world.ChatAsync(extra: Zero)).Headers["x-astra-cache"]);
        Assert.Equal(2, provider.Seen.Count);

        using var admin = await world.Server.ClientAsync();
        var made = await admin.CreateApiKeyAsync(new Sdk.ApiKeyRequest("soon gone", Sdk.KeyRole.Member), Ct);
        world.Http.DefaultRequestHeaders.Authorization = new("Bearer", made.Secret);
        Assert.Equal("hit", (await world.ChatAsync(extra: Zero)).Headers["x-astra-cache"]);
        await admin.RevokeApiKeyAsync(made.Key.Id, Ct);
        Assert.Equal(HttpStatusCode.Unauthorized, (await world.ChatAsync(extra: Zero)).Status);
    }

    [Fact]
    public async Task What_a_name_leads_to_now_answers_and_not_what_it_led_to_before()
    {
        await using var world = await ModelWorld.StartAsync();
        await world.ConfigureAsync(world.Provider(_ => ModelScript.Chat("before")));
        await world.ChatAsync(extra: Zero);
        await world.ConfigureAsync(world.Provider(_ => ModelScript.Chat("after")));
        Assert.Contains("after", (await world.ChatAsync(extra: Zero)).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task There_is_no_more_kept_than_there_is_room_for_and_with_no_room_nothing()
    {
        await using var world = await ModelWorld.StartAsync();
        var provider = world.Provider(_ => ModelScript.Chat(new string('x', 100_000)));
        await world.ConfigureAsync(provider);
        await world.Desk.ChangeAsync(config => config with { CacheMegabytes = 1 }, Ct);
        for (var i = 0; i < 20; i++)
            await world.ChatAsync(extra: $"{Zero},\"seed\":{i}");
        Assert.Equal("hit", (await world.ChatAsync(extra: $"{Zero},\"seed\":19")).Headers["x-astra-cache"]);
        Assert.Equal("miss", (await world.ChatAsync(extra: $"{Zero},\"seed\":0")).Headers["x-astra-cache"]);
        await world.Desk.ChangeAsync(config => config with { CacheMegabytes = 0 }, Ct);
        await world.ChatAsync(extra: Zero);
        Assert.Equal("miss", (await world.ChatAsync(extra: Zero)).Headers["x-astra-cache"]);
    }

    [Fact]
    public async Task Forms_that_are_made_for_those_who_waited_along_take_room_too()
    {
        await using var world = await ModelWorld.StartAsync();
        var gate = new TaskCompletionSource();
        var provider = world.Provider(_ => new ModelScript([new Until(gate.Task), .. ModelScript.Chat(new string('x', 100_000)).Steps]));
        await world.ConfigureAsync(provider);
        await world.Desk.ChangeAsync(config => config with { CacheMegabytes = 1 }, Ct);
        var (seed, shared) = (0, 0);
        for (; shared < 30 && seed < 500; seed++)
        {
            gate = new TaskCompletionSource();
            var before = provider.Seen.Count;
            var first = world.ChatAsync(extra: $"{Zero},\"seed\":{seed}");
            await Eventually.HoldsAsync("it is asked for", () => Task.FromResult(provider.Seen.Count > before));
            var second = world.ChatAsync(isStream: true, extra: $"{Zero},\"seed\":{seed}");
            (await world.Http.GetAsync("/v1/models", Ct)).Dispose();
            gate.SetResult();
            await first;
            shared += (await second).Headers["x-astra-cache"] == "shared" ? 1 : 0;
        }
        Assert.Equal(30, shared);
        // Two forms of 100 kB each: there is room for five.
        var kept = 0;
        while (kept < seed && (await world.ChatAsync(extra: $"{Zero},\"seed\":{seed - kept - 1}")).Headers["x-astra-cache"] == "hit")
            kept++;
        Assert.InRange(kept, 1, 8);
    }

    [Fact]
    public async Task What_is_older_than_its_time_is_asked_for_again()
    {
        var clock = new ShiftedClock();
        await using var world = await ModelWorld.StartAsync(clock: clock);
        var provider = world.Provider();
        await world.ConfigureAsync(provider);
        await world.ChatAsync(extra: Zero);
        clock.Advance(TimeSpan.FromSeconds(3599 - 60));
        Assert.Equal("hit", (await world.ChatAsync(extra: Zero)).Headers["x-astra-cache"]);
        clock.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal("miss", (await world.ChatAsync(extra: Zero)).Headers["x-astra-cache"]);
        Assert.Equal(2, provider.Seen.Count);
    }

    private static async Task<HttpResponseMessage> SendAsync(ModelWorld world, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent("""{"model":"r","messages":[{"role":"user","content":"hi"}],"temperature":0}""") };
        return await world.Http.SendAsync(request, cancellationToken);
    }

    private static async Task<HttpResponseMessage> StreamAsync(ModelWorld world)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent("""{"model":"r","messages":[],"stream":true,"temperature":0}""") };
        return await world.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Ct);
    }
}
