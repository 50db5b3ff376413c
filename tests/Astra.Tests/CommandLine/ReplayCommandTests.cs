namespace Astra.Tests.CommandLine;

/// <summary>`astra replay` and `astra goal fork`.</summary>
public sealed class ReplayCommandTests : IDisposable
{
    private readonly CommandWorld _world = new();

    [Fact]
    public async Task A_replay_that_is_the_same_is_done_and_one_that_differs_is_an_error_that_says_where()
    {
        var id = Guid.NewGuid();
        var same = await _world.TypeAsync("replay", id.ToString(), "--offline");
        Assert.Equal(Astra.Commands.ExitCodes.Ok, same.ExitCode);
        Assert.Contains(new string('a', 64), same.Out, StringComparison.Ordinal);
        _world.Server.ReplaysAreSame = false;
        var other = await _world.TypeAsync("replay", id.ToString(), "--offline");
        Assert.Equal(Astra.Commands.ExitCodes.Error, other.ExitCode);
        Assert.Contains("Step draft: it failed now", other.Error, StringComparison.Ordinal);
        Assert.Contains("\"isSame\"", (await _world.TypeAsync("replay", id.ToString(), "--offline", "--json")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_fork_names_the_step_it_begins_at()
    {
        var id = Guid.NewGuid();
        Assert.Contains("from draft on", (await _world.TypeAsync("goal", "fork", id.ToString(), "--at", "draft")).Out, StringComparison.Ordinal);
        Assert.Equal([$"fork {id} at draft"], _world.Server.Calls);
    }

    [Fact]
    public async Task A_replay_that_is_not_said_to_be_offline_is_none() =>
        (await _world.TypeAsync("replay", Guid.NewGuid().ToString())).IsSentence(Astra.Commands.ExitCodes.Usage, "--offline");

    public void Dispose() => _world.Dispose();
}
