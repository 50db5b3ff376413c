using Astra.Hosting;
using Astra.Sdk;
using Xunit;

namespace Astra.Tests.CommandLine;

public sealed class BadInputTests : IDisposable
{
    private readonly CommandWorld _world = new();

    [Theory]
    [InlineData("'shwo'", "goal", "shwo")]
    [InlineData("not-an-id' is not an id", "why", "not-an-id")]
    [InlineData("--fail-on takes", "run", "audit", ".", "--fail-on", "grave")]
    [InlineData("--fail-on takes", "run", "audit", ".", "--fail-on", "3")]
    [InlineData("--port takes a number", "serve", "--port", "70000")]
    [InlineData("--listen takes an IP address", "serve", "--listen", "example")]
    [InlineData("'planet' is not one of tenant, agent, tool, queue", "limit", "set", "planet", "--concurrency", "1")]
    [InlineData("--concurrency takes a number of 0 or more, not 'many'", "limit", "set", "queue", "emails", "--concurrency", "many")]
    [InlineData("--per-minute takes a number of 1 or more, not '0'", "limit", "set", "queue", "emails", "--per-minute", "0")]
    [InlineData("A limit says how many run at once", "limit", "set", "queue", "emails")]
    [InlineData("Say which queue", "limit", "set", "queue", "--concurrency", "1")]
    [InlineData("A tenant's limit has no name", "limit", "remove", "tenant", "acme")]
    [InlineData("'never' is not one of skip, once, all", "schedule", "create", "x", "--when", "every 5m", "--misfire", "never", "--agent", "a")]
    [InlineData("either the goal of an --agent or a --plan file", "schedule", "create", "x", "--when", "every 5m")]
    [InlineData("'--when' is required", "schedule", "create", "x", "--agent", "a")]
    [InlineData("WEIGHT takes a number from 1 to 10000, not '0'", "agent", "weight", "auditor", "0")]
    [InlineData("cannot be an agent's name", "agent", "pause", "Not A Name")]
    [InlineData("--limit takes a number", "goal", "list", "--limit", "0")]
    [InlineData("--reason", "dead", "discard", "01990000-0000-7000-8000-000000000000")]
    public async Task A_wrong_command_line_is_one_sentence_and_exit_code_64(string contains, params string[] args)
    {
        (await _world.TypeAsync(args)).IsSentence(64, contains);
        Assert.Equal(0, _world.Server.StartCount);
    }

    [Fact]
    public async Task A_path_that_is_not_there_starts_nothing()
    {
        (await _world.TypeAsync("run", "audit", "/no/such/place")).IsSentence(1, "There is no directory /no/such/place");
        Assert.False(Directory.Exists(_world.Data));
    }

    [Fact]
    public async Task A_file_is_not_audited_as_a_directory() =>
        (await _world.TypeAsync("run", "audit", _world.NewFile("a.txt", ""))).IsSentence(1, "is a file; give the directory");

    [Fact]
    public async Task An_unreadable_directory_is_named()
    {
        Assert.SkipWhen(Environment.IsPrivilegedProcess, "Root may read everything.");
        var closed = _world.NewDirectory("closed");
        File.SetUnixFileMode(closed, UnixFileMode.None);
        (await _world.TypeAsync("run", "audit", closed)).IsSentence(1, "cannot be read by this user");
    }

    [Fact]
    public async Task What_is_wrong_with_a_plan_is_said_before_anything_starts()
    {
        _world.ReadPlan = path => new PlanReading(null, $"{path}, line 7: step `b` waits for itself through `a`; break the cycle.");
        (await _world.TypeAsync("run", _world.NewFile("plan.yaml", ""))).IsSentence(1, "line 7: step `b` waits for itself");
        Assert.Equal(0, _world.Server.StartCount);
    }

    [Fact]
    public async Task Bad_JSON_is_located()
    {
        (await _world.TypeAsync("run", "agent", "greeter", "--input", "{\n\"a\": ]")).IsSentence(1, "--input is not JSON: line 2, column 6");
        Assert.Equal(0, _world.Server.StartCount);
    }

    [Fact]
    public async Task A_message_or_a_name_that_is_none_is_refused_before_anything_starts()
    {
        (await _world.TypeAsync("send", "visits", "{\"add\":")).IsSentence(1, "the message is not JSON: line 1");
        (await _world.TypeAsync("send", "Visits", "{}")).IsSentence(64, "cannot be an agent's name");
        (await _world.TypeAsync("agent", "create", "a b")).IsSentence(64, "cannot be an agent's name");
        Assert.Equal(0, _world.Server.StartCount);
    }

    [Fact]
    public async Task An_edit_that_is_none_is_counted()
    {
        var edits = """[{"op":"cancel","name":"a"},{"op":"explode"}]""";
        (await _world.TypeAsync("plan", "edit", Guid.Empty.ToString(), "--edits", edits)).IsSentence(1, "Edit 2 is not one of");
    }

    [Fact]
    public async Task The_servers_refusal_is_passed_on_in_its_own_words() =>
        Assert.Contains("There is no goal", (await _world.TypeAsync("goal", "show", Guid.Empty.ToString())).Error);

    [Fact]
    public async Task A_data_directory_that_is_a_file_is_named()
    {
        var file = _world.NewFile("file", "");
        (await _world.TypeAsync("goal", "list", "--data", file)).IsSentence(1, "cannot be written to; choose another with --data");
    }

    [Fact]
    public async Task A_port_in_use_is_named_with_what_to_do()
    {
        _world.Server.StartFailure = new IOException("Failed to bind", new System.Net.Sockets.SocketException((int)System.Net.Sockets.SocketError.AddressAlreadyInUse));
        (await _world.TypeAsync("serve")).IsSentence(1, "The port is in use");
    }

    [Fact]
    public async Task A_full_disk_is_named_with_what_to_do()
    {
        _world.Server.StartFailure = new IOException("No space left on device", 28);
        (await _world.TypeAsync("goal", "list")).IsSentence(1, "The disk is full");
    }

    [Fact]
    public async Task A_server_that_cannot_start_leaves_nothing_behind_that_looks_like_one()
    {
        _world.Server.StartFailure = new CommandException("The data directory was made by PostgreSQL 14; run pg_upgrade, or choose another with --data.");
        (await _world.TypeAsync("goal", "list")).IsSentence(1, "made by PostgreSQL 14");
        Assert.Null(_world.DataDirectory.ReadServerFile());
        Assert.False(_world.DataDirectory.IsLocked());
    }

    [Fact]
    public async Task Only_verbose_shows_where_an_error_came_from()
    {
        _world.Server.StartFailure = new InvalidOperationException("boom");
        (await _world.TypeAsync("goal", "list")).IsSentence(1, "Unexpected: boom");
        Assert.Contains("   at ", (await _world.TypeAsync("goal", "list", "--verbose")).Error);
    }

    [Fact]
    public async Task When_the_server_says_how_long_to_wait_so_do_we()
    {
        _world.Server.StartFailure = new AstraException(429, "Too Many Requests", "The queue is full.", TimeSpan.FromSeconds(4.2));
        (await _world.TypeAsync("goal", "list")).IsSentence(1, "The queue is full. Try again in 5 s.");
    }

    public void Dispose() => _world.Dispose();
}
