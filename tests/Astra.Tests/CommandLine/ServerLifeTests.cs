using System.Text.Json;
using Astra.Commands;
using Astra.Hosting;
using Xunit;

namespace Astra.Tests.CommandLine;

public sealed class ServerLifeTests : IDisposable
{
    private readonly CommandWorld _world = new();

    [Fact]
    public async Task A_command_starts_a_server_for_itself_and_stops_it()
    {
        Assert.Equal(0, (await _world.TypeAsync("goal", "list")).ExitCode);
        Assert.Equal(1, _world.Server.StartCount);
        Assert.False(_world.Server.IsRunning);
        Assert.Null(_world.DataDirectory.ReadServerFile());
        Assert.False(_world.DataDirectory.IsLocked());
    }

    [Fact]
    public async Task A_command_uses_the_server_that_runs()
    {
        var serve = await ServeAsync();
        await _world.TypeAsync("goal", "list");
        Assert.Equal(1, _world.Server.StartCount);
        Assert.True(_world.Server.IsRunning);
        Assert.Equal(0, (await _world.TypeAsync("down")).ExitCode);
        Assert.Equal(0, (await serve).ExitCode);
    }

    [Fact]
    public async Task Down_returns_when_the_server_is_gone()
    {
        var serve = await ServeAsync();
        Assert.Contains("Astra has stopped.", (await _world.TypeAsync("down")).Out);
        Assert.False(_world.DataDirectory.IsLocked());
        await serve;
        Assert.Contains("not running", (await _world.TypeAsync("down")).Out);
    }

    [Fact]
    public async Task A_second_server_on_the_same_data_is_refused()
    {
        var serve = await ServeAsync();
        (await _world.TypeAsync("serve", "--port", "8888")).IsSentence(1, "already runs");
        await _world.TypeAsync("down");
        await serve;
    }

    [Fact]
    public async Task Up_finds_the_server_that_runs()
    {
        var serve = await ServeAsync();
        var up = await _world.TypeAsync("up", "--wait");
        Assert.Equal(0, up.ExitCode);
        Assert.Contains("http://127.0.0.1:7777/", up.Out);
        Assert.Contains("./astra down", up.Out);
        await _world.TypeAsync("down");
        await serve;
    }

    [Fact]
    public async Task Up_passes_on_why_a_detached_server_did_not_start()
    {
        _world.Server.StartFailure = new CommandException("PostgreSQL is missing; type: brew install postgresql@17");
        _world.DataDirectory.Ensure();
        // The log is as fresh as one that a server wrote while we looked.
        var serve = await _world.TypeAsync("serve", "--detached");
        File.SetLastWriteTimeUtc(_world.DataDirectory.LogPath, DateTime.UtcNow.AddMinutes(1));
        Assert.Equal(1, serve.ExitCode);
        (await _world.TypeAsync("up", "--wait")).IsSentence(1, "The server did not start: PostgreSQL is missing");
    }

    [Fact]
    public async Task Not_running_is_an_answer_with_its_own_exit_code()
    {
        var status = await _world.TypeAsync("status");
        Assert.Equal(3, status.ExitCode);
        Assert.Contains("./astra up", status.Out);
        Assert.False(Directory.Exists(_world.Data), "status must not write");
        Assert.False(JsonElement.Parse((await _world.TypeAsync("status", "--json")).Out).GetProperty("running").GetBoolean());
    }

    [Fact]
    public async Task A_killed_servers_file_is_not_believed()
    {
        _world.DataDirectory.Ensure();
        _world.DataDirectory.WriteServerFile(new ServerFile(new Uri("http://127.0.0.1:7777/"), 4242, DateTimeOffset.UnixEpoch, null));
        Assert.Equal(3, (await _world.TypeAsync("status")).ExitCode);
        Assert.Equal(0, (await _world.TypeAsync("goal", "list")).ExitCode);
        Assert.Equal(1, _world.Server.StartCount);
    }

    [Fact]
    public async Task A_key_that_is_not_the_servers_is_said_with_what_to_do()
    {
        var serve = await ServeAsync();
        _world.Server.AcceptedKey = "another";
        (await _world.TypeAsync("goal", "list")).IsSentence(1, "does not accept the key");
        _world.Server.AcceptedKey = null;
        await _world.TypeAsync("down");
        await serve;
    }

    [Fact]
    public async Task A_server_with_another_database_does_not_answer_for_the_one_that_was_meant()
    {
        var serve = await ServeAsync();
        (await _world.TypeAsync("goal", "list", "--database", "postgres://elsewhere/astra")).IsSentence(1, "uses another database");
        await _world.TypeAsync("down");
        await serve;
    }

    [Fact]
    public async Task Ctrl_C_ends_serve_cleanly()
    {
        using var interrupt = new CancellationTokenSource();
        var serve = await ServeUntilAsync(interrupt.Token);
        await interrupt.CancelAsync();
        Assert.Equal(0, (await serve).ExitCode);
        Assert.Null(_world.DataDirectory.ReadServerFile());
    }

    [Fact]
    public async Task A_server_that_gives_itself_up_says_why_and_leaves_with_a_code_that_has_it_started_again()
    {
        var serve = await ServeAsync();
        _world.Server.GiveUp("This node has given itself up.");
        var said = await serve;
        Assert.Equal(ExitCodes.NodeFailed, said.ExitCode);
        Assert.EndsWith("astra: This node has given itself up.\n", said.Error);
        Assert.False(_world.Server.IsRunning);
        Assert.Null(_world.DataDirectory.ReadServerFile());
        Assert.False(_world.DataDirectory.IsLocked());
    }

    private Task<Task<Said>> ServeAsync() => ServeUntilAsync(CancellationToken.None);

    /// <returns>The command, still running, once others can find its server.</returns>
    private async Task<Task<Said>> ServeUntilAsync(CancellationToken interrupted)
    {
        var serve = Task.Run(() => _world.TypeAsync(interrupted, "serve"), TestContext.Current.CancellationToken);
        while (_world.DataDirectory.ReadServerFile() is null)
            await Task.Yield();
        return serve;
    }

    public void Dispose() => _world.Dispose();
}
