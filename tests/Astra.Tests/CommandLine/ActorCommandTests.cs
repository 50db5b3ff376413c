using System.Text.Json;
using Astra.Commands;
using Astra.Display;
using Astra.Sdk;
using Xunit;

namespace Astra.Tests.CommandLine;

/// <summary>`astra ps`, `top`, `restart` and `kill`.</summary>
public sealed class ActorCommandTests : IAsyncLifetime
{
    private readonly CommandWorld _world = new();
    private readonly CancellationTokenSource _down = new();
    private Task _serving = Task.CompletedTask;

    public async ValueTask InitializeAsync()
    {
        _serving = _world.TypeAsync(_down.Token, "serve");
        while (_world.DataDirectory.ReadServerFile() is null)
            await Task.Delay(5, TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await _down.CancelAsync();
        await _serving;
        _down.Dispose();
        _world.Dispose();
    }

    [Fact]
    public async Task Ps_draws_the_tree_and_sums_up_what_it_leaves_out()
    {
        _world.Server.Actors = FakeServer.NewActor("/") with
        {
            ChildCount = 2,
            Children =
            [
                FakeServer.NewActor("/scheduler") with { MailboxDepth = 12, Processed = 34_567, Restarts = 2, LastFailure = "TimeoutException: [no] answer", MessageAgeSeconds = 1.25 },
                FakeServer.NewActor("/shards") with { ChildCount = 4096, Children = [FakeServer.NewActor("/shards/shard-0")], Unlisted = new ActorTotalsView(4_095, 1, 8, 90_000, 3) },
            ],
        };
        var said = await _world.TypeAsync("ps");
        Assert.Equal(0, said.ExitCode);
        Assert.Contains(said.Lines, line => line.Contains("├─ scheduler") && line.Contains("12/1,024") && line.Contains("34,567") && line.Contains("1.3 s") && line.Contains("[no] answer"));
        Assert.Contains(said.Lines, line => line.Contains("│  ├─ shard-0") || line.Contains("   ├─ shard-0"));
        Assert.Contains(said.Lines, line => line.Contains("└─ … and 4,095 more") && line.Contains("1 not running") && line.Contains("90,000"));
        Assert.Contains("actors / 2 20 ", _world.Server.Calls);
    }

    [Fact]
    public async Task Ps_asks_for_what_it_is_told_to()
    {
        var said = await _world.TypeAsync("ps", "/shards", "--depth", "3", "--limit", "7", "--node", "node-2", "--json");
        Assert.Equal("node-2", JsonElement.Parse(said.Out).GetProperty("nodeId").GetString());
        Assert.Contains("actors /shards 3 7 node-2", _world.Server.Calls);
        await _world.TypeAsync("ps", "--all");
        Assert.Contains("actors / 64 1000 ", _world.Server.Calls);
    }

    [Fact]
    public async Task Restart_and_kill_say_what_they_did_or_why_not()
    {
        Assert.Equal("/shards/shard-3 is being restarted.\n", (await _world.TypeAsync("restart", "/shards/shard-3")).Out);
        Assert.Equal("/agents/ada is being stopped.\n", (await _world.TypeAsync("kill", "/agents/ada")).Out);
        Assert.Equal("/agents/ada", JsonElement.Parse((await _world.TypeAsync("kill", "/agents/ada", "--json")).Out).GetProperty("path").GetString());
        (await _world.TypeAsync("kill", "/scheduler")).IsSentence(1, "/scheduler cannot be stopped");
        Assert.Contains("restart /shards/shard-3 ", _world.Server.Calls);
    }

    [Fact]
    public async Task Top_without_a_terminal_prints_one_snapshot()
    {
        var said = await _world.TypeAsync("top", "--interval", "0.1");
        Assert.Equal(0, said.ExitCode);
        Assert.Contains(said.Lines, line => line.Contains("1,234 ready") && line.Contains("8 running"));
        Assert.Contains(said.Lines, line => line.Contains("10.0 submitted") && line.Contains("10.0 started") && line.Contains("10.0 completed") && line.Contains("10.0 failed"));
        Assert.Contains(said.Lines, line => line.Contains("10.0/s, 4.0 entries and 2.0 ms each"));
        Assert.Contains(said.Lines, line => line.Contains("5 in the last hour"));
        Assert.Contains(said.Lines, line => line.Contains("/scheduler") && line.Contains("50.0"));
        Assert.Contains(said.Lines, line => line.Contains("all others"));
        Assert.DoesNotContain('\u001b', said.Out);
        Assert.Equal(2, _world.Server.VitalsAsked);
    }

    [Fact]
    public async Task Top_prints_one_json_line_per_interval_until_it_is_interrupted()
    {
        using var interrupt = new CancellationTokenSource();
        _world.Server.Vitals = asked =>
        {
            if (asked == 3)
                interrupt.Cancel();
            return FakeServer.NewVitals(asked);
        };
        var said = await _world.TypeAsync(interrupt.Token, "top", "--json", "--interval", "0.1");
        Assert.Equal(0, said.ExitCode);
        Assert.Equal(3, said.Lines.Length);
        foreach (var line in said.Lines)
        {
            var picture = JsonElement.Parse(line);
            Assert.Equal(10, picture.GetProperty("rates").GetProperty("completed").GetDouble());
            Assert.Equal(1_234, picture.GetProperty("now").GetProperty("tasksReady").GetInt32());
        }
        Assert.Single((await _world.TypeAsync("top", "--json", "--once", "--interval", "0.1")).Lines);
    }

    [Fact]
    public async Task Top_redraws_a_terminal_until_q_and_leaves_it_as_it_was()
    {
        _world.IsLive = true;
        _world.PressedKey = () => _world.Server.VitalsAsked >= 3 ? 'q' : null;
        var said = await _world.TypeAsync("top", "--interval", "0.1");
        Assert.Equal(0, said.ExitCode);
        Assert.StartsWith(LiveScreen.Enter, said.Out, StringComparison.Ordinal);
        Assert.EndsWith(LiveScreen.Leave, said.Out, StringComparison.Ordinal);
        Assert.Contains("1,234 ready", said.Out);
    }

    [Fact]
    public async Task Top_leaves_the_terminal_as_it_was_when_interrupted_and_when_the_server_goes()
    {
        _world.IsLive = true;
        using var interrupt = new CancellationTokenSource();
        _world.Server.Vitals = asked =>
        {
            if (asked == 1)
                interrupt.Cancel();
            return FakeServer.NewVitals(asked);
        };
        Assert.EndsWith(LiveScreen.Leave, (await _world.TypeAsync(interrupt.Token, "top", "--interval", "0.1")).Out, StringComparison.Ordinal);

        _world.Server.Vitals = _ => throw new AstraException(0, "No answer", "No server answers.");
        var gone = await _world.TypeAsync("top", "--interval", "0.1");
        Assert.Equal(1, gone.ExitCode);
        Assert.EndsWith(LiveScreen.Leave, gone.Out, StringComparison.Ordinal);
        Assert.Contains("No server answers.", gone.Error);
    }

    [Fact]
    public async Task A_server_that_was_restarted_in_between_has_no_rates_yet()
    {
        _world.Server.Vitals = asked => FakeServer.NewVitals(asked == 0 ? 50 : 1) with { StartedAt = DateTimeOffset.UnixEpoch.AddDays(asked) };
        Assert.Contains("not known yet", (await _world.TypeAsync("top", "--interval", "0.1")).Out);
    }

    [Theory]
    [InlineData("top", "--interval", "0")]
    [InlineData("ps", "--depth", "65")]
    [InlineData("ps", "--limit", "-1")]
    public async Task A_number_out_of_range_is_a_sentence(params string[] command) => (await _world.TypeAsync(command)).IsSentence(ExitCodes.Usage, "takes a number from");

    [Fact]
    public async Task Without_a_server_they_say_how_to_start_one_and_start_none()
    {
        using var quiet = new CommandWorld();
        foreach (var command in new[] { "ps", "top", "restart /shards", "kill /agents/ada" })
            (await quiet.TypeAsync(command.Split(' '))).IsSentence(ExitCodes.NotRunning, "is not running");
        Assert.Equal(0, quiet.Server.StartCount);
    }
}
