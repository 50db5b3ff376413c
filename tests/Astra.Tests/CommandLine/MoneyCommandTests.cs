namespace Astra.Tests.CommandLine;

/// <summary>`astra budget`, `astra usage`, `astra price` and `astra secret`.</summary>
public sealed class MoneyCommandTests : IDisposable
{
    private readonly CommandWorld _world = new();

    [Fact]
    public async Task Budgets_are_set_in_dollars_shown_and_forgiven()
    {
        var set = await _world.TypeAsync("budget", "set", "agent", "auditor", "--cap", "$2.50", "--per", "day", "--degrade-at", "80", "--degrade-to", "local");
        Assert.Contains(set.Lines, line => line.Contains("auditor") && line.Contains("$2.50") && line.Contains("25 %") && line.Contains("local from 80 %"));
        await _world.TypeAsync("budget", "set", "tenant", "--cap", "100", "--per", "month", "--tenant", "acme");
        Assert.Equal(2, (await _world.TypeAsync("budget", "top", "--json")).Out.Split("\"capNanos\"").Length - 1);
        Assert.Contains("No budgets", (await _world.TypeAsync("budget", "show", "--platform")).Out);
        Assert.Contains("$1.50 can be spent again.", (await _world.TypeAsync("budget", "forgive", "tenant", "--per", "month")).Out);
        await _world.TypeAsync("budget", "remove", "agent", "auditor", "--per", "day");
        await _world.TypeAsync("model", "cap", "20", "--per", "day");
        Assert.Equal(["budget Agent auditor Day 2500000000 ", "budget Tenant  Month 100000000000 acme", "forgive Tenant  Month", "remove budget Agent auditor Day", "budget Tenant  Day 20000000000 "], _world.Server.Calls);
    }

    [Theory]
    [InlineData("budget set agent --cap 1", "Say which agent")]
    [InlineData("budget set tenant x --cap 1", "has no name")]
    [InlineData("budget set tenant --cap much", "takes dollars")]
    [InlineData("budget set tenant --cap 0.0000000001", "takes dollars")]
    [InlineData("model cap much", "takes dollars")]
    [InlineData("budget set tenant --cap 1 --degrade-at 50", "--degrade-to")]
    [InlineData("price set p m --input 1 --output 2 --large-above 5", "together")]
    public async Task What_makes_no_sense_is_one_sentence(string line, string contains) => (await _world.TypeAsync(line.Split(' '))).IsSentence(Astra.Commands.ExitCodes.Usage, contains);

    [Fact]
    public async Task Usage_and_prices_are_tables_in_dollars()
    {
        Assert.Contains((await _world.TypeAsync("usage", "--by", "agent")).Lines, line => line.Contains("1,200") && line.Contains("$0.000045 and 1 calls without a price"));
        var one = await _world.TypeAsync("usage", "--request", "0196a3c2-0000-7000-8000-000000000001");
        Assert.Contains(one.Lines, line => line.Contains("openai/gpt-x") && line.Contains("cut, estimated") && line.Contains("$0.000045"));
        Assert.Contains(one.Lines, line => line.Contains("box/m") && line.Contains("completed") && line.Contains("no price"));
        Assert.Contains((await _world.TypeAsync("price", "list")).Lines, line => line.Contains("gpt-x") && line.Contains("$1.25") && line.Contains("$0.125") && line.Contains("built in"));
        await _world.TypeAsync("price", "set", "p", "m", "--input", "3", "--cached", "0.3", "--output", "15", "--large-above", "200000", "--large-input", "6", "--large-output", "22.5");
        Assert.Contains(_world.Server.Calls, call => call.StartsWith("price p/m ", StringComparison.Ordinal) && call.Contains("CachedInputNanos = 600000000", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_secret_is_read_from_standard_input_and_printed_nowhere()
    {
        _world.Input = "sk-planted\n";
        var said = await _world.TypeAsync("secret", "set", "openai-key");
        Assert.Equal("Secret openai-key is set.\n", said.Out);
        Assert.DoesNotContain("sk-planted", said.Out + said.Error);
        Assert.Contains("secret openai-key sk-planted", _world.Server.Calls);
        Assert.Contains((await _world.TypeAsync("secret", "list")).Lines, line => line.Contains("openai-key") && line.Contains("0123abcd"));
        _world.Input = "";
        (await _world.TypeAsync("secret", "set", "openai-key")).IsSentence(1, "There is no value");
        Assert.Contains("is removed", (await _world.TypeAsync("secret", "remove", "openai-key")).Out);
    }

    public void Dispose() => _world.Dispose();
}
