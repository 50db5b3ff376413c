using System.Text.Json;
using Astra.Auditor;
using Astra.Governance;
using Astra.Sdk;
using Xunit;

namespace Astra.Tests.CommandLine;

public sealed class RunTests : IDisposable
{
    private readonly CommandWorld _world = new();
    private readonly string _project;

    public RunTests()
    {
        _project = _world.NewDirectory("project");
        _world.Server.Agent = goal => goal
            .Step("discover", TaskState.Completed)
            .Step("inspect nuget/Npgsql@10.0.0", TaskState.Completed)
            .Step("inspect npm/evil@1.0.0", TaskState.Dead, "the archive is\u001b[2J truncated")
            .Complete(Audit(high: 1));
    }

    [Fact]
    public async Task An_audit_ends_with_findings_and_paths_and_what_to_type_next()
    {
        var said = await _world.TypeAsync("run", "audit", _project);
        Assert.Equal(2, said.ExitCode);
        Assert.Contains("npm/evil@1.0.0", said.Out);
        Assert.Contains("Unasked, reads secrets", said.Out);
        Assert.Contains("/data/audits/1/report.md", said.Lines);
        Assert.Contains("/data/audits/1/report.json", said.Lines);
        Assert.Contains($"  ./astra goal show {_world.Server.LatestGoal}", said.Lines);
        Assert.Contains($"  ./astra why {_world.Server.LatestGoal}", said.Lines);
        Assert.False(_world.Server.IsRunning);
    }

    [Fact]
    public async Task What_to_type_next_reaches_the_same_data()
    {
        var elsewhere = _world.NewDirectory("with space");
        var said = await _world.TypeAsync("run", "audit", _project, "--data", elsewhere);
        Assert.Contains($"  ./astra why {_world.Server.LatestGoal} --data '{elsewhere}'", said.Lines);
    }

    [Theory]
    [InlineData("critical", 0)]
    [InlineData("high", 2)]
    [InlineData("info", 2)]
    [InlineData("never", 0)]
    public async Task Fail_on_decides_the_exit_code(string threshold, int exitCode) =>
        Assert.Equal(exitCode, (await _world.TypeAsync("run", "audit", _project, "--fail-on", threshold)).ExitCode);

    [Fact]
    public async Task Packages_that_are_not_used_count_only_for_an_audit_of_the_machine()
    {
        _world.Server.Agent = goal => goal.Complete(Audit(othersHigh: 3, othersCount: AstraJson.Read<AuditRequest>(goal.Submission.Input!.Value).Machine));
        Assert.Equal(0, (await _world.TypeAsync("run", "audit", _project)).ExitCode);
        Assert.Equal(2, (await _world.TypeAsync("run", "audit", _project, "--machine")).ExitCode);
    }

    [Fact]
    public async Task Plain_lines_name_what_ended_and_how_and_cannot_move_the_cursor()
    {
        var said = await _world.TypeAsync("run", "audit", _project);
        Assert.DoesNotContain('\u001b', said.Out);
        Assert.Contains(said.Lines, line => line.Contains("2 of 3 done, 1 dead"));
    }

    [Fact]
    public async Task Plain_lines_follow_a_goal_while_it_runs()
    {
        _world.Server.Agent = goal => goal.Step("discover", TaskState.Running);
        var run = _world.TypeAsync("run", "audit", _project);
        var goal = await _world.Server.Followed.Task;
        goal.Step("discover", TaskState.Completed).Step("inspect a", TaskState.Dead, "broken archive").Complete(Audit());
        var said = await run;
        Assert.Contains(said.Lines, line => line.Trim() == "completed discover");
        Assert.Contains(said.Lines, line => line.Trim() == "dead      inspect a: broken archive");
    }

