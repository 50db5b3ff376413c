using System.Text.Json;
using Anthropic;
using Anthropic.Exceptions;
using Anthropic.Models.Messages;
using Astra.Llm.Config;
using Astra.Llm.Money;
using Microsoft.Extensions.AI;

namespace Astra.Tests.Models;

/// <summary>Anthropic's own package for .NET against a whole server.</summary>
public sealed class AnthropicPackageTests : IAsyncLifetime
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
        _provider = _world.Provider(request => request.IsStream ? ModelScript.MessageStream("hel", "lo") : ModelScript.Message("hello"));
        await _world.ConfigureAsync(ProviderKind.Anthropic, config => config, _provider);
    }

    public async ValueTask DisposeAsync()
    {
        await _world.DisposeAsync();
        await _ledger.DisposeAsync();
    }

    [Fact]
    public async Task A_message_is_answered_with_what_it_came_to()
    {
        var answer = await Client().Messages.Create(Ask(), Ct);
        Assert.Equal(("hello", 9, 3, 2), (TextOf(answer), answer.Usage.InputTokens, answer.Usage.OutputTokens, answer.Usage.CacheReadInputTokens));
    }

    [Fact]
    public async Task A_stream_arrives_in_pieces_and_ends_with_what_it_came_to()
    {
        var (words, output) = (new List<string>(), 0L);
        await foreach (var told in Client().Messages.CreateStreaming(Ask(), Ct))
        {
            if (told.TryPickContentBlockDelta(out var delta) && delta.Delta.TryPickText(out var text))
                words.Add(text.Text);
            if (told.TryPickDelta(out var end))
                output = end.Usage.OutputTokens;
        }
        Assert.Equal(["hel", "lo"], words);
        Assert.Equal(3, output);
    }

    [Fact]
    public async Task A_tool_is_called_with_its_arguments()
    {
        _provider.Answer = request => ModelScript.MessageToolCall(request.IsStream);
        var tool = new Tool { Name = "weather", InputSchema = new InputSchema { Properties = new Dictionary<string, JsonElement> { ["city"] = JsonElement.Parse("""{"type":"string"}""") } } };
        var asked = await Client().Messages.Create(Ask() with { Tools = [tool] }, Ct);
        Assert.True(asked.Content[0].TryPickToolUse(out var use));
        Assert.Equal(("weather", "Bonn"), (use!.Name, use.Input["city"].GetString()));

        var arguments = "";
        await foreach (var told in Client().Messages.CreateStreaming(Ask() with { Tools = [tool] }, Ct))
            if (told.TryPickContentBlockDelta(out var delta) && delta.Delta.TryPickInputJson(out var piece))
                arguments += piece.PartialJson;
        Assert.Equal("""{"city":"Bonn"}""", arguments);
    }

    [Fact]
    public async Task An_answer_of_a_schema_is_asked_for_as_such()
    {
        _provider.Answer = _ => ModelScript.Message("""{"city":"Bonn"}""");
        var format = new JsonOutputFormat { Schema = new Dictionary<string, JsonElement> { ["type"] = JsonElement.Parse("\"object\"") } };
        var answer = await Client().Messages.Create(Ask() with { OutputConfig = new OutputConfig { Format = format } }, Ct);
        Assert.Equal("Bonn", JsonElement.Parse(TextOf(answer)).GetProperty("city").GetString());
        Assert.Equal("json_schema", _provider.Seen.Single().Json.GetProperty("output_config").GetProperty("format").GetProperty("type").GetString());
    }

    [Fact]
    public async Task The_tokens_of_a_request_are_counted()
    {
        _provider.Answer = _ => ModelScript.Whole(200, """{"input_tokens":14}""");
        Assert.Equal(14, (await Client().Messages.CountTokens(new MessageCountTokensParams { Model = "r", Messages = [new UserMessageParam("hi")] }, Ct)).InputTokens);
    }

    [Fact]
    public async Task The_models_are_listed_and_one_is_found()
    {
        var page = await Client().Models.List(cancellationToken: Ct);
        Assert.Contains(page.Items, model => model.ID == "r");
        Assert.Equal("r", (await Client().Models.Retrieve("r", cancellationToken: Ct)).ID);
    }

    [Fact]
    public async Task A_budget_that_is_used_up_refuses_once_and_is_not_asked_again()
    {
        var key = new BudgetKey(_world.Server.Home, BudgetLevel.Tenant, "", BudgetWindow.Total);
        await _budgets.SetAsync(new Budget(key, new Nanodollars(1_000), null, "test", DateTimeOffset.UtcNow), DateTimeOffset.UtcNow, Ct);
        await _ledger.RefreshAsync(Ct);
        var asked = new CountedRequests();
        var refused = await Assert.ThrowsAsync<AnthropicRateLimitException>(() => Client(asked).Messages.Create(Ask(), Ct));
        Assert.Contains("the budget of the tenant", refused.Message, StringComparison.Ordinal);
        Assert.Equal(1, asked.Count);
        Assert.Empty(_provider.Seen);
    }

    [Fact]
    public async Task A_providers_error_is_an_exception_with_its_words()
    {
        _provider.Answer = _ => ModelScript.Status(400, "that is too long");
        Assert.Contains("that is too long", (await Assert.ThrowsAsync<AnthropicBadRequestException>(() => Client().Messages.Create(Ask(), Ct))).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<AnthropicNotFoundException>(() => Client().Messages.Create(Ask() with { Model = "nobody" }, Ct));
    }

    [Fact]
    public async Task A_stream_that_breaks_off_ends_in_an_exception()
    {
        _provider.Answer = _ => ModelScript.Stream([.. ModelScript.MessageBegin, ModelScript.MessageDelta("half"), new Until(Task.Delay(100)), new Cut()]);
        var words = "";
        await Assert.ThrowsAnyAsync<AnthropicException>(async () =>
        {
            await foreach (var told in Client().Messages.CreateStreaming(Ask(), Ct))
                if (told.TryPickContentBlockDelta(out var delta) && delta.Delta.TryPickText(out var text))
                    words += text.Text;
        });
        Assert.Equal("half", words);
    }

    [Fact]
    public async Task Its_chat_client_is_answered_by_providers_of_either_dialect()
    {
        var other = _world.Provider(request => request.IsStream ? ModelScript.ToolCall(isStream: true) : ModelScript.Chat("hello"));
        await _world.Desk.ChangeAsync(config => config with { Providers = [.. config.Providers, new ProviderConfig("o", ProviderKind.OpenAi, $"{other.Root}/v1") { Models = [new ModelEntry("m2")] }] }, Ct);
        using var own = Client().AsIChatClient("r", 100);
        var answer = await own.GetResponseAsync([new ChatMessage(ChatRole.System, "Be short."), new ChatMessage(ChatRole.User, "hi")], cancellationToken: Ct);
        Assert.Equal(("hello", 3L), (answer.Text, answer.Usage!.OutputTokenCount));
        Assert.Equal("hello", string.Concat(await own.GetStreamingResponseAsync("hi", cancellationToken: Ct).Select(update => update.Text).ToListAsync(Ct)));

        using var translated = Client().AsIChatClient("o/m2", 100);
        Assert.Equal("hello", (await translated.GetResponseAsync("hi", cancellationToken: Ct)).Text);
        var asked = await translated.GetStreamingResponseAsync("weather?", cancellationToken: Ct).ToListAsync(Ct);
        Assert.Equal("Bonn", asked.SelectMany(update => update.Contents).OfType<FunctionCallContent>().Single().Arguments!["city"]!.ToString());
    }

    private static MessageCreateParams Ask() => new() { Model = "r", MaxTokens = 100, Messages = [new UserMessageParam("hi")] };

    private static string TextOf(Message answer) => answer.Content[0].TryPickText(out var text) ? text.Text : "";

    private AnthropicClient Client(CountedRequests? counted = null)
    {
        var client = new AnthropicClient { BaseUrl = _world.Server.Address.ToString().TrimEnd('/'), ApiKey = _world.Key };
        return counted is null ? client : new AnthropicClient { BaseUrl = client.BaseUrl, ApiKey = client.ApiKey, HttpClient = new HttpClient(counted) };
    }
}
