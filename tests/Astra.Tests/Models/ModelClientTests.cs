using System.Text.Json;
using Astra.Llm.Config;
using Astra.Llm.Money;
using Astra.Sdk;
using Astra.Tests.EndToEnd;
using Microsoft.Extensions.AI;

namespace Astra.Tests.Models;

/// <summary>The SDK's own clients of models, as .NET's abstractions have them, from outside of agents.</summary>
public sealed class ModelClientTests : IAsyncLifetime
{
    private ModelWorld _world = null!;
    private ScriptedModels _provider = null!;
    private AstraClient _client = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _world = await ModelWorld.StartAsync();
        _provider = _world.Provider(request => request.IsStream ? ModelScript.ChatStream("hel", "lo") : ModelScript.Chat("hello"));
        await _world.ConfigureAsync(_provider);
        _client = new AstraClient(_world.Server.Address, _world.Key);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _world.DisposeAsync();
    }

    [Fact]
    public async Task A_chat_is_answered_with_what_it_came_to_and_who_answered()
    {
        _provider.Answer = _ => ModelScript.Whole(
            200, """{"id":"c1","object":"chat.completion","created":7,"model":"real","choices":[{"index":0,"message":{"role":"assistant","reasoning_content":"hm","content":"hello"},"finish_reason":"length"}],"usage":{"prompt_tokens":11,"completion_tokens":2,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":5},"completion_tokens_details":{"reasoning_tokens":1}}}""");
        var answer = await _client.Chat("r").GetResponseAsync("hi", cancellationToken: Ct);
        Assert.Equal(("hello", "c1", "real", ChatFinishReason.Length), (answer.Text, answer.ResponseId, answer.ModelId, answer.FinishReason!.Value));
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(7), answer.CreatedAt);
        Assert.Equal("hm", answer.Messages[0].Contents.OfType<TextReasoningContent>().Single().Text);
        var usage = answer.Usage!;
        Assert.Equal((11, 2, 13, 5, 1), (usage.InputTokenCount!.Value, usage.OutputTokenCount!.Value, usage.TotalTokenCount!.Value, usage.CachedInputTokenCount!.Value, usage.ReasoningTokenCount!.Value));
    }

    [Fact]
    public async Task Everything_that_is_said_is_said_in_the_words_of_a_chat()
    {
        var picture = new DataContent(new byte[] { 1, 2, 3 }, "image/png");
        ChatMessage[] messages =
        [
            new(ChatRole.System, "Be short."),
            new(ChatRole.User, [new TextContent("What is this?"), picture, new UriContent("https://example.com/b.jpg", "image/jpeg") { AdditionalProperties = new() { ["detail"] = "low" } }]) { AuthorName = "Ada L." },
            new(ChatRole.Assistant, [new TextReasoningContent("hm"), new TextContent("Let me see."), new FunctionCallContent("call_1", "look", new Dictionary<string, object?> { ["at"] = "it" }), new UsageContent(new UsageDetails())]),
            new(ChatRole.Tool, [new FunctionResultContent("call_1", new { seen = "a cat" }), new FunctionResultContent("call_2", "text")]),
            new(ChatRole.User, "And?"),
        ];
        await _client.Chat("nobody").GetResponseAsync(messages, new ChatOptions { ModelId = "r", Instructions = "In English." }, Ct);
        var expected = JsonElement.Parse("""
            [
              {"role":"system","content":"In English."},
              {"role":"system","content":"Be short."},
              {"role":"user","name":"AdaL","content":[{"type":"text","text":"What is this?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AQID"}},{"type":"image_url","image_url":{"url":"https://example.com/b.jpg","detail":"low"}}]},
              {"role":"assistant","content":"Let me see.","tool_calls":[{"id":"call_1","type":"function","function":{"name":"look","arguments":"{\"at\":\"it\"}"}}]},
              {"role":"tool","tool_call_id":"call_1","content":"{\"seen\":\"a cat\"}"},
              {"role":"tool","tool_call_id":"call_2","content":"text"},
              {"role":"user","content":"And?"}
            ]
            """);
        var sent = _provider.Seen.Single().Json;
        Assert.True(JsonElement.DeepEquals(expected, sent.GetProperty("messages")), sent.GetRawText());
    }

    [Fact]
    public async Task Every_option_is_asked_for()
    {
        var tool = AIFunctionFactory.Create((string city) => city, "weather", "Tells it.");
        await _client.Chat("r").GetResponseAsync("hi", new ChatOptions
        {
            Temperature = 0.5f, TopP = 0.25f, TopK = 4, MaxOutputTokens = 100, FrequencyPenalty = 1, PresencePenalty = -1, Seed = 7, StopSequences = ["END"],
            Reasoning = new ReasoningOptions { Effort = ReasoningEffort.High }, ResponseFormat = ChatResponseFormat.ForJsonSchema(JsonElement.Parse("""{"type":"object"}"""), "place", "Where."),
            Tools = [tool], ToolMode = ChatToolMode.RequireSpecific("weather"), AllowMultipleToolCalls = false,
            AdditionalProperties = new() { ["user"] = "ada", ["strict"] = true, ["seed"] = 8, ["stream"] = true },
        }, Ct);
        var sent = _provider.Seen.Single().Json;
        var expected = JsonElement.Parse("""
            {
              "temperature":0.5,"top_p":0.25,"top_k":4,"max_tokens":100,"frequency_penalty":1,"presence_penalty":-1,"seed":7,"stop":["END"],"reasoning_effort":"high",
              "response_format":{"type":"json_schema","json_schema":{"name":"place","schema":{"type":"object"},"description":"Where.","strict":true}},
              "tool_choice":{"type":"function","function":{"name":"weather"}},"parallel_tool_calls":false,"user":"ada"
            }
            """);
        foreach (var member in expected.EnumerateObject())
            Assert.True(JsonElement.DeepEquals(member.Value, sent.GetProperty(member.Name)), $"{member.Name}: {sent.GetRawText()}");
        Assert.False(sent.TryGetProperty("stream", out _) || sent.TryGetProperty("strict", out _));
        var function = sent.GetProperty("tools")[0].GetProperty("function");
        Assert.Equal(("weather", "Tells it.", "string"), (function.GetProperty("name").GetString(), function.GetProperty("description").GetString(), function.GetProperty("parameters").GetProperty("properties").GetProperty("city").GetProperty("type").GetString()));
    }

    [Fact]
    public async Task A_form_and_a_choice_of_tools_are_asked_for_by_their_words()
    {
        var tool = AIFunctionFactory.CreateDeclaration("weather", "Tells it.", JsonElement.Parse("""{"type":"object"}"""));
        async Task<JsonElement> SentAsync(ChatOptions options)
        {
            await _client.Chat("r").GetResponseAsync("hi", options, Ct);
            return _provider.Seen.Last().Json;
        }
        Assert.Equal("json_object", (await SentAsync(new() { ResponseFormat = ChatResponseFormat.Json })).GetProperty("response_format").GetProperty("type").GetString());
        Assert.Equal("text", (await SentAsync(new() { ResponseFormat = ChatResponseFormat.Text })).GetProperty("response_format").GetProperty("type").GetString());
        foreach (var (mode, word) in new[] { (ChatToolMode.Auto, "auto"), (ChatToolMode.None, "none"), ((ChatToolMode)ChatToolMode.RequireAny, "required") })
            Assert.Equal(word, (await SentAsync(new() { Tools = [tool], ToolMode = mode })).GetProperty("tool_choice").GetString());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Calls_of_functions_arrive_whole(bool isStream)
    {
        _provider.Answer = request => ModelScript.ToolCall(request.IsStream);
        var answer = isStream
            ? await _client.Chat("r").GetStreamingResponseAsync("weather?", cancellationToken: Ct).ToChatResponseAsync(Ct)
            : await _client.Chat("r").GetResponseAsync("weather?", cancellationToken: Ct);
        var call = answer.Messages.Single().Contents.OfType<FunctionCallContent>().Single();
        Assert.Equal(("call_1", "weather", "Bonn", ChatFinishReason.ToolCalls, 13L), (call.CallId, call.Name, call.Arguments!["city"]!.ToString(), answer.FinishReason!.Value, answer.Usage!.TotalTokenCount!.Value));
    }

    [Fact]
    public async Task Arguments_that_are_no_JSON_are_a_call_that_says_so()
    {
        _provider.Answer = _ => ModelScript.Calls(("weather", "{broken"), ("weather", ""));
        var calls = (await _client.Chat("r").GetResponseAsync("weather?", cancellationToken: Ct)).Messages[0].Contents.OfType<FunctionCallContent>().ToList();
        Assert.NotNull(calls[0].Exception);
        Assert.Null(calls[1].Exception);
        Assert.Empty(calls[1].Arguments!);
    }

    [Fact]
    public async Task Fragments_of_calls_without_an_index_belong_to_the_one_that_was_begun_last()
    {
        static Send Piece(string call) => ModelScript.Chunk($"data: {{\"id\":\"c1\",\"model\":\"real\",\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{call}]}}}}]}}\n\n");
        _provider.Answer = _ => ModelScript.Stream(
            Piece("""{"id":"x","function":{"name":"one","arguments":"{\"a\":"}}"""), Piece("""{"function":{"arguments":"1}"}}"""), Piece("""{"id":"y","function":{"name":"two","arguments":{"b":2}}}"""),
            ModelScript.Chunk(ModelScript.Finish), ModelScript.Chunk(ModelScript.Done), ModelScript.LastChunk);
        var updates = await _client.Chat("r").GetStreamingResponseAsync("hi", cancellationToken: Ct).ToListAsync(Ct);
        Assert.Equal(["x one 1", "y two 2"], updates.SelectMany(update => update.Contents).OfType<FunctionCallContent>().Select(call => $"{call.CallId} {call.Name} {call.Arguments!.Values.Single()}"));
    }

    [Fact]
    public async Task A_stream_arrives_in_pieces_and_ends_with_what_it_came_to()
    {
        var updates = await _client.Chat("r").GetStreamingResponseAsync("hi", cancellationToken: Ct).ToListAsync(Ct);
        Assert.Equal(["hel", "lo"], updates.Select(update => update.Text).Where(text => text.Length > 0));
        Assert.All(updates, update => Assert.Equal(("c1", "real", ChatRole.Assistant), (update.ResponseId, update.ModelId, update.Role!.Value)));
        var answer = updates.ToChatResponse();
        Assert.Equal(("hello", ChatFinishReason.Stop, 13L), (answer.Text, answer.FinishReason!.Value, answer.Usage!.TotalTokenCount!.Value));
        Assert.True(_provider.Seen.Single().Json.GetProperty("stream_options").GetProperty("include_usage").GetBoolean());
    }

    [Fact]
    public async Task A_stream_that_breaks_off_at_its_provider_ends_with_the_servers_sentence()
    {
        _provider.Answer = _ => ModelScript.Stream(ModelScript.Chunk(ModelScript.Delta("half")), new Until(Task.Delay(100)), new Cut());
        var words = "";
        var broken = await Assert.ThrowsAsync<ModelRefusedException>(async () =>
        {
            await foreach (var update in _client.Chat("r").GetStreamingResponseAsync("hi", cancellationToken: Ct))
                words += update.Text;
        });
        Assert.Equal(("half", "upstream_cut", true), (words, broken.Code, broken.IsPassing));
        Assert.StartsWith("The answer broke off: ", broken.Message, StringComparison.Ordinal);
    }

    public static TheoryData<string> Wrong { get; } = ["cut", "no end", "no JSON", "error", "not even a head"];

    [Theory, MemberData(nameof(Wrong))]
    public async Task A_stream_that_is_not_whole_never_ends_as_if_it_were(string how)
    {
        // In the server's place, as what stands between might be.
        var between = _world.Provider(_ => ModelScript.Stream([ModelScript.Chunk(ModelScript.Delta("half")), .. how switch
        {
            "cut" => (ScriptStep[])[new Until(Task.Delay(100)), new Cut()],
            "no end" => [ModelScript.Chunk(ModelScript.Finish), ModelScript.LastChunk],
            "no JSON" => [ModelScript.Chunk("data: {oops\n\n"), ModelScript.LastChunk],
            "error" => [ModelScript.Chunk("data: {\"error\":{\"message\":\"out of it\",\"code\":\"worn\"}}\n\n"), ModelScript.LastChunk],
            _ => [ModelScript.Chunk("<html>"), ModelScript.LastChunk],
        }]));
        using var client = new AstraClient(new Uri(between.Root), "key");
        var broken = await Assert.ThrowsAnyAsync<AstraException>(() => client.Chat("r").GetStreamingResponseAsync("hi", cancellationToken: Ct).ToListAsync(Ct).AsTask());
        Assert.Equal(how == "error", broken is ModelRefusedException { Code: "worn", Message: "out of it" });
    }

    [Theory]
    [InlineData("<html>hello</html>", "text/html")]
    [InlineData("{\"choices\":[]}", "application/json")]
    [InlineData("[]", "application/json")]
    public async Task What_is_no_answer_of_a_model_is_none(string body, string type)
    {
        var between = _world.Provider(_ => ModelScript.Whole(200, body, type));
        using var client = new AstraClient(new Uri(between.Root), "key");
        Assert.Contains("no answer of a model", (await Assert.ThrowsAsync<AstraException>(() => client.Chat("r").GetResponseAsync("hi", cancellationToken: Ct))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refusal_is_an_exception_with_the_servers_sentence_and_whether_to_try_again()
    {
        var unknown = await Assert.ThrowsAsync<ModelRefusedException>(() => _client.Chat("nobody").GetResponseAsync("hi", cancellationToken: Ct));
        Assert.Equal((404, "model_not_found", false), (unknown.Status, unknown.Code, unknown.IsPassing));
        Assert.StartsWith("There is no model nobody here", unknown.Message, StringComparison.Ordinal);

        _provider.Answer = _ => ModelScript.Status(400, "that is too long");
        Assert.Contains("that is too long", (await Assert.ThrowsAsync<ModelRefusedException>(() => _client.Chat("r").GetStreamingResponseAsync("hi", cancellationToken: Ct).ToListAsync(Ct).AsTask())).Message, StringComparison.Ordinal);
        _provider.Answer = _ => ModelScript.Status(429, "slower", ("retry-after", "7"));
        var throttled = await Assert.ThrowsAsync<ModelRefusedException>(() => _client.Chat("r").GetResponseAsync("hi", cancellationToken: Ct));
        Assert.True(throttled is { Status: 429, IsPassing: true, RetryAfter.TotalSeconds: > 1 and <= 7 });

        using var stranger = new AstraClient(_world.Server.Address, "astra_wrong");
        Assert.Equal(401, (await Assert.ThrowsAsync<ModelRefusedException>(() => stranger.Chat("r").GetResponseAsync("hi", cancellationToken: Ct))).Status);
        using var nowhere = new AstraClient(new Uri("http://127.0.0.1:1"), "key");
        Assert.Equal(0, (await Assert.ThrowsAsync<AstraException>(() => nowhere.Chat("r").GetResponseAsync("hi", cancellationToken: Ct))).Status);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_cancels_ends_the_request_at_its_provider(bool isStream)
    {
        var asked = new TaskCompletionSource();
        _provider.Answer = _ =>
        {
            asked.TrySetResult();
            return isStream ? ModelScript.Stream(ModelScript.Chunk(ModelScript.Delta("half")), new Hang()) : new ModelScript([new Hang()]);
        };
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        var asking = isStream
            ? _client.Chat("r").GetStreamingResponseAsync("hi", cancellationToken: leaving.Token).ToListAsync(leaving.Token).AsTask()
            : (Task)_client.Chat("r").GetResponseAsync("hi", cancellationToken: leaving.Token);
        await asked.Task.WaitAsync(Ct);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
        await Eventually.SeeAsync("the provider's connection is broken off", () => Task.FromResult(_provider.BrokenOff > 0 ? "" : null));
    }

    [Fact]
    public async Task What_a_chat_has_no_word_for_is_refused_before_anybody_is_asked()
    {
        var chat = _client.Chat("r");
        await Assert.ThrowsAsync<NotSupportedException>(() => chat.GetResponseAsync("hi", new ChatOptions { Tools = [new HostedWebSearchTool()] }, Ct));
        await Assert.ThrowsAsync<NotSupportedException>(() => chat.GetResponseAsync("hi", new ChatOptions { ConversationId = "kept" }, Ct));
        await Assert.ThrowsAsync<NotSupportedException>(() => chat.GetResponseAsync([new ChatMessage(ChatRole.User, [new UriContent("https://example.com/a.pdf", "application/pdf")])], cancellationToken: Ct));
        await Assert.ThrowsAsync<NotSupportedException>(() => chat.GetResponseAsync([new ChatMessage(ChatRole.Tool, "words")], cancellationToken: Ct));
        Assert.Empty(_provider.Seen);
    }

    [Fact]
    public async Task Embeddings_travel_as_bytes_and_come_in_the_order_of_what_was_asked()
    {
        _provider.Answer = _ => ModelScript.Whole(200, """{"object":"list","data":[{"object":"embedding","index":1,"embedding":[3,4]},{"object":"embedding","index":0,"embedding":[0.5,-2]}],"model":"real","usage":{"prompt_tokens":4,"total_tokens":4}}""");
        var vectors = await _client.Embeddings("r").GenerateAsync(["a", "b"], new EmbeddingGenerationOptions { Dimensions = 2 }, Ct);
        Assert.Equal([0.5f, -2f], vectors[0].Vector.ToArray());
        Assert.Equal([3f, 4f], vectors[1].Vector.ToArray());
        Assert.Equal(("real", 4L), (vectors[0].ModelId, vectors.Usage!.InputTokenCount!.Value));
        var sent = _provider.Seen.Single().Json;
        Assert.Equal(("base64", 2, 2), (sent.GetProperty("encoding_format").GetString(), sent.GetProperty("dimensions").GetInt32(), sent.GetProperty("input").GetArrayLength()));
        Assert.Empty(await _client.Embeddings("r").GenerateAsync([], cancellationToken: Ct));
        await Assert.ThrowsAsync<AstraException>(() => _client.Embeddings("r").GenerateAsync(["a", "b", "c"], cancellationToken: Ct));
    }

    [Fact]
    public void Each_says_what_it_is()
    {
        var chat = _client.Chat("r");
        var metadata = Assert.IsType<ChatClientMetadata>(chat.GetService(typeof(ChatClientMetadata)));
        Assert.Equal(("astra", _world.Server.Address, "r"), (metadata.ProviderName, metadata.ProviderUri, metadata.DefaultModelId));
        Assert.Same(chat, chat.GetService(typeof(IChatClient)));
        Assert.Null(chat.GetService(typeof(IChatClient), "key"));
        Assert.Null(chat.GetService(typeof(string)));
        Assert.Equal("e", _client.Embeddings("e").GetService<EmbeddingGeneratorMetadata>()!.DefaultModelId);
    }
}
