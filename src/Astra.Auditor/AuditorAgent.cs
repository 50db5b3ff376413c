using System.Text.Json;
using Astra.Auditor.Report;
using Astra.Sdk;

namespace Astra.Auditor;

/// <summary>
/// Audits what a directory is built from. Plans at run time: discover, then one step per package, then a join per
/// ecosystem, then the report. Handles paths and the JSON that comes out of cages; no byte of a package, archive,
/// assembly or lock file is parsed by this class or anything it calls outside <see cref="Cage"/>.
/// </summary>
public sealed class AuditorAgent : Agent
{
    public const string AgentName = "auditor";

    private const string DiscoveryArtifact = "discovery.json";
    private const string MemoryCollection = "audit-packages";

    // A join's dependencies arrive together; at most 8 findings per rule and package keep 48 of them within a few megabytes.
    private const int PackagesPerJoin = 48;

    /// <summary>A step's name is at most 200 characters; ids of packages are shorter, made-up ones need not be.</summary>
    private const int StepNameLengthMax = 180;

    public override string Name => AgentName;

    public override string Description => "Audits the packages that a directory uses, and the local caches they come from.";

    public override ValueTask<Plan> PlanAsync(PlanningTurn turn, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(turn);
        var plan = Plan.Empty;
        plan.Step("discover", "discover");
        return ValueTask.FromResult(plan);
    }

    public override ValueTask<StepResult> ExecuteAsync(StepTurn turn, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(turn);
        return turn.Kind switch
        {
            "discover" => DiscoverAsync(turn, cancellationToken),
            "inspect" => InspectAsync(turn, cancellationToken),
            "join" => JoinAsync(turn, cancellationToken),
            "report" => ReportAsync(turn, cancellationToken),
            _ => throw new PermanentFailureException($"The auditor has no step of kind '{turn.Kind}'."),
        };
    }

    /// <summary>The goal's result is the report step's output, whatever died on the way.</summary>
    public override ValueTask<StepResult> ReflectAsync(ReflectionTurn turn, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(turn);
        return turn.Steps.TryGetValue("report", out var report) && report.State == StepState.Completed
            ? ValueTask.FromResult(StepResult.Done(report.Output))
            : base.ReflectAsync(turn, cancellationToken);
    }

    private static async ValueTask<StepResult> DiscoverAsync(StepTurn turn, CancellationToken cancellationToken)
    {
        var mounts = new AuditMounts(turn.Goal.InputAs<AuditRequest>());
        var answer = await CallAsync<DiscoverAnswer>(turn, new ToolCall(AuditorTools.DiscoverName, mounts.Request) { Reads = mounts.DiscoveryMounts }, cancellationToken);
        await turn.Artifacts.SaveAsync(turn.Goal.Id, DiscoveryArtifact, AstraJson.Write(answer.Output), cancellationToken);
        turn.Report($"{answer.Output.Packages.Count} packages found");
        return StepResult.Done(new { packages = answer.Output.Packages.Count, artifact = DiscoveryArtifact }, PlanOf(answer.Output));
    }

    private static Plan PlanOf(DiscoverAnswer found)
    {
        var plan = Plan.Empty;
        var joins = new List<PlannedStep>();
        var artifacts = new List<string>();
        foreach (var ecosystem in found.Packages.Where(package => package.Parts.Count > 0).GroupBy(package => package.Ecosystem).OrderBy(group => group.Key))
        {
            var word = PackageRef.WordOf(ecosystem.Key);
            var chunks = Chunks([.. ecosystem]);
            for (var index = 0; index < chunks.Count; index++)
            {
                var steps = new Dictionary<string, PackageRef>(StringComparer.Ordinal);
                var inspections = new List<StepDependency>();
                foreach (var package in chunks[index])
                {
                    var name = StepNameOf(package, steps.ContainsKey);
                    // What the project uses is inspected before what merely lies around.
                    inspections.Add(plan.Step(name, "inspect", package, options: new StepOptions { AttemptCountMax = 2, Priority = package.Used ? 10 : 0 }).Ended);
                    steps[name] = package with { Parts = [], Expected = [] };
                }
                var artifact = $"join-{word}-{index + 1}.json";
                var joinName = chunks.Count == 1 ? $"join {word}" : $"join {word} {index + 1}/{chunks.Count}";
                joins.Add(plan.Step(joinName, "join", new JoinInput(artifact, steps), inspections));
                artifacts.Add(artifact);
            }
        }
        plan.Step("report", "report", new ReportInput(DiscoveryArtifact, artifacts), joins.Select(join => join.Ended));
        return plan;
    }

    /// <summary>Versions of one package stay together, because their join writes one memory of them all.</summary>
    private static List<List<PackageRef>> Chunks(List<PackageRef> packages)
    {
        var chunks = new List<List<PackageRef>> { new() };
        foreach (var versions in packages.GroupBy(package => package.Id, StringComparer.Ordinal).OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            if (chunks[^1].Count >= PackagesPerJoin)
                chunks.Add([]);
            chunks[^1].AddRange(versions.OrderBy(package => package.Version, StringComparer.Ordinal));
        }
        return chunks;
    }

    private static string StepNameOf(PackageRef package, Func<string, bool> isTaken)
    {
        var name = package.Name.Length <= StepNameLengthMax ? package.Name : package.Name[..StepNameLengthMax];
        var unique = name;
        for (var number = 2; isTaken(unique); number++)
            unique = $"{name}#{number}";
        return unique;
    }