    [Fact]
    public async Task Json_prints_one_document_and_progress_goes_elsewhere()
    {
        var said = await _world.TypeAsync("run", "audit", _project, "--json");
        Assert.Equal(2, said.ExitCode);
        Assert.Equal("completed", JsonElement.Parse(said.Out).GetProperty("state").GetString());
        Assert.Contains("Goal ", said.Error);
    }

    [Fact]
    public async Task A_result_that_is_no_audit_is_not_taken_for_a_clean_one()
    {
        _world.Server.Agent = goal => goal.Complete(new { answer = 42 });
        var said = await _world.TypeAsync("run", "audit", _project);
        Assert.Equal(1, said.ExitCode);
        Assert.Contains("is not an audit's", said.Error);
    }

    [Fact]
    public async Task A_failed_goal_is_an_error_with_its_reason()
    {
        _world.Server.Agent = goal => goal.End(GoalState.Failed, reason: "discovery died: no sandbox");
        var said = await _world.TypeAsync("run", "audit", _project);
        Assert.Equal(1, said.ExitCode);
        Assert.Contains("discovery died: no sandbox", said.Error);
    }

    [Fact]
    public async Task A_killed_run_is_resumed_by_the_same_command_which_says_so()
    {
        var killed = await KillARunAsync();
        var resumed = _world.TypeAsync("run", "audit", _project);
        (await _world.Server.Followed.Task).Complete(Audit());
        var said = await resumed;
        Assert.Equal(0, said.ExitCode);
        Assert.Contains(said.Lines, line => line.StartsWith($"Resuming goal {killed} where it was: 1 of 2 done", StringComparison.Ordinal));
        Assert.Single(_world.Server.Submissions);
    }

    [Fact]
    public async Task A_killed_run_is_not_resumed_with_another_key()
    {
        var killed = await KillARunAsync();
        _world.Server.Agent = goal => goal.Complete(Audit());
        // Whoever resumed it would follow it for ever.
        var said = await _world.TypeAsync("run", "audit", _project, "--key-file", _world.NewFile("ada.key", ApiKeys.NewSecret()))
            .WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(0, said.ExitCode);
        Assert.DoesNotContain("Resuming", said.Out, StringComparison.Ordinal);
        Assert.Equal(2, _world.Server.IdempotencyKeys.Distinct().Count());
        Assert.Equal(GoalState.Active, _world.Server[killed].View.State);
    }

    [Fact]
    public async Task Fresh_cancels_what_a_killed_run_left_and_starts_anew()
    {
        var killed = await KillARunAsync();
        _world.Server.Agent = goal => goal.Complete(Audit());
        Assert.Equal(0, (await _world.TypeAsync("run", "audit", _project, "--fresh")).ExitCode);
        Assert.Equal(GoalState.Cancelled, _world.Server[killed].View.State);
        Assert.Equal(2, _world.Server.IdempotencyKeys.Distinct().Count());
    }

    [Fact]
    public async Task A_killed_runs_goal_that_ended_meanwhile_shows_its_result()
    {
        var killed = await KillARunAsync();
        _world.Server[killed].Complete(Audit(high: 1));
        var said = await _world.TypeAsync("run", "audit", _project);
        Assert.Equal(2, said.ExitCode);
        Assert.Contains("has ended meanwhile", said.Out);
    }

    [Fact]
    public async Task A_run_that_ended_is_not_found_again()
    {
        await _world.TypeAsync("run", "audit", _project);
        await _world.TypeAsync("run", "audit", _project + "/");
        Assert.Equal(2, _world.Server.IdempotencyKeys.Distinct().Count());
    }

    [Fact]
    public async Task A_run_killed_between_submission_and_its_record_submits_the_same_goal_once()
    {
        var killed = await KillARunAsync();
        foreach (var record in Directory.GetFiles(_world.DataDirectory.RunsPath))
            File.Delete(record);
        var again = _world.TypeAsync("run", "audit", _project);
        var goal = await _world.Server.Followed.Task;
        goal.Complete(Audit());
        await again;
        Assert.Equal(killed, goal.Id);
        Assert.Single(_world.Server.IdempotencyKeys.Distinct());
    }

