using Astra.Llm.Config;
using Astra.Llm.Money;
using Astra.Tests.EndToEnd;

namespace Astra.Tests.Models;

/// <summary>What becomes of a stream that has begun: it is never tried again in silence, and never ends well unless it was whole.</summary>
public sealed class StreamEndTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public static TheoryData<string> Breaks { get; } = ["cut", "ends", "hang", "comments only", "malformed", "error event", "endless event"];

    [Theory, MemberData(nameof(Breaks))]
    public async Task A_stream_of_OpenAIs_that_breaks_off_ends_with_an_error_and_without_DONE(string how)
    {
        await using var world = await ModelWorld.StartAsync();
        var other = world.Provider(_ => ModelScript.ChatStream("other"));
        var begun = new TaskCompletionSource();
        await world.ConfigureAsync(ProviderKind.OpenAi, Short, world.Provider(_ => ModelScript.Stream([ModelScript.Chunk(ModelScript.Role), ModelScript.Chunk(ModelScript.Delta("half")), new Until(begun.Task), .. Break(how)])), other);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent("""{"model":"r","stream":true,"messages":[]}""") };
        using var response = await world.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Ct);
        // Its beginning is out: from here on there is no other provider.
        begun.SetResult();
        var answer = await ModelAnswer.ReadAsync(response, Ct);
        Assert.True(answer.IsBroken, "Whoever does not read errors has to hear of it, too.");
        Assert.Equal("half", answer.Words);
        Assert.Equal("upstream_cut", System.Text.Json.JsonElement.Parse(answer.Events[^1]).GetProperty("error").GetProperty("code").GetString());
        Assert.DoesNotContain("[DONE]", answer.Text, StringComparison.Ordinal);
        Assert.Empty(other.Seen);
        Assert.Equal(AttemptOutcome.Cut, Assert.Single(world.Usage.Records).Outcome);
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("ends")]
    [InlineData("hang")]
    public async Task A_stream_of_Anthropics_that_breaks_off_ends_with_an_error_event_and_without_message_stop(string how)
    {
        await using var world = await ModelWorld.StartAsync();
        await world.ConfigureAsync(ProviderKind.Anthropic, Short, world.Provider(_ => ModelScript.Stream([.. ModelScript.MessageBegin, ModelScript.MessageDelta("half"), .. Break(how)])));
        var answer = await world.PostAsync("/v1/messages", """{"model":"r","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}""");
        Assert.True(answer.IsBroken);
        Assert.Contains("event: error\n", answer.Text, StringComparison.Ordinal);
        Assert.Contains("half", answer.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("message_stop", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stream_without_an_end_is_ended_by_the_time_for_the_whole_request()
    {
        await using var world = await ModelWorld.StartAsync();
        await world.ConfigureAsync(world.Provider(_ => ModelScript.Stream(new SendForEver(ModelScript.Chunk(ModelScript.Delta("on ")).Bytes, TimeSpan.FromMilliseconds(5)))));
        await world.Desk.ChangeAsync(config => config with { TotalSeconds = 1 }, Ct);
        var answer = await world.ChatAsync(isStream: true);
        Assert.Contains("upstream_cut", answer.Events[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_whole_answer_whose_provider_forgot_the_DONE_gets_one()
    {
        await using var world = await ModelWorld.StartAsync();
        await world.ConfigureAsync(world.Provider(_ => ModelScript.Stream(ModelScript.Chunk(ModelScript.Delta("all")), ModelScript.Chunk(ModelScript.Finish), ModelScript.LastChunk)));
        var answer = await world.ChatAsync(isStream: true);
        Assert.Equal("all", answer.Words);
        Assert.Equal("[DONE]", answer.Events[^1]);
    }

    [Fact]
    public async Task Events_that_arrive_a_byte_at_a_time_are_handed_on_whole_and_in_order()
    {
        await using var world = await ModelWorld.StartAsync();
        var text = ModelScript.Role + ModelScript.Delta("größe ") + ModelScript.Delta("👋") + ModelScript.Finish + ModelScript.Usage + ModelScript.Done;
        await world.ConfigureAsync(world.Provider(_ => ModelScript.Stream(
            [.. System.Text.Encoding.UTF8.GetBytes(text).Select(letter => new Send([.. "1\r\n"u8, letter, .. "\r\n"u8])), ModelScript.LastChunk])));
        Assert.Equal("größe 👋", (await world.ChatAsync(isStream: true)).Words);
    }

    [Fact]
    public async Task The_figures_come_at_the_end_for_who_asked_and_are_kept_from_who_did_not()
    {
        await using var world = await ModelWorld.StartAsync();
        var provider = world.Provider(_ => ModelScript.ChatStream("a"));
        await world.ConfigureAsync(provider);
        var without = await world.ChatAsync(isStream: true);
        var with = await world.ChatAsync(isStream: true, extra: ",\"stream_options\":{\"include_usage\":true}");
        Assert.DoesNotContain("prompt_tokens", without.Text, StringComparison.Ordinal);
        Assert.Contains("prompt_tokens", with.Text, StringComparison.Ordinal);
        // Asked for either way: without them nobody knows what was spent.
        Assert.All(provider.Seen, request => Assert.True(request.Json.GetProperty("stream_options").GetProperty("include_usage").GetBoolean()));
        Assert.All(world.Usage.Records, record => Assert.Equal((new TokenUsage(11, 0, 0, 2, 0), UsageSource.Reported), (record.Usage, record.Source)));
    }

    [Fact]
    public async Task A_client_that_leaves_in_the_middle_ends_the_stream_at_the_provider_and_what_it_got_is_counted()
    {
        await using var world = await ModelWorld.StartAsync();
        var provider = world.Provider(_ => ModelScript.Stream([.. Enumerable.Range(0, 10).Select(i => ModelScript.Chunk(ModelScript.Delta($"word{i} "))), new Hang()]));
        await world.ConfigureAsync(provider);
        using (var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent("""{"model":"r","stream":true,"messages":[]}""") })
        using (var response = await world.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Ct))
        using (var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Ct)))
        {
            while (await reader.ReadLineAsync(Ct) is { } line && !line.Contains("word9", StringComparison.Ordinal))
            {
            }
        }
        var record = await Eventually.SeeAsync("the record of the attempt", () => Task.FromResult(world.Usage.First));
        Assert.Equal((AttemptOutcome.Abandoned, UsageSource.Estimated), (record.Outcome, record.Source));
        Assert.True(record.Usage.Output >= 10, $"{record.Usage.Output} tokens");
        await Eventually.SeeAsync("the end at the provider", () => Task.FromResult(provider.BrokenOff == 1 ? "" : null));
    }

    [Fact]
    public async Task Nothing_is_answered_before_there_is_content()
    {
        await using var world = await ModelWorld.StartAsync();
        var gate = new TaskCompletionSource();
        var provider = world.Provider(_ => ModelScript.Stream(ModelScript.Chunk(ModelScript.Role), new Until(gate.Task), ModelScript.Chunk(ModelScript.Delta("now")), ModelScript.Chunk(ModelScript.Finish), ModelScript.Chunk(ModelScript.Done), ModelScript.LastChunk));
        await world.ConfigureAsync(provider);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent("""{"model":"r","stream":true,"messages":[]}""") };
        var headers = world.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Ct);
        await Eventually.SeeAsync("the request at the provider", () => Task.FromResult(provider.Seen.FirstOrDefault()));
        Assert.False(headers.IsCompleted);
        gate.SetResult();
        using var response = await headers;
        Assert.Contains("now", await response.Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);
    }

    private static ProviderConfig Short(ProviderConfig provider) => provider with { BetweenTokensSeconds = 0.5 };

    private static IReadOnlyList<ScriptStep> Break(string how) => how switch
    {
        "cut" => [new Cut()],
        "ends" => [ModelScript.LastChunk],
        "hang" => [new Hang()],
        "comments only" => [new SendForEver(ModelScript.Chunk(": still here\n\n").Bytes, TimeSpan.FromMilliseconds(20))],
        "malformed" => [ModelScript.Chunk("data: {\"choices\":[{\"de\n\n"), new Hang()],
        "error event" => [ModelScript.Chunk("data: {\"error\":{\"message\":\"out of memory\"}}\n\n"), new Hang()],
        _ => [ModelScript.Chunk("data: "), new SendForEver(ModelScript.Chunk(new string('x', 1 << 20)).Bytes, TimeSpan.Zero)],
    };
}
