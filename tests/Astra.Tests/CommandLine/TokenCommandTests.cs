using System.Text.Json;
using Astra.Commands;
using Astra.Sdk;
using Xunit;

namespace Astra.Tests.CommandLine;

/// <summary>`astra token`.</summary>
public sealed class TokenCommandTests : IDisposable
{
    private readonly CommandWorld _world = new();

    private string Secret => _world.Server.NewSecret;

    [Fact]
    public async Task A_key_is_printed_alone_where_it_is_made_and_nowhere_else()
    {
        var made = await _world.TypeAsync("token", "create", "ada", "--role", "orgAdmin");
        Assert.Equal(Secret + "\n", made.Out);
        Assert.Contains("only time that the key ada (orgAdmin) is shown", made.Error);
        Assert.DoesNotContain(Secret, made.Error);
        Assert.Equal(["key ada OrgAdmin"], _world.Server.Calls);
        Assert.DoesNotContain(Secret, (await _world.TypeAsync("token", "list")).Out);
        Assert.Equal(Secret, JsonElement.Parse((await _world.TypeAsync("token", "create", "ci", "--json")).Out).GetProperty("secret").GetString());
        Assert.Equal("key ci Member", _world.Server.Calls[^1]);
    }

    [Fact]
    public async Task A_key_in_a_file_is_its_owners_alone_and_not_printed()
    {
        var file = Path.Combine(_world.NewDirectory("keys"), "ada.key");
        var made = await _world.TypeAsync("token", "create", "ada", "--out", file);
        Assert.Contains($"The key ada (member) is in {file}", made.Out);
        Assert.DoesNotContain(Secret, made.Out + made.Error);
        Assert.Equal(Secret + "\n", await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));

        var json = await _world.TypeAsync("token", "create", "bob", "--out", Path.Combine(_world.NewDirectory("keys"), "bob.key"), "--json");
        Assert.Equal("bob", JsonElement.Parse(json.Out).GetProperty("key").GetProperty("name").GetString());
        Assert.DoesNotContain(Secret, json.Out);
    }

    [Fact]
    public async Task A_file_that_is_there_is_never_written_over_and_no_key_is_made_for_it()
    {
        var file = _world.NewFile("ada.key", "precious");
        (await _world.TypeAsync("token", "create", "ada", "--out", file)).IsSentence(ExitCodes.Error, $"There is {file} already");
        Assert.Equal("precious", await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken));
        (await _world.TypeAsync("token", "create", "ada", "--out", "/no/such/place/ada.key")).IsSentence(ExitCodes.Error, "/no/such/place/ada.key cannot be written");
        (await _world.TypeAsync("token", "create", "ada", "--out", "")).IsSentence(ExitCodes.Usage, "--out names no file");
        Assert.Empty(_world.Server.Calls);
    }

    [Fact]
    public async Task A_key_that_is_refused_leaves_no_file()
    {
        var file = Path.Combine(_world.NewDirectory("keys"), "ada.key");
        _world.Server.KeyFailure = new AstraException(403, "Forbidden", "This takes a key with the role orgAdmin.");
        (await _world.TypeAsync("token", "create", "ada", "--out", file)).IsSentence(ExitCodes.Error, "This takes a key with the role orgAdmin.");
        Assert.False(File.Exists(file));
    }

    [Fact]
    public async Task Keys_are_listed_with_their_roles_and_when_they_were_revoked()
    {
        Assert.Equal("No keys.\n", (await _world.TypeAsync("token", "list")).Out);
        await _world.TypeAsync("token", "create", "watch", "--role", "platform-admin");
        var key = JsonElement.Parse((await _world.TypeAsync("token", "list", "--json")).Out)[0].GetProperty("id").GetString()!;
        Assert.Equal($"Key {key} is revoked.\n", (await _world.TypeAsync("token", "revoke", key)).Out);
        Assert.Contains((await _world.TypeAsync("token", "list")).Lines, line => line.Contains(key) && line.Contains("watch") && line.Contains("platformAdmin") && line.Contains("1970-01-02"));
        Assert.Equal(key, JsonElement.Parse((await _world.TypeAsync("token", "revoke", key, "--json")).Out).GetProperty("revoked").GetString());
        (await _world.TypeAsync("token", "revoke", Guid.Empty.ToString())).IsSentence(ExitCodes.Error, "There is no key");
    }

    [Theory]
    [InlineData("token create ada --role boss", "'boss' is not one of platform-admin, org-admin, member")]
    [InlineData("token create", "Required argument missing")]
    [InlineData("token revoke ada", "'ada' is not an id")]
    public async Task What_makes_no_sense_is_one_sentence(string line, string contains) => (await _world.TypeAsync(line.Split(' '))).IsSentence(ExitCodes.Usage, contains);

    public void Dispose() => _world.Dispose();
}
