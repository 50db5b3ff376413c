using Astra.Sdk;

namespace Astra.Tests.CommandLine;

public sealed class ProfileCommandTests : IDisposable
{
    private readonly CommandWorld _world = new();

    [Fact]
    public async Task A_profile_is_added_from_its_file_and_shown_with_what_it_may_do()
    {
        var file = _world.NewFile("writer.yaml", "");
        _world.ReadProfile = path => new ProfileReading(
            path == file ? new AgentProfile { Name = "writer", Prompt = "You write.\nBriefly.", Tools = ["shell"], Documents = [new("style", "x")], Limits = new() { Dollars = 0.5m } } : null, "another file");
        var added = await _world.TypeAsync("agent", "add", file);
        Assert.Equal(0, added.ExitCode);
        Assert.Contains("Agent writer is there", added.Out, StringComparison.Ordinal);
        Assert.Contains("No model is configured yet", added.Error, StringComparison.Ordinal);
        var shown = await _world.TypeAsync("agent", "show", "writer");
        Assert.All((string[])["You write.", "Briefly.", "shell", "style", "20 questions, 200000 tokens, $0.5"], words => Assert.Contains(words, shown.Out, StringComparison.Ordinal));
        Assert.Contains("\"prompt\"", (await _world.TypeAsync("agent", "add", file, "--json")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_profile_that_cannot_be_read_is_one_sentence()
    {
        _world.ReadProfile = path => new ProfileReading(null, $"{path}: Line 3: A profile has no 'colour'.");
        (await _world.TypeAsync("agent", "add", _world.NewFile("bad.yaml", ""))).IsSentence(1, "Line 3: A profile has no 'colour'.");
        (await _world.TypeAsync("agent", "add", "/no/such/file.yaml")).IsSentence(1, "There is no file /no/such/file.yaml");
    }

    public void Dispose() => _world.Dispose();
}