    [Fact]
    public async Task Ctrl_C_cancels_the_goal_and_says_so()
    {
        _world.Server.Agent = goal => goal.Step("discover", TaskState.Running);
        using var interrupt = new CancellationTokenSource();
        var run = _world.TypeAsync(interrupt.Token, "run", "audit", _project);
        var goal = await _world.Server.Followed.Task;
        await interrupt.CancelAsync();
        var said = await run;
        Assert.Equal(130, said.ExitCode);
        Assert.Contains($"goal {goal.Id} is cancelled", said.Error);
        Assert.Equal(GoalState.Cancelled, goal.View.State);
        Assert.False(_world.Server.IsRunning);
    }

    [Fact]
    public async Task A_plan_file_is_run_as_it_was_read()
    {
        _world.ReadPlan = _ => new PlanReading(new GoalSubmission { Title = "two steps" }, null);
        _world.Server.Agent = goal => goal.Step("a", TaskState.Completed).Complete(new { answer = 42 });
        var said = await _world.TypeAsync("run", _world.NewFile("plan.yaml", "steps:"));
        Assert.Equal(0, said.ExitCode);
        Assert.Contains("\"answer\": 42", said.Out);
        Assert.Equal("two steps", Assert.Single(_world.Server.Submissions).Title);
    }

    [Fact]
    public async Task An_agent_is_handed_its_input_from_standard_input()
    {
        _world.Input = """{"name":"Ada"}""";
        Assert.Equal(0, (await _world.TypeAsync("run", "agent", "greeter", "--input", "@-")).ExitCode);
        var submission = Assert.Single(_world.Server.Submissions);
        Assert.Equal("greeter", submission.Agent);
        Assert.Equal("Ada", submission.Input!.Value.GetProperty("name").GetString());
    }

    /// <summary>A run that neither ended nor was interrupted: its record still names a goal, as after `kill -9`.</summary>
    private async Task<Guid> KillARunAsync()
    {
        var agent = _world.Server.Agent;
        _world.Server.Agent = goal => goal.Step("discover", TaskState.Completed).Step("inspect a", TaskState.Running);
        using var kill = new CancellationTokenSource();
        var run = _world.TypeAsync(kill.Token, "run", "audit", _project);
        var goal = await _world.Server.Followed.Task;
        var records = Directory.GetFiles(_world.DataDirectory.RunsPath).ToDictionary(path => path, File.ReadAllText);
        _world.Server.RefusesToCancel = true;
        await kill.CancelAsync();
        await run;
        _world.Server.RefusesToCancel = false;
        foreach (var (path, content) in records)
            File.WriteAllText(path, content);
        _world.Server.Followed = new TaskCompletionSource<FakeServer.Goal>(TaskCreationOptions.RunContinuationsAsynchronously);
        _world.Server.Agent = agent;
        return goal.Id;
    }

    private static AuditSummary Audit(int high = 0, int othersHigh = 0, bool othersCount = false) => new()
    {
        Path = "/src/shop",
        PackageCount = 120,
        UsedCount = 80,
        NotInspectedCount = 1,
        Project = new SeverityCounts(0, 0, 0, 0, 0),
        Used = new SeverityCounts(Info: 2, 0, 0, high, 0),
        Others = new SeverityCounts(0, 0, 0, othersHigh, 0),
        AllowedCount = 0,
        OthersCount = othersCount,
        ReportMarkdown = "/data/audits/1/report.md",
        ReportJson = "/data/audits/1/report.json",
        Top =
        [
            new SummaryRow(Severity.High, "npm/evil@1.0.0", Used: true, "auto-reads-secrets", "Unasked, reads secrets", "install.js", "reads NPM_TOKEN", "package.json > shop > evil"),
        ],
    };

    public void Dispose() => _world.Dispose();
}
