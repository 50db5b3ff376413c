using System.Text;
using Astra.Kernel;
using Astra.Sdk;
using Astra.Tests.Api;
using Astra.Tools.Catalog;
using Astra.Tools.Sandboxes;

namespace Astra.Tests.Agents;

public sealed class ToolGateTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("astra-gate-").FullName;
    private readonly FakeSandbox _sandbox = new();
    private ToolGrants _grants = new() { Tools = ["*"] };

    [Fact]
    public async Task An_unknown_tool_is_refused() => await RefusedAsync(new ToolCall("nothing", null), "no tool 'nothing'");

    [Fact]
    public async Task A_tool_that_was_not_granted_is_refused_and_a_grant_that_is_taken_back_is_gone_at_once()
    {
        await CallAsync(new ToolCall("json", new { }));
        _grants = new ToolGrants { Tools = ["shell"] };
        await RefusedAsync(new ToolCall("json", new { }), "may not use");
        await CallAsync(new ToolCall("shell@1", new { command = "x" }));
    }

    [Fact]
    public async Task Input_that_is_not_of_the_schema_is_refused() =>
        await RefusedAsync(new ToolCall("shell", new { comand = "x" }), "command");

    [Fact]
    public async Task A_tool_that_needs_a_person_is_called_with_exactly_what_was_approved()
    {
        var call = new ToolCall("deploy", new { version = 3, where = "here" });
        await RefusedAsync(call, "nobody has approved this one");
        var approved = new ApprovedCall("deploy@1", AstraJson.ToElement(new { where = "here", version = 3 }));
        await Gate(approved: approved).CallAsync(call, CancellationToken.None);
        await RefusedAsync(call with { Input = new { version = 4, where = "here" } }, "nobody has approved this one", Gate(approved: approved));
        await RefusedAsync(call, "nobody has approved this one", Gate(approved: approved with { Tool = "json" }));
        _grants = ToolGrants.None;
        await RefusedAsync(call, "may not use", Gate(approved: approved));
        Assert.Single(_sandbox.Runs);
    }

    [Fact]
    public async Task A_machine_without_a_sandbox_refuses_with_the_remedy()
    {
        var gate = Gate(() => throw new SandboxUnavailableException("No sandbox. Remedy: apt install bubblewrap"));
        var refused = await Assert.ThrowsAsync<ToolRefusedException>(async () => await gate.CallAsync(new ToolCall("json", null), CancellationToken.None));
        Assert.Contains("apt install bubblewrap", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_call_reads_what_was_granted_and_nothing_else()
    {
        var granted = Directory.CreateDirectory(Path.Combine(_root, "granted")).FullName;
        var secret = Directory.CreateDirectory(Path.Combine(_root, "secret")).FullName;
        File.WriteAllText(Path.Combine(secret, "key"), "x");
        File.CreateSymbolicLink(Path.Combine(granted, "link"), Path.Combine(secret, "key"));
        File.CreateSymbolicLink(Path.Combine(granted, "loop"), Path.Combine(granted, "loop"));
        _grants = new ToolGrants { Tools = ["*"], ReadableRoots = [granted] };
        await CallAsync(Reading(granted));
        Assert.Equal(granted, _sandbox.Runs[^1].Mounts.Single().HostPath);
        await RefusedAsync(Reading(secret), "outside");
        await RefusedAsync(Reading(Path.Combine(granted, "..", "secret")), "outside");
        await RefusedAsync(Reading($"{granted}-not"), "outside");
        await RefusedAsync(Reading(Path.Combine(granted, "link")), "outside");
        await RefusedAsync(Reading(Path.Combine(granted, "loop")), "no ");
        await RefusedAsync(Reading(Path.Combine(granted, "missing")), "no ");
        await RefusedAsync(Reading("granted"), "absolute");
        await RefusedAsync(Reading(_root), "outside");
        await RefusedAsync(new ToolCall("shell", new { command = "x", reads = new[] { secret } }), "outside");
    }

    [Fact]
    public async Task The_servers_own_data_is_never_mounted_whatever_was_granted()
    {
        var data = Directory.CreateDirectory(Path.Combine(_root, "data")).FullName;
        File.WriteAllText(Path.Combine(data, "admin.key"), "x");
        _grants = new ToolGrants { Tools = ["*"], ReadableRoots = ["/"] };
        var gate = Gate(options: new ToolGateOptions { NeverReadable = [data] });
        foreach (var path in new[] { data, Path.Combine(data, "admin.key"), _root, "/" })
            await RefusedAsync(Reading(path), "own data", gate);
    }

    [Fact]
    public async Task The_servers_own_binary_comes_with_what_it_needs()
    {
        var gate = Gate(options: new ToolGateOptions
        {
            Astra = new AstraProgram(["/runtime/dotnet", "/app/astra.dll"], [new ReadOnlyMount("/opt", "/runtime")], new Dictionary<string, string> { ["DOTNET_ROOT"] = "/runtime" }),
        });
        await gate.CallAsync(new ToolCall("own", null), CancellationToken.None);
        var run = Assert.Single(_sandbox.Runs);
        Assert.Equal("/runtime/dotnet", run.Program);
        Assert.Equal(["/app/astra.dll", "verb"], run.Arguments);
        Assert.Equal("/runtime", run.Environment["DOTNET_ROOT"]);
        await RefusedAsync(new ToolCall("own", null), "own binary");
    }

    [Fact]
    public async Task A_call_may_shorten_the_time_and_never_lengthen_it()
    {
        await CallAsync(new ToolCall("json", null) { Deadline = TimeSpan.FromSeconds(1) });
        await CallAsync(new ToolCall("json", null) { Deadline = TimeSpan.FromHours(1) });
        Assert.Equal([TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30)], _sandbox.Runs.Select(run => run.Limits.Wall));
    }

    [Fact]
    public async Task The_receipt_keeps_apart_what_was_seen_and_what_nobody_looked_at()
    {
        _sandbox.Answer = _ => FakeSandbox.Result("""{"a":1}""");
        var result = await CallAsync(new ToolCall("json", new { x = 1 }));
        Assert.Equal(1, result.Output.GetProperty("a").GetInt32());
        Assert.Equal("""{"x":1}""", Encoding.UTF8.GetString(_sandbox.Runs[^1].Input.Span));
        Assert.Equal(("json@2", "fake", 0, 3.0), (result.Receipt.Tool, result.Receipt.SandboxTier, result.Receipt.ExitCode, result.Receipt.CpuMs));
        Assert.Null(result.Receipt.MemoryPeakBytes);
        Assert.Equal(["/tmp/a"], result.Receipt.FilesWritten!);
        Assert.Null(result.Receipt.HostsTried);
    }

    [Fact]
    public async Task A_tool_that_fails_says_how_and_keeps_its_receipt()
    {
        await FailedAsync(_ => FakeSandbox.Result("", 2, "some\nlast words\n"), "exited with 2: last words");
        await FailedAsync(_ => FakeSandbox.Result("not json"), "JSON");
        await FailedAsync(_ => FakeSandbox.Result("{}", 0, "", SandboxLimit.Wall), "longer than its 30 s");
        _sandbox.Answer = _ => FakeSandbox.Result("{}", 0, "", SandboxLimit.ErrorOutput);
        await CallAsync(new ToolCall("json", null));
    }

    [Fact]
    public async Task A_shell_command_that_fails_fails_the_call_unless_it_may()
    {
        _sandbox.Answer = _ => FakeSandbox.Result("out", 1, "err");
        await Assert.ThrowsAsync<ToolFailedException>(() => CallAsync(new ToolCall("shell", new { command = "x" })));
        var result = await CallAsync(new ToolCall("shell", new { command = "x", stdin = "in", failOnError = false }));
        Assert.Equal("""{"exitCode":1,"stdout":"out","stderr":"err"}""", result.Output.GetRawText());
        Assert.Equal("in", Encoding.UTF8.GetString(_sandbox.Runs[^1].Input.Span));
        Assert.Equal(["-c", "x"], _sandbox.Runs[^1].Arguments);
    }

    [Fact]
    public void A_name_alone_means_the_latest_version()
    {
        var catalog = new ToolCatalog().Add(Tool("t", "9")).Add(Tool("t", "10")).Add(Tool("t", "1.2"));
        Assert.Equal("t@10", catalog.Find("t")!.Label);
        Assert.Equal("t@9", catalog.Find("t@9")!.Label);
        Assert.Equal(["t", "t@1.2", "t@10", "t@9"], catalog.Labels.Order(StringComparer.Ordinal));
        Assert.Throws<ArgumentException>(() => catalog.Add(Tool("t", "9")));
    }

    [Theory]
    [InlineData("""{"type":"object","required":["a"]}""", """{"b":1}""", "lacks 'a'")]
    [InlineData("""{"type":"object","properties":{"a":{"type":"integer"}}}""", """{"a":1.5}""", "'a' must be an integer")]
    [InlineData("""{"type":"object","properties":{"a":{"type":"integer"}}}""", """{"a":3.0}""", null)]
    [InlineData("""{"properties":{"a":{"enum":["x","y"]}}}""", """{"a":"z"}""", "one of \"x\", \"y\"")]
    [InlineData("""{"type":"array","items":{"type":["string","null"]}}""", """["a",null,3]""", "[2]")]
    [InlineData("""{"additionalProperties":false,"properties":{"a":{}}}""", """{"a":1,"b":2}""", "'b'")]
    [InlineData("""{"type":"string"}""", """null""", "not null")]
    [InlineData("""{"minimum":5}""", """1""", null)]
    [InlineData("""true""", """1""", null)]
    public void Input_is_checked_against_its_schema(string schema, string value, string? mentions)
    {
        var problem = InputSchema.Check(AstraJson.Parse(Encoding.UTF8.GetBytes(schema)), AstraJson.Parse(Encoding.UTF8.GetBytes(value)));
        if (mentions is null)
            Assert.Null(problem);
        else
            Assert.Contains(mentions, problem, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private static ToolDefinition Tool(string name, string version, params string[] command) =>
        new() { Name = name, Version = version, Command = command.Length == 0 ? ["/bin/true"] : command };

    private static ToolCall Reading(string path) => new("json", null) { Reads = [new ToolMount(path, "/work")] };

    private IToolGate Gate(Func<ISandbox>? sandbox = null, ToolGateOptions? options = null, ApprovedCall? approved = null)
    {
        var catalog = new ToolCatalog().Add(Tool("json", "2")).Add(Tool("own", "1", "astra", "verb")).Add(ShellForm.Definition, new ShellForm())
            .Add(Tool("deploy", "1") with { NeedsPerson = true });
        return new ToolGate(catalog, sandbox ?? (() => _sandbox), _ => _grants, options ?? new ToolGateOptions())
            .For(new ToolSubject(new TenantId(Guid.NewGuid()), "tester", new GoalId(Guid.NewGuid()), default) { Approved = approved });
    }

    private async Task<ToolResult> CallAsync(ToolCall call) => await Gate().CallAsync(call, CancellationToken.None);

    private async Task RefusedAsync(ToolCall call, string mentions, IToolGate? gate = null) =>
        Assert.Contains(mentions, (await Assert.ThrowsAsync<ToolRefusedException>(async () => await (gate ?? Gate()).CallAsync(call, CancellationToken.None))).Message, StringComparison.Ordinal);

    private async Task FailedAsync(Func<SandboxSpec, SandboxResult> answer, string mentions)
    {
        _sandbox.Answer = answer;
        var failed = await Assert.ThrowsAsync<ToolFailedException>(() => CallAsync(new ToolCall("json", null)));
        Assert.Contains(mentions, failed.Message, StringComparison.Ordinal);
        Assert.Equal("json@2", failed.Receipt.Tool);
    }
}
