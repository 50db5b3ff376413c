using System.Net;
using System.Text.Json;
using Astra.Llm.Config;
using Astra.Llm.Money;

namespace Astra.Tests.Models;

/// <summary>Requests as they reach providers, and answers as they reach clients: the same bytes, or another dialect's.</summary>
public sealed class DialectTests
{
    private const string Tools = ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"description\":\"d\",\"parameters\":{\"type\":\"object\"}}}]";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_provider_of_the_same_dialect_gets_the_clients_bytes_with_only_the_model_changed()
    {
        await using var world = await ModelWorld.StartAsync();
        var provider = world.Provider();
        await world.ConfigureAsync(provider);
        const string request = "{ \"messages\" : [ {\"role\":\"user\",\"content\":\"gr\\u00f6\\u00dfe  \\\"model\\\":\\\"x\\\"\"} ],\r\n\t\"model\":\"r\" , \"temperature\":1.50, \"x\":{\"model\":\"inner\"} }";
        await world.PostAsync("/v1/chat/completions", request);
        Assert.Equal(request.Replace("\"r\"", "\"m1\"", StringComparison.Ordinal), Assert.Single(provider.Seen).Text);
    }

    [Fact]
    public async Task The_clients_own_key_never_reaches_a_provider()
    {
        await using var world = await ModelWorld.StartAsync();
        var provider = world.Provider();
        await world.ConfigureAsync(provider);
        await world.ChatAsync();
        Assert.DoesNotContain(provider.Seen.Single().Headers.Values, value => value.Contains(world.Key, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("{\"model\":\"r\",\"model\":\"other\",\"messages\":[]}", "twice")]
    [InlineData("{\"messages\":[]}", "missing")]
    [InlineData("[1]", "object")]
    [InlineData("{\"model\":\"r\"", "JSON")]
    [InlineData("{\"model\":\"r\",\"stream\":\"yes\"}", "true or false")]
    [InlineData("{\"model\":\"r\",\"max_tokens\":-1}", "max_tokens")]
    public async Task A_request_that_cannot_be_understood_reaches_nobody_and_its_sender_is_told(string request, string word)
    {
        await using var world = await ModelWorld.StartAsync();
        var provider = world.Provider();
        await world.ConfigureAsync(provider);
        var answer = await world.PostAsync("/v1/chat/completions", request);
        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Contains(word, answer.Error.GetProperty("message").GetString()!, StringComparison.Ordinal);
        Assert.Empty(provider.Seen);
    }

    [Fact]
    public async Task An_unknown_key_and_no_key_are_refused_in_the_dialect_of_the_endpoint()
    {
        await using var world = await ModelWorld.StartAsync();
        world.Http.DefaultRequestHeaders.Authorization = null;
        var chat = await world.PostAsync("/v1/chat/completions", "{}");
        Assert.Equal(HttpStatusCode.Unauthorized, chat.Status);
        Assert.Equal("invalid_api_key", chat.Error.GetProperty("code").GetString());
        var message = await world.PostAsync("/v1/messages", "{}");
        Assert.Equal("authentication_error", message.Error.GetProperty("type").GetString());
    }

    [Fact]
    public async Task Anthropics_older_clients_may_send_their_key_as_x_api_key()
    {
        await using var world = await ModelWorld.StartAsync();
        var provider = world.Provider(_ => ModelScript.Message("hello"));
        await world.ConfigureAsync(ProviderKind.Anthropic, config => config, provider);
        world.Http.DefaultRequestHeaders.Authorization = null;
        var answer = await world.PostAsync("/v1/messages", """{"model":"r","max_tokens":9,"messages":[]}""", ("x-api-key", world.Key), ("anthropic-version", "2026-10-21"), ("anthropic-beta", "b1"));
        Assert.Equal(HttpStatusCode.OK, answer.Status);
        Assert.Equal(("2026-10-21", "b1"), (provider.Seen.Single().Headers["anthropic-version"], provider.Seen.Single().Headers["anthropic-beta"]));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_of_OpenAIs_is_answered_by_a_provider_of_Anthropics_dialect(bool isStream)
    {
        await using var world = await ModelWorld.StartAsync();
        var provider = world.Provider(request => request.IsStream ? ModelScript.MessageStream("hel", "lo") : ModelScript.Message("hello"));
        await world.ConfigureAsync(ProviderKind.Anthropic, config => config, provider);
        var answer = await world.PostAsync(
            "/v1/chat/completions",
            $$$"""{"model":"r","stop":"end","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"},{"role":"assistant","tool_calls":[{"id":"t1","function":{"name":"weather","arguments":"{\"city\":\"Bonn\"}"}}]},{"role":"tool","tool_call_id":"t1","content":"rain"}]{{{(isStream ? ",\"stream\":true" : "")}}}{{{Tools}}}}""");
        Assert.Equal("hello", isStream ? answer.Words : answer.Json.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        var asked = provider.Seen.Single();
        Assert.Equal("/v1/messages", asked.Path);
        Assert.Equal("be brief", asked.Json.GetProperty("system").GetString());
        Assert.Equal(["user", "assistant", "user"], asked.Json.GetProperty("messages").EnumerateArray().Select(message => message.GetProperty("role").GetString()));
        Assert.Equal("weather", asked.Json.GetProperty("tools")[0].GetProperty("name").GetString());
        Assert.Equal(8192, asked.Json.GetProperty("max_tokens").GetInt32());
        Assert.Equal(3, Assert.Single(world.Usage.Records).Usage.Output);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_of_Anthropics_is_answered_by_a_provider_of_OpenAIs_dialect(bool isStream)
    {
        await using var world = await ModelWorld.StartAsync();
        var provider = world.Provider(request => request.IsStream ? ModelScript.ChatStream("hel", "lo") : ModelScript.Chat("hello"));
        await world.ConfigureAsync(provider);
        var answer = await world.PostAsync(
            "/v1/messages",
            $$$"""{"model":"r","max_tokens":50,"system":"be brief","messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"rain"},{"type":"text","text":"so?"}]}],"tools":[{"name":"weather","input_schema":{"type":"object"}}]{{{(isStream ? ",\"stream\":true" : "")}}}}""");
        if (isStream)
        {
            var told = answer.Text.Split('\n').Where(line => line.StartsWith("event: ", StringComparison.Ordinal)).Select(line => line[7..]);
            Assert.Equal(["message_start", "content_block_start", "content_block_delta", "content_block_delta", "content_block_stop", "message_delta", "message_stop"], told);
        }
        else
            Assert.Equal("hello", answer.Json.GetProperty("content")[0].GetProperty("text").GetString());
        var asked = provider.Seen.Single().Json;
        Assert.Equal(["system", "tool", "user"], asked.GetProperty("messages").EnumerateArray().Select(message => message.GetProperty("role").GetString()));
        Assert.Equal(50, asked.GetProperty("max_tokens").GetInt32());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Calls_of_tools_cross_from_one_dialect_to_the_other(bool isStream)
    {
        await using var world = await ModelWorld.StartAsync();
        await world.ConfigureAsync(ProviderKind.Anthropic, config => config, world.Provider(_ => ModelScript.MessageToolCall(isStream)));
        var chat = await world.ChatAsync(isStream: isStream, extra: Tools);
        var call = isStream
            ? string.Concat(chat.Events.Where(data => data.Contains("tool_calls", StringComparison.Ordinal) && data.Contains("\"arguments\"", StringComparison.Ordinal)).Select(data =>
                JsonElement.Parse(data).GetProperty("choices")[0].GetProperty("delta").GetProperty("tool_calls")[0].GetProperty("function").GetProperty("arguments").GetString()))
            : chat.Json.GetProperty("choices")[0].GetProperty("message").GetProperty("tool_calls")[0].GetProperty("function").GetProperty("arguments").GetString();
        Assert.Equal("{\"city\":\"Bonn\"}", call);

        await world.ConfigureAsync(world.Provider(_ => ModelScript.ToolCall(isStream)));
        var message = await world.PostAsync("/v1/messages", $"{{\"model\":\"r\",\"max_tokens\":9,\"messages\":[]{(isStream ? ",\"stream\":true" : "")}}}");
        Assert.Contains("call_1", message.Text, StringComparison.Ordinal);
        Assert.Contains(isStream ? "input_json_delta" : "\"city\"", message.Text, StringComparison.Ordinal);
        Assert.Contains("tool_use", message.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ProviderKind.OpenAi)]
    [InlineData(ProviderKind.Anthropic)]
    public async Task Responses_are_made_of_a_chat_where_a_provider_has_none(ProviderKind kind)
    {
        await using var world = await ModelWorld.StartAsync();
        await world.ConfigureAsync(kind, config => config, world.Provider(request => (kind, request.IsStream) switch
        {
            (ProviderKind.OpenAi, true) => ModelScript.ChatStream("hel", "lo"),
            (ProviderKind.OpenAi, false) => ModelScript.Chat("hello"),
            (_, true) => ModelScript.MessageStream("hel", "lo"),
            _ => ModelScript.Message("hello"),
        }));
        var whole = await world.PostAsync("/v1/responses", """{"model":"r","input":"hi","instructions":"be brief"}""");
        Assert.Equal("hello", whole.Json.GetProperty("output")[0].GetProperty("content")[0].GetProperty("text").GetString());
        var stream = await world.PostAsync("/v1/responses", """{"model":"r","input":[{"role":"user","content":[{"type":"input_text","text":"hi"}]}],"stream":true}""");
        var completed = JsonElement.Parse(stream.Events[^1]);
        Assert.Equal("response.completed", completed.GetProperty("type").GetString());
        Assert.Equal("hello", completed.GetProperty("response").GetProperty("output")[0].GetProperty("content")[0].GetProperty("text").GetString());
        Assert.Equal(Enumerable.Range(0, stream.Events.Count), stream.Events.Select(data => JsonElement.Parse(data).GetProperty("sequence_number").GetInt32()));
    }

    [Theory]
    [InlineData("base64", "[0.5,-2]", "AAAAPwAAAMA=")]
    [InlineData("float", "\"AAAAPwAAAMA=\"", "0.5,-2")]
    public async Task Embeddings_come_in_the_form_that_was_asked_for_whatever_the_provider_has(string form, string given, string expected)
    {
        await using var world = await ModelWorld.StartAsync();
        await world.ConfigureAsync(world.Provider(_ => ModelScript.Whole(200, $$$"""{"object":"list","data":[{"object":"embedding","index":0,"embedding":{{{given}}}}],"model":"real","usage":{"prompt_tokens":4,"total_tokens":4}}""")));
        var answer = await world.PostAsync("/v1/embeddings", $"{{\"model\":\"r\",\"input\":\"hi\",\"encoding_format\":\"{form}\"}}");
        var embedding = answer.Json.GetProperty("data")[0].GetProperty("embedding");
        Assert.Equal(expected, embedding.ValueKind == JsonValueKind.String ? embedding.GetString() : string.Join(',', embedding.EnumerateArray().Select(number => number.GetDouble())));
        Assert.Equal(new TokenUsage(4, 0, 0, 0, 0), Assert.Single(world.Usage.Records).Usage);
    }

    [Fact]
    public async Task Tokens_are_counted_by_a_provider_that_can_and_estimated_aloud_where_none_can()
    {
        await using var world = await ModelWorld.StartAsync();
        await world.ConfigureAsync(ProviderKind.Anthropic, config => config, world.Provider(_ => ModelScript.Whole(200, """{"input_tokens":14}""")));
        var counted = await world.PostAsync("/v1/messages/count_tokens", """{"model":"r","messages":[{"role":"user","content":"hi"}]}""");
        Assert.Equal(14, counted.Json.GetProperty("input_tokens").GetInt32());
        await world.ConfigureAsync(world.Provider());
        var estimated = await world.PostAsync("/v1/messages/count_tokens", """{"model":"r","messages":[{"role":"user","content":"hi"}]}""");
        Assert.Equal("true", estimated.Headers["x-astra-estimated"]);
        Assert.True(estimated.Json.GetProperty("input_tokens").GetInt32() > 0);
    }

    [Fact]
    public async Task Models_tiers_and_routes_are_listed_and_found()
    {
        await using var world = await ModelWorld.StartAsync();
        await world.ConfigureAsync(world.Provider());
        var list = JsonElement.Parse(await world.Http.GetStringAsync("/v1/models", Ct));
        Assert.Equal(["r", "auto", "standard", "a/m1"], list.GetProperty("data").EnumerateArray().Select(model => model.GetProperty("id").GetString()));
        Assert.Equal("a/m1", JsonElement.Parse(await world.Http.GetStringAsync("/v1/models/a/m1", Ct)).GetProperty("id").GetString());
        Assert.Equal(HttpStatusCode.NotFound, (await world.Http.GetAsync("/v1/models/nope", Ct)).StatusCode);
        foreach (var name in (string[])["auto", "standard", "m1", "a/m1", "r"])
            Assert.Equal(HttpStatusCode.OK, (await world.ChatAsync(name)).Status);
        Assert.Equal("model_not_found", (await world.ChatAsync("nope")).Error.GetProperty("code").GetString());
    }
}
