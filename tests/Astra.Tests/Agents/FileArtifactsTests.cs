using Astra.Agents;
using Astra.Kernel;
using Astra.Sdk;

namespace Astra.Tests.Agents;

public sealed class FileArtifactsTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("astra-artifacts-").FullName;
    private readonly IArtifactStore _store;
    private readonly Guid _goal = Guid.NewGuid();

    public FileArtifactsTests() => _store = new FileArtifacts(_directory).For(new TenantId(Guid.NewGuid()));

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("report.md")]
    [InlineData("a/b/c.json")]
    [InlineData(".hidden")]
    [InlineData("with space & ünïcode\n")]
    [InlineData("..dots")]
    [InlineData("a\\..\\b")]
    [InlineData("c:nul")]
    public async Task What_was_saved_is_read_back_and_stays_inside(string name)
    {
        var path = await _store.SaveAsync(_goal, name, "one"u8.ToArray(), Ct);
        await _store.SaveAsync(_goal, name, "two"u8.ToArray(), Ct);
        Assert.StartsWith(Path.Combine(_directory, "artifacts", _goal.ToString()) + "/", Path.GetFullPath(path), StringComparison.Ordinal);
        Assert.Equal("two"u8.ToArray(), (await _store.ReadAsync(_goal, name, Ct))!.Value.ToArray());
        Assert.Single(Directory.GetFiles(_directory, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.None }));
    }

    [Theory]
    [InlineData("")]
    [InlineData("..")]
    [InlineData("../x")]
    [InlineData("a/../../x")]
    [InlineData("/etc/passwd")]
    [InlineData("a//b")]
    [InlineData("a/")]
    public async Task A_name_that_leads_elsewhere_is_refused(string name)
    {
        await Assert.ThrowsAsync<ArgumentException>(async () => await _store.SaveAsync(_goal, name, default, Ct));
        await Assert.ThrowsAsync<ArgumentException>(async () => await _store.ReadAsync(_goal, name, Ct));
        await Assert.ThrowsAsync<ArgumentException>(async () => await _store.SaveNoteAsync(name, "k", default, Ct));
        await Assert.ThrowsAsync<ArgumentException>(async () => await _store.ReadNoteAsync("c", name, Ct));
    }

    [Fact]
    public async Task Different_names_are_different_files()
    {
        string[] names = ["a b", "a%20b", "a_b", "A b", new string('x', 300), new string('x', 299) + "y", "é", "e\u0301"];
        foreach (var name in names)
            await _store.SaveNoteAsync("c", name, System.Text.Encoding.UTF8.GetBytes(name), Ct);
        foreach (var name in names)
            Assert.Equal(name, System.Text.Encoding.UTF8.GetString((await _store.ReadNoteAsync("c", name, Ct))!.Value.Span));
    }

    [Fact]
    public async Task A_note_is_the_tenants_own()
    {
        await _store.SaveNoteAsync("c", "k", "x"u8.ToArray(), Ct);
        Assert.Null(await new FileArtifacts(_directory).For(new TenantId(Guid.NewGuid())).ReadNoteAsync("c", "k", Ct));
    }

    [Fact]
    public async Task What_is_too_large_is_refused() =>
        await Assert.ThrowsAsync<ArgumentException>(async () => await _store.SaveAsync(_goal, "big", new byte[FileArtifacts.ContentBytesMax + 1], Ct));

    public void Dispose() => Directory.Delete(_directory, recursive: true);
}
