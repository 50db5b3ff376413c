using System.Net;
using System.Text;
using Astra.Llm.Config;
using Astra.Llm.Money;
using Astra.Tests.Models;
using Astra.Tests.Profiles;

namespace Astra.Tests.Money;

/// <summary>Requests that point to what is somewhere else cost more than their bytes show, however they are spelled; words of a text do not.</summary>
public sealed class PointingWordsTests : IAsyncLifetime
{
    private const long NanosPerToken = 1_000;
    private const long TokensPointedTo = 16_384;

    private readonly WatchedBudget _budget = new();
    private ModelWorld _world = null!;

    public async ValueTask InitializeAsync()
    {
        _world = await ModelWorld.StartAsync(_budget, new EveryModelCosts(1));
        await _world.ConfigureAsync(ProviderKind.OpenAi, config => config with { Responses = true }, _world.Provider());
    }

    public ValueTask DisposeAsync() => _world.DisposeAsync();

    // What a part points to is named by its type and by its member: counted twice rather than not at all.
    [Theory]
    [InlineData(2, """{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}""")]
    [InlineData(2, """{"type":"\u0069mage_url","image_url":{"url":"https://example.com/a.png"}}""")]
    [InlineData(2, """{"type":"image_url","\u0069mage_url":{"url":"https://example.com/a.png"}}""")]
    [InlineData(2, """{"type":"image\u005furl","image\u005Furl":{"url":"https://example.com/a.png"}}""")]
    [InlineData(2, """{"\u0074ype":"\u0069\u006d\u0061\u0067\u0065\u005f\u0075\u0072\u006c","\u0069\u006d\u0061\u0067\u0065\u005f\u0075\u0072\u006c":{}}""")]
    [InlineData(2, """{"type":"\u0076ideo_url","video_ur\u006c":{"url":"https://example.com/a.mp4"}}""")]
    [InlineData(2, """{"type":"\u0061udio_url","audio_ur\u006c":{"url":"https://example.com/a.mp3"}}""")]
    [InlineData(2, """{"type":"\u0066ile","fil\u0065":{"file_id":"file-1"}}""")]
    [InlineData(1, """{"type":"inpu\u0074_image","file_id":"file-1"}""")]
    [InlineData(1, """{"type":"input\u005ffile","file_id":"file-1"}""")]
    [InlineData(1, """{"type":"\u0064ocument","source":{}}""")]
    [InlineData(1, """{"type":"\u0069mage","source":{}}""")]
    [InlineData(3, """{"type":"tool_result","content":[{"deep":{"er":[{"\u0069mage_url":{"url":"x"}},{"image_url":{"url":"y"}},["\u0066ile"]]}}]}""")]
    // An escape elsewhere has the request read, and changes nothing.
    [InlineData(2, """{"type":"image_url","image_url":{"url":"https://example.com/\u00e4.png"}}""")]
    public async Task What_is_pointed_to_is_reserved_for_also_when_the_word_for_it_is_escaped(int count, string part)
    {
        Assert.Equal(count, await PointedToAsync($$"""[{"role":"user","content":[{{part}}]}]"""));
    }

    [Theory]
    [InlineData("""[{"role":"user","content":"What is an image_url?"}]""")]
    [InlineData("""[{"role":"user","content":"What is an \u0069mage_url?"}]""")]
    [InlineData("""[{"role":"user","content":"What is an \"image_url\" or a \"file\"?"}]""")]
    [InlineData("""[{"role":"user","content":"What is an \u0022\u0069mage_url\u0022?"}]""")]
    [InlineData("""[{"role":"user","content":[{"type":"text","text":"{\"type\": \"image_url\", \"\\u0069mage_url\": {}}"}]}]""")]
    // Arguments of tools are a text in the request, whatever that text is.
    [InlineData("""[{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"show","arguments":"{\"image_url\":\"https://example.com/a.png\"}"}}]}]""")]
    [InlineData("""[{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"show","arguments":"{\"\\u0069mage_url\":\"a\",\"\u0066ile\":1}"}}]}]""")]
    [InlineData("""[{"role":"user","content":"an image_urls, my\u0069mage_url, \u0049mage_url"},{"role":"user","content":[{"type":"text","text":"x","image_urls":1,"\u0049mage_url":2}]}]""")]
    public async Task Words_of_a_text_point_to_nothing_escaped_or_not(string messages) => Assert.Equal(0, await PointedToAsync(messages));

    [Theory]
    [InlineData("\"previous_response_id\":\"resp_1\"")]
    [InlineData("\"\\u0070revious_response_id\":\"resp_1\"")]
    [InlineData("\"conversatio\\u006e\":\"conv_1\"")]
    [InlineData("\"promp\\u0074\":{\"id\":\"pmpt_1\"}")]
    public async Task What_the_provider_keeps_is_reserved_for_also_when_the_word_for_it_is_escaped(string member)
    {
        var body = $$"""{"model":"r","input":"on","max_output_tokens":5,{{member}}}""";
        await _world.PostAsync("/v1/responses", body);
        Assert.InRange(_budget.Reserved.Value / NanosPerToken, 1 << 20, (1 << 20) + 4_096);
        await _world.PostAsync("/v1/responses", """{"model":"r","input":"the \u0070rompt, previous_response_id","max_output_tokens":5}""");
        Assert.InRange(_budget.Reserved.Value / NanosPerToken, 1, 4_096);
    }

    /// <summary>How many things were reserved for beside the bytes, whose number the escapes change.</summary>
    private async Task<long> PointedToAsync(string messages)
    {
        var body = $$"""{"model":"r","max_tokens":5,"messages":{{messages}}}""";
        Assert.Equal(HttpStatusCode.OK, (await _world.PostAsync("/v1/chat/completions", body)).Status);
        var tokens = _budget.Reserved.Value / NanosPerToken - Encoding.UTF8.GetByteCount(body);
        Assert.InRange(tokens % TokensPointedTo, 5, 2_000);
        return tokens / TokensPointedTo;
    }

    /// <summary>Room for everything, and what was last asked of it.</summary>
    private sealed class WatchedBudget : IBudgets
    {
        public Nanodollars Reserved { get; private set; }

        public ValueTask<bool> MayRefuseAsync(Spender spender, CancellationToken cancellationToken) => ValueTask.FromResult(true);

        public ValueTask<Nanodollars?> LeftAsync(Spender spender, CancellationToken cancellationToken) => ValueTask.FromResult<Nanodollars?>(null);

        public ValueTask<ReserveOutcome> ReserveAsync(Spender spender, Nanodollars worstCase, CancellationToken cancellationToken)
        {
            Reserved = worstCase;
            return NoBudgets.Instance.ReserveAsync(spender, worstCase, cancellationToken);
        }
    }
}
