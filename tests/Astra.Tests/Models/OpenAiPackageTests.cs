using System.ClientModel;
using System.ClientModel.Primitives;
using System.Text.Json;
using Astra.Llm.Config;
using Astra.Llm.Money;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Embeddings;
using OpenAI.Models;
using OpenAI.Responses;

namespace Astra.Tests.Models;

/// <summary>OpenAI's own package for .NET against a whole server.</summary>
public sealed class OpenAiPackageTests : IAsyncLifetime
{
    private readonly InMemoryBudgets _budgets = new(TimeProvider.System);
    private BudgetLedger _ledger = null!;
    private ModelWorld _world = null!;
    private ScriptedModels _provider = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _ledger = new BudgetLedger(_budgets, TimeProvider.System);
        _world = await ModelWorld.StartAsync(_ledger, ModelWorld.ADollarPerMillion());
        _provider = _world.Provider(request => request.IsStream ? ModelScript.ChatStream("hel", "lo") : ModelScript.Chat("hello"));
        await _world.ConfigureAsync(_provider);
    }

    public async ValueTask DisposeAsync()
    {
        await _world.DisposeAsync();
        await _ledger.DisposeAsync();
    }

    [Fact]
    public async Task A_chat_is_answered_with_what_it_came_to()
    {
        ChatCompletion answer = await Chat().CompleteChatAsync([new SystemChatMessage("Be short."), new UserChatMessage("hi")], cancellationToken: Ct);
        Assert.Equal(("hello", OpenAI.Chat.ChatFinishReason.Stop, 11, 2, 13), (answer.Content[0].Text, answer.FinishReason, answer.Usage.InputTokenCount, answer.Usage.OutputTokenCount, answer.Usage.TotalTokenCount));
    }

    [Fact]
    public async Task A_stream_arrives_in_pieces_and_ends_with_what_it_came_to()
    {
        var (words, total) = (new List<string>(), 0);
        await foreach (var update in Chat().CompleteChatStreamingAsync([new UserChatMessage("hi")], cancellationToken: Ct))
        {
            words.AddRange(update.ContentUpdate.Select(part => part.Text));
            total = update.Usage?.TotalTokenCount ?? total;
        }
        Assert.Equal(("hel", "lo", 13), (words[^2], words[^1], total));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_tool_is_called_with_its_arguments_and_told_back(bool isStream)
    {
        _provider.Answer = request => request.Text.Contains("\"tool\"", StringComparison.Ordinal) ? ModelScript.Chat("sunny") : ModelScript.ToolCall(request.IsStream);
        var options = new ChatCompletionOptions { Tools = { ChatTool.CreateFunctionTool("weather", "Tells it.", BinaryData.FromString("""{"type":"object","properties":{"city":{"type":"string"}}}""")) } };
        var (arguments, id) = ("", "");
        if (isStream)
        {
            await foreach (var update in Chat().CompleteChatStreamingAsync([new UserChatMessage("weather?")], options, Ct))
                foreach (var piece in update.ToolCallUpdates)
                    (arguments, id) = (arguments + piece.FunctionArgumentsUpdate, piece.ToolCallId ?? id);
        }
        else
        {
            ChatCompletion asked = await Chat().CompleteChatAsync([new UserChatMessage("weather?")], options, Ct);
            (arguments, id) = (asked.ToolCalls[0].FunctionArguments.ToString(), asked.ToolCalls[0].Id);
        }
        Assert.Equal(("""{"city":"Bonn"}""", "call_1"), (arguments, id));
        ChatCompletion told = await Chat().CompleteChatAsync(
            [new UserChatMessage("weather?"), new AssistantChatMessage([ChatToolCall.CreateFunctionToolCall(id, "weather", BinaryData.FromString(arguments))]), new ToolChatMessage(id, "sun")], options, Ct);
        Assert.Equal("sunny", told.Content[0].Text);
    }

    [Fact]
    public async Task An_answer_of_a_schema_is_asked_for_as_such()
    {
        _provider.Answer = _ => ModelScript.Chat("""{"city":"Bonn"}""");
        var format = OpenAI.Chat.ChatResponseFormat.CreateJsonSchemaFormat("place", BinaryData.FromString("""{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}"""), jsonSchemaIsStrict: true);
        ChatCompletion answer = await Chat().CompleteChatAsync([new UserChatMessage("where?")], new ChatCompletionOptions { ResponseFormat = format }, Ct);
        Assert.Equal("Bonn", JsonElement.Parse(answer.Content[0].Text).GetProperty("city").GetString());
        Assert.True(_provider.Seen.Single().Json.GetProperty("response_format").GetProperty("json_schema").GetProperty("strict").GetBoolean());
    }

    [Theory]
    [InlineData("""[0.5,-2]""")]
    [InlineData("\"AAAAPwAAAMA=\"")]
    public async Task Embeddings_arrive_as_numbers_whatever_form_the_provider_has(string vector)
    {
        _provider.Answer = _ => ModelScript.Whole(200, $$$"""{"object":"list","data":[{"object":"embedding","index":0,"embedding":{{{vector}}}}],"model":"real","usage":{"prompt_tokens":4,"total_tokens":4}}""");
        OpenAIEmbeddingCollection answer = await new EmbeddingClient("r", Credential, Options).GenerateEmbeddingsAsync(["hi"], cancellationToken: Ct);
        Assert.Equal([0.5f, -2f], answer[0].ToFloats().ToArray());
        Assert.Equal(4, answer.Usage.InputTokenCount);
        Assert.Equal("base64", _provider.Seen.Single().Json.GetProperty("encoding_format").GetString());
    }

    [Fact]
    public async Task The_models_are_listed_and_one_is_found()
    {
        var client = new OpenAIModelClient(Credential, Options);
        Assert.Contains((await client.GetModelsAsync(Ct)).Value, model => model.Id == "r");
        // It escapes the slash.
        Assert.Equal("a/m1", (await client.GetModelAsync("a/m1", Ct)).Value.Id);
    }

    // The package calls its responses an evaluation; people use them.
#pragma warning disable OPENAI001
    [Fact]
    public async Task A_response_is_answered_in_one_piece_and_as_a_stream()
    {
        var client = new ResponsesClient(Credential, new ResponsesClientOptions { Endpoint = Endpoint });
        ResponseResult whole = await client.CreateResponseAsync("r", "hi", cancellationToken: Ct);
        Assert.Equal(("hello", ResponseStatus.Completed, 13), (whole.GetOutputText(), whole.Status, whole.Usage.TotalTokenCount));

        var (words, end) = ("", (ResponseResult?)null);
        await foreach (var update in await client.CreateResponseStreamingAsync("r", "hi", cancellationToken: Ct))
        {
            words += (update as StreamingResponseOutputTextDeltaUpdate)?.Delta;
            end = (update as StreamingResponseCompletedUpdate)?.Response ?? end;
        }
        Assert.Equal(("hello", "hello", 13), (words, end!.GetOutputText(), end.Usage.TotalTokenCount));
    }
#pragma warning restore OPENAI001

    // The package tries a 429 again whatever it is told, unless it is told by its own options not to.
    [Theory]
    [InlineData(3, 4)]
    [InlineData(0, 1)]
    public async Task A_budget_that_is_used_up_refuses_as_often_as_it_is_asked_and_asks_nobody(int retries, int requests)
    {
        var key = new BudgetKey(_world.Server.Home, BudgetLevel.Tenant, "", BudgetWindow.Total);
        await _budgets.SetAsync(new Budget(key, new Nanodollars(1_000), null, "test", DateTimeOffset.UtcNow), DateTimeOffset.UtcNow, Ct);
        await _ledger.RefreshAsync(Ct);
        var asked = new CountedRequests();
        var refused = await Assert.ThrowsAsync<ClientResultException>(() => Chat(asked, retries: retries).CompleteChatAsync([new UserChatMessage("hi")], cancellationToken: Ct));
        Assert.Equal((429, requests), (refused.Status, asked.Count));
        Assert.Contains("budget_exceeded", refused.GetRawResponse()!.Content.ToString(), StringComparison.Ordinal);
        Assert.Empty(_provider.Seen);
    }

    [Fact]
    public async Task A_providers_error_is_an_exception_with_its_words()
    {
        _provider.Answer = _ => ModelScript.Status(400, "that is too long");
        var refused = await Assert.ThrowsAsync<ClientResultException>(() => Chat().CompleteChatAsync([new UserChatMessage("hi")], cancellationToken: Ct));
        Assert.Equal(400, refused.Status);
        Assert.Contains("that is too long", refused.Message, StringComparison.Ordinal);
        Assert.Equal(404, (await Assert.ThrowsAsync<ClientResultException>(() => Chat(model: "nobody").CompleteChatAsync([new UserChatMessage("hi")], cancellationToken: Ct))).Status);
    }

    [Fact]
    public async Task A_stream_that_breaks_off_ends_in_an_exception()
    {
        _provider.Answer = _ => ModelScript.Stream(ModelScript.Chunk(ModelScript.Role), ModelScript.Chunk(ModelScript.Delta("half")), new Until(Task.Delay(100)), new Cut());
        var words = "";
        await Assert.ThrowsAnyAsync<IOException>(async () =>
        {
            await foreach (var update in Chat().CompleteChatStreamingAsync([new UserChatMessage("hi")], cancellationToken: Ct))
                words += string.Concat(update.ContentUpdate.Select(part => part.Text));
        });
        Assert.Equal("half", words);
    }

    private Uri Endpoint => new(_world.Server.Address, "/v1");

    private ApiKeyCredential Credential => new(_world.Key);

    private OpenAIClientOptions Options => new() { Endpoint = Endpoint };

    private ChatClient Chat(CountedRequests? counted = null, string model = "r", int? retries = null)
    {
        var options = Options;
        if (counted is not null)
            options.Transport = new HttpClientPipelineTransport(new HttpClient(counted));
        if (retries is { } most)
            options.RetryPolicy = new ClientRetryPolicy(most);
        return new ChatClient(model, Credential, options);
    }
}

/// <summary>How often a client really asked.</summary>
internal sealed class CountedRequests() : DelegatingHandler(new SocketsHttpHandler())
{
    private int _count;

    public int Count => Volatile.Read(ref _count);

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _count);
        return base.SendAsync(request, cancellationToken);
    }
}