    private static async ValueTask<StepResult> InspectAsync(StepTurn turn, CancellationToken cancellationToken)
    {
        var package = turn.InputAs<PackageRef>();
        var (parts, mounts) = new AuditMounts(turn.Goal.InputAs<AuditRequest>()).ForInspection(package);
        var request = new InspectRequest { Ecosystem = package.Ecosystem, Id = package.Id, Version = package.Version, Expected = package.Expected, Parts = parts };
        var (answer, tier) = await CallAsync<InspectAnswer>(turn, new ToolCall(AuditorTools.InspectName, request) { Reads = mounts }, cancellationToken);
        var memory = await ReadMemoryAsync(turn, package, cancellationToken);
        return StepResult.Done(PackageReport.Of(package, answer.Findings.Concat(Changes.Between(memory, package.Version, answer.Fingerprint))) with
        {
            OmittedFindingCount = answer.OmittedFindingCount,
            FileCount = answer.FileCount,
            ByteCount = answer.ByteCount,
            Fingerprint = answer.Fingerprint,
            SandboxTier = tier,
        });
    }

    private static async ValueTask<StepResult> JoinAsync(StepTurn turn, CancellationToken cancellationToken)
    {
        var input = turn.InputAs<JoinInput>();
        var reports = new List<PackageReport>();
        foreach (var (step, package) in input.PackagesByStep.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            var ended = turn.Dependencies.GetValueOrDefault(step);
            reports.Add(ended is { State: StepState.Completed }
                ? ended.As<PackageReport>()
                : PackageReport.Of(package, new Finding { Rule = "not-inspected", Detail = ended?.Failure ?? "Its step did not end." }));
        }
        await turn.Artifacts.SaveAsync(turn.Goal.Id, input.Artifact, AstraJson.Write(reports), cancellationToken);
        foreach (var versions in reports.Where(report => report.IsInspected).GroupBy(report => (report.Ecosystem, report.Id)))
            await RememberAsync(turn, [.. versions], cancellationToken);
        return StepResult.Done(new JoinOutput(input.Artifact, reports.Count(report => report.IsInspected), reports.Count(report => !report.IsInspected)));
    }

    private static async ValueTask<StepResult> ReportAsync(StepTurn turn, CancellationToken cancellationToken)
    {
        var input = turn.InputAs<ReportInput>();
        var discovery = await ReadAsync<DiscoverAnswer>(turn, input.DiscoveryArtifact, cancellationToken);
        var packages = discovery.Packages.Where(package => package.Parts.Count == 0)
            .Select(package => PackageReport.Of(package, new Finding { Rule = "not-on-disk", Detail = "No copy in the places of this audit." })).ToList();
        foreach (var artifact in input.JoinArtifacts)
            packages.AddRange(await ReadAsync<List<PackageReport>>(turn, artifact, cancellationToken));
        var request = turn.Goal.InputAs<AuditRequest>();
        var today = DateOnly.FromDateTime(turn.Clock.GetUtcNow().UtcDateTime);
        var report = AuditReport.Of(request, discovery, packages, today);
        var json = await turn.Artifacts.SaveAsync(turn.Goal.Id, "report.json", ReportJson.Write(report), cancellationToken);
        var markdown = await turn.Artifacts.SaveAsync(turn.Goal.Id, "report.md", ReportMarkdown.Write(report), cancellationToken);
        return StepResult.Done(report.Summarise(markdown, json));
    }

    /// <summary>A tool that failed has a receipt saying why, and would fail again on the same bytes: the step dies with that
    /// reason instead of burning its second attempt.</summary>
    private static async ValueTask<(T Output, string SandboxTier)> CallAsync<T>(StepTurn turn, ToolCall call, CancellationToken cancellationToken)
    {
        try
        {
            var result = await turn.Tools.CallAsync(call, cancellationToken);
            return (result.As<T>(), result.Receipt.SandboxTier);
        }
        catch (ToolRefusedException refusal)
        {
            throw new PermanentFailureException(refusal.Message, refusal);
        }
        catch (ToolFailedException failure)
        {
            var limits = failure.Receipt.LimitsHit.Count == 0 ? "" : $" (limits reached: {string.Join(", ", failure.Receipt.LimitsHit)})";
            throw new PermanentFailureException(failure.Message + limits, failure);
        }
        catch (JsonException failure)
        {
            throw new PermanentFailureException($"The answer of '{call.Tool}' cannot be read: {failure.Message}", failure);
        }
    }

    private static async ValueTask<T> ReadAsync<T>(StepTurn turn, string artifact, CancellationToken cancellationToken)
    {
        var content = await turn.Artifacts.ReadAsync(turn.Goal.Id, artifact, cancellationToken)
            ?? throw new PermanentFailureException($"The artifact '{artifact}' of an earlier step is gone.");
        return AstraJson.Read<T>(content.Span);
    }

    private static async ValueTask<PackageMemory> ReadMemoryAsync(StepTurn turn, PackageRef package, CancellationToken cancellationToken)
    {
        var note = await turn.Artifacts.ReadNoteAsync(MemoryCollection, PackageRef.NameOf(package.Ecosystem, package.Id), cancellationToken);
        return note is null ? new PackageMemory() : AstraJson.Read<PackageMemory>(note.Value.Span);
    }

    private static async ValueTask RememberAsync(StepTurn turn, List<PackageReport> versions, CancellationToken cancellationToken)
    {
        var key = PackageRef.NameOf(versions[0].Ecosystem, versions[0].Id);
        var note = await turn.Artifacts.ReadNoteAsync(MemoryCollection, key, cancellationToken);
        var memory = note is null ? new PackageMemory() : AstraJson.Read<PackageMemory>(note.Value.Span);
        var updated = versions.Aggregate(memory, (known, report) => Changes.Remember(known, report.Version, report.Fingerprint!));
        await turn.Artifacts.SaveNoteAsync(MemoryCollection, key, AstraJson.Write(updated), cancellationToken);
    }
}
