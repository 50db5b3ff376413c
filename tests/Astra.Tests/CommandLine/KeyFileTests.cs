using Astra.Commands;
using Astra.Governance;
using Xunit;

namespace Astra.Tests.CommandLine;

/// <summary>`--key-file`: whom a command acts as.</summary>
public sealed class KeyFileTests : IDisposable
{
    private readonly CommandWorld _world = new();
    private readonly string _key = ApiKeys.NewSecret();

    [Fact]
    public async Task A_command_acts_with_the_key_that_it_is_given_on_a_server_that_runs()
    {
        await ServeAsync(async () =>
        {
            _world.Server.AcceptedKey = _key;
            (await _world.TypeAsync("goal", "list")).IsSentence(ExitCodes.Error, $"does not accept the key in {_world.Data}/admin.key");
            Assert.Equal(0, (await _world.TypeAsync("goal", "list", "--key-file", _world.NewFile("ada.key", _key + "\r\n"))).ExitCode);
            Assert.Equal(1, _world.Server.StartCount);
        });
    }

    [Fact]
    public async Task A_command_acts_with_the_key_that_it_is_given_on_a_server_of_its_own()
    {
        _world.Server.AcceptedKey = _key;
        Assert.Equal(0, (await _world.TypeAsync("--key-file", _world.NewFile("ada.key", _key), "goal", "list")).ExitCode);
        Assert.Equal(1, _world.Server.StartCount);
        Assert.False(_world.Server.IsRunning);
    }

    [Fact]
    public async Task A_key_that_the_server_does_not_know_is_named_by_its_file()
    {
        _world.Server.AcceptedKey = "another";
        var file = _world.NewFile("ada.key", _key);
        var sentence = $"The server on {_world.Data} does not accept the key in {file}: This key is not known here.";
        (await _world.TypeAsync("goal", "list", "--key-file", file)).IsSentence(ExitCodes.Error, sentence);
        Assert.False(_world.Server.IsRunning);
        Assert.False(_world.DataDirectory.IsLocked());
        _world.Server.AcceptedKey = null;
        await ServeAsync(async () =>
        {
            _world.Server.AcceptedKey = "another";
            (await _world.TypeAsync("goal", "list", "--key-file", file)).IsSentence(ExitCodes.Error, sentence);
        });
    }

    [Fact]
    public async Task A_file_that_holds_no_key_is_one_sentence_and_starts_nothing()
    {
        (await _world.TypeAsync("goal", "list", "--key-file", "/no/such/key")).IsSentence(ExitCodes.Error, "There is no file /no/such/key");
        (await _world.TypeAsync("goal", "list", "--key-file", _world.NewDirectory("keys"))).IsSentence(ExitCodes.Error, "is a directory; --key-file takes a file with an API key");
        (await _world.TypeAsync("goal", "list", "--key-file", "")).IsSentence(ExitCodes.Usage, "--key-file names no file");
        foreach (var content in (string[])["", "\n", "sk-of-somebody-else", $"{_key}\n{_key}", $"{_key} ada"])
            (await _world.TypeAsync("goal", "list", "--key-file", _world.NewFile("ada.key", content))).IsSentence(ExitCodes.Error, "ada.key holds no API key");
        Assert.Equal(0, _world.Server.StartCount);
        Assert.False(Directory.Exists(_world.Data));
    }

    [Fact]
    public async Task What_can_be_pasted_next_acts_with_the_same_key()
    {
        var file = _world.NewFile("ada's.key", _key);
        var said = await _world.TypeAsync("--key-file", file, "goal", "submit", "--agent", "greeter");
        Assert.EndsWith($" --key-file {SharedOptions.Quoted(file)}", said.Lines[^1]);
    }

    [Fact]
    public async Task The_keys_that_some_verbs_take_are_others()
    {
        Assert.Equal(0, (await _world.TypeAsync("goal", "submit", "--agent", "greeter", "--key", "k1")).ExitCode);
        _world.Server.AcceptedKey = _key;
        Assert.Equal(0, (await _world.TypeAsync("goal", "submit", "--agent", "greeter", "--key", "k2", "--key-file", _world.NewFile("ada.key", _key))).ExitCode);
        Assert.Equal(["k1", "k2"], _world.Server.IdempotencyKeys);
        Assert.Equal(0, (await _world.TypeAsync("--key-file", _world.NewFile("ada.key", _key), "model", "add", "openai", "--url", "https://example.org/v1", "--model", "m", "--key", "openai-key")).ExitCode);
    }

    private async Task ServeAsync(Func<Task> meanwhile)
    {
        using var interrupt = new CancellationTokenSource();
        var serve = Task.Run(() => _world.TypeAsync(interrupt.Token, "serve"), TestContext.Current.CancellationToken);
        while (_world.DataDirectory.ReadServerFile() is null)
            await Task.Yield();
        await meanwhile();
        await interrupt.CancelAsync();
        await serve;
    }

    public void Dispose() => _world.Dispose();
}
