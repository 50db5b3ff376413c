using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Astra.Sdk;
using Astra.Tests.Auditing;
using Xunit;

namespace Astra.Tests.EndToEnd;

/// <summary>`astra run audit` from the shell's point of view: a real process, database and cage for every package.</summary>
public sealed class AuditRunTests : IAsyncDisposable
{
    // The machine's own Python packages, which no variable hides from an audit, come on top.
    private const int PackageCount = 16;

    private readonly AstraMachine _machine = new();
    private readonly PlantedPackages _planted = new();

    public AuditRunTests() => _machine.Environment["NUGET_PACKAGES"] = _planted.NuGetCache;

    [Fact]
    public async Task An_audit_that_is_killed_resumes_where_it_was_with_nothing_lost_and_nothing_twice()
    {
        PlantTree();
        var killed = _machine.Astra("run", "audit", _planted.Tree);
        var (goal, before) = await InspectedAsync(killed, count: 4);
        var database = DatabaseProcess();
        await killed.KillAsync();

        var resumed = _machine.Astra("run", "audit", _planted.Tree);
        Assert.Contains($"Resuming goal {goal}", await resumed.SaysAsync("Resuming goal"));
        Assert.Equal(database, DatabaseProcess());
        await resumed.EndsWithAsync(0);
        Assert.Empty(_machine.Processes());

        var reported = ReportedPackages(resumed);
        Assert.Equal(reported.Distinct(), reported);
        Assert.Equal(PackageNames().Select(name => $"nuget {name} nothing-found"), reported.Where(name => name.StartsWith("nuget ", StringComparison.Ordinal)));
        var shown = await _machine.Astra("plan", "show", goal.ToString(), "--json").EndsWithAsync(0);
        var after = AstraJson.Read<PlanView>(Encoding.UTF8.GetBytes(shown.Out)).Tasks.ToDictionary(task => task.Id);
        Assert.All(after.Values, task => Assert.Equal(TaskState.Completed, task.State));
        Assert.All(before, task => Assert.Equal((task.Attempt, task.EndedAt), (after[task.Id].Attempt, after[task.Id].EndedAt)));
    }

    [Fact]
    public async Task Control_C_cancels_an_audit_and_leaves_nothing_running()
    {
        PlantTree();
        var run = _machine.Astra("run", "audit", _planted.Tree);
        var (goal, _) = await InspectedAsync(run, count: 1);
        run.Interrupt();
        await run.EndsWithAsync(130);
        Assert.Equal($"astra: Interrupted; goal {goal} is cancelled.", run.Error.TrimEnd().Split('\n')[^1]);
        Assert.Empty(_machine.Processes());

        var shown = await _machine.Astra("goal", "show", goal.ToString(), "--json").EndsWithAsync(0);
        Assert.Equal(GoalState.Cancelled, AstraJson.Read<GoalView>(Encoding.UTF8.GetBytes(shown.Out)).State);
    }

    public async ValueTask DisposeAsync()
    {
        await _machine.DisposeAsync();
        _planted.Dispose();
    }

    /// <summary>The goal of a run, and its finished steps at a moment when some of them are.</summary>
    private async Task<(Guid Goal, IReadOnlyList<TaskView> Completed)> InspectedAsync(AstraProcess run, int count)
    {
        var goal = Guid.Parse((await run.SaysAsync("Goal ")).Split(' ')[1].TrimEnd(':'));
        using var client = await AstraMachine.ClientAsync(_machine.Data);
        var completed = await Eventually.SeeAsync(
            $"{count} inspected packages",
            async () =>
            {
                var plan = await client.GetPlanAsync(goal, TestContext.Current.CancellationToken);
                var completed = plan.Tasks.Where(task => task.State is TaskState.Completed).ToList();
                return completed.Count(task => task.Kind == "inspect") >= count ? completed : null;
            },
            run.ToString);
        return (goal, completed);
    }

    private void PlantTree()
    {
        var entries = PackageNames().Select(name =>
        {
            var (id, version) = name.Split(' ') is [var i, var v] ? (i, v) : default;
            var hash = _planted.PlantNuGet(id, version, ($"content/{id}.txt", Encoding.UTF8.GetBytes(id)));
            return $"\"{id}\": {{ \"type\": \"Direct\", \"requested\": \"[{version}, )\", \"resolved\": \"{version}\", \"contentHash\": \"{hash}\" }}";
        });
        _planted.Write("tree/packages.lock.json", $"{{ \"version\": 1, \"dependencies\": {{ \"net10.0\": {{ {string.Join(',', entries)} }} }} }}");
    }

    private static IEnumerable<string> PackageNames() => Enumerable.Range(1, PackageCount).Select(number => $"planted.p{number:00} 1.0.{number}");

    private static IReadOnlyList<string> ReportedPackages(AstraProcess run)
    {
        var path = run.Out.Split('\n').Single(line => line.EndsWith("report.json", StringComparison.Ordinal));
        using var report = JsonDocument.Parse(File.ReadAllBytes(path));
        return
        [
            .. report.RootElement.GetProperty("packages").EnumerateArray()
                .Select(package => string.Join(' ', ((string[])["ecosystem", "id", "version", "verdict"]).Select(name => package.GetProperty(name).GetString())))
                .Order(StringComparer.Ordinal),
        ];
    }

    private string DatabaseProcess()
    {
        var id = File.ReadLines(Path.Combine(_machine.Data.Path, "postgres", "postmaster.pid")).First();
        using var process = Process.GetProcessById(int.Parse(id));
        return $"{id} since {process.StartTime:O}";
    }
}
