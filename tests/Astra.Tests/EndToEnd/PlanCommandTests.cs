using System.Text.Json;
using Astra.Sdk;
using Xunit;

namespace Astra.Tests.EndToEnd;

/// <summary>`astra plan` on a real server, and in the editor of whoever types.</summary>
public sealed class PlanCommandTests : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly AstraMachine _machine = new();
    private AstraClient _client = null!;

    public async ValueTask InitializeAsync()
    {
        // Whoever runs the tests may have an editor of their own.
        (_machine.Environment["EDITOR"], _machine.Environment["VISUAL"]) = ("", "");
        await _machine.ServeAsync(_machine.Data);
        _client = await AstraMachine.ClientAsync(_machine.Data);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _machine.DisposeAsync();
    }

    [Fact]
    public async Task A_plan_is_shown_edited_compared_tried_applied_from_a_file_and_rolled_back()
    {
        var goal = await SubmitAsync(Step("fetch"), Step("build", "fetch"));
        Assert.Contains("Revision 1, 2 steps.", await AstraAsync(0, "plan", "show", goal), StringComparison.Ordinal);

        var edited = await AstraAsync(0, "plan", "edit", goal, "--op", "prioritise build 7", "--op", """add {"name": "report", "executor": "agent:nobody", "after": [{"step": "build", "onlyCompleted": true}]}""", "--if-match", "1", "--reason", "more to tell");
        Assert.Contains("Revision 2, 3 steps.", edited, StringComparison.Ordinal);
        var diff = await AstraAsync(0, "plan", "diff", goal);
        Assert.Contains("+ report  agent:nobody  after build", diff, StringComparison.Ordinal);
        Assert.Contains("~ build  priority: 0 -> 7", diff, StringComparison.Ordinal);
        Assert.Equal(2, Json(await AstraAsync(0, "plan", "diff", goal, "--from", "1", "--to", "2", "--json")).GetProperty("to").GetInt64());
        Assert.DoesNotContain("report", await AstraAsync(0, "plan", "show", goal, "--revision", "1"), StringComparison.Ordinal);
        Assert.Contains("no revision 9", await RefusedAsync("plan", "show", goal, "--revision", "9"), StringComparison.Ordinal);

        Assert.Contains("nothing was changed", await AstraAsync(0, "plan", "validate", goal, "--op", "cancel report"), StringComparison.Ordinal);
        Assert.Contains("cycle", await RefusedAsync("plan", "validate", goal, "--op", "extend fetch report"), StringComparison.Ordinal);
        Assert.Contains("at revision 2, not 1", await RefusedAsync("plan", "edit", goal, "--op", "cancel report", "--if-match", "1"), StringComparison.Ordinal);
        Assert.Contains("There is nothing to edit", await RefusedAsync(64, "plan", "edit", goal), StringComparison.Ordinal);

        var file = _machine.Write("wanted.yaml", "steps:\n- name: fetch\n  agent: nobody\n- name: build\n  agent: nobody\n  after: [fetch]\n  priority: 7\n- name: sign\n  agent: nobody\n  after: [build]\n  lease: 90\n");
        Assert.Contains("would make revision 3; nothing was changed", await AstraAsync(0, "plan", "apply", goal, file, "--dry-run"), StringComparison.Ordinal);
        var applied = await AstraAsync(0, "plan", "apply", goal, file, "--reason", "signed is better");
        Assert.Contains("add sign  agent:nobody  after build", applied, StringComparison.Ordinal);
        Assert.Contains("remove report", applied, StringComparison.Ordinal);
        Assert.Contains("Nothing to change; the plan is at revision 3.", await AstraAsync(0, "plan", "apply", goal, file), StringComparison.Ordinal);
        Assert.Contains("Line 1", await RefusedAsync("plan", "apply", goal, _machine.Write("wrong.yaml", "steps: none\n")), StringComparison.Ordinal);

        Assert.Contains("nothing was changed", await AstraAsync(0, "plan", "rollback", goal, "2", "--dry-run"), StringComparison.Ordinal);
        Assert.Contains("Revision 4, by 2 edits.", await AstraAsync(0, "plan", "rollback", goal, "2", "--reason", "no key"), StringComparison.Ordinal);
        Assert.Equal(["build", "fetch", "report"], await NamesAsync(goal));
        Assert.Contains("no revision 40", await RefusedAsync("plan", "rollback", goal, "40"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_plan_is_edited_as_a_file_and_only_what_was_changed_is_an_edit()
    {
        var odd = Step("odd", "fetch") with
        {
            Kind = "strange", Input = JsonElement.Parse("""{"script": "a\nb\n", "number": 1.0, "yes": "true", "none": null, "list": [], "map": {}, "quote\"d": "\t- x: 1"}"""),
            AttemptCountMax = 1, LeaseSeconds = 42.5, Retry = new RetryDelays(0.5, 60, 3), WorkersLostMax = 9, EffectKeys = EffectKeys.PerAttempt,
            FanOut = [new FanOut { Path = "files", Join = "report", Step = Step("part") with { FanOut = [new FanOut { Step = Step("inner") }] } }],
        };
        var goal = await SubmitAsync(Step("fetch"), odd, Step("report", "odd") with { After = [new StepDependency("odd", true), new StepDependency("fetch", false)] });

        Editor("sed -i 's/name: fetch/name: fetch\\n  priority: 9/' \"$1\"");
        var saved = await AstraAsync(0, "plan", "edit", goal, "--reason", "first things first");
        Assert.Contains("prioritise fetch 9", saved, StringComparison.Ordinal);
        Assert.Contains("Revision 2, by 1 edits.", saved, StringComparison.Ordinal);

        // Steps that a file does not wholly say are what they were, and so is one that was put elsewhere.
        Editor("cat \"$1\" > seen.yaml; printf '%s\\n' '- name: last' '  agent: nobody' '  after: [{ step: report, when: ended }]' >> \"$1\"");
        Assert.Contains("by 1 edits.", await AstraAsync(0, "plan", "edit", goal), StringComparison.Ordinal);
        var seen = await File.ReadAllTextAsync(Path.Combine(_machine.Root, "seen.yaml"), None);
        Assert.Contains("at revision 2", seen, StringComparison.Ordinal);
        Assert.Contains("Nothing has started yet.", seen, StringComparison.Ordinal);
        Assert.Contains("over: odd.output.files", seen, StringComparison.Ordinal);

        Editor("true");
        Assert.Contains("Nothing was changed.", await AstraAsync(0, "plan", "edit", goal), StringComparison.Ordinal);
        Assert.Equal(["fetch", "last", "odd", "report"], await NamesAsync(goal));
        Assert.Empty(Kept());

        // VISUAL goes before EDITOR, and may have arguments.
        _machine.Environment["VISUAL"] = $"{_machine.Environment["EDITOR"]} --wait";
        _machine.Environment["EDITOR"] = "/nowhere/editor";
        File.WriteAllText(Path.Combine(_machine.Root, "editor"), "#!/bin/sh\n[ \"$1\" = --wait ] && sed -i '/name: last/,$d' \"$2\"\n");
        var removed = Json(await AstraAsync(0, "plan", "edit", goal, "--json")).GetProperty("edits").EnumerateArray().Single();
        Assert.Equal(("remove", "last"), (removed.GetProperty("op").GetString(), removed.GetProperty("name").GetString()));
        Assert.Equal(4, (await _client.GetGoalAsync(Guid.Parse(goal), None)).Revision);
    }

    [Fact]
    public async Task A_file_that_is_refused_stays_and_the_line_is_named()
    {
        var goal = await SubmitAsync(Step("fetch"), Step("build", "fetch"));
        Editor("sed -i 's/after:.*/after: [fetsh]/' \"$1\"");
        var typo = await RefusedAsync("plan", "edit", goal);
        Assert.Contains("waits for 'fetsh', and there is no such step", typo, StringComparison.Ordinal);
        Assert.Matches(@"Line \d+: ", typo);
        var kept = Assert.Single(Kept());
        Assert.Contains($"plan apply {goal} {kept} --if-match 1", typo, StringComparison.Ordinal);
        Assert.Contains("fetsh", await File.ReadAllTextAsync(kept, None), StringComparison.Ordinal);

        // It is mended where it is, and goes in as it was meant.
        await File.WriteAllTextAsync(kept, (await File.ReadAllTextAsync(kept, None)).Replace("fetsh", "fetch") + "- name: sign\n  agent: nobody\n", None);
        Assert.Contains("add sign", await AstraAsync(0, "plan", "apply", goal, kept, "--if-match", "1"), StringComparison.Ordinal);
        Directory.Delete(Path.GetDirectoryName(kept)!, recursive: true);

        // What the server refuses is found in the file too.
        await using var worker = await TestWorker.StartAsync(_client, _machine.Data.ReadAdminKey()!, TestWorker.Picky());
        var meal = await _client.SubmitAsync(TestWorker.Meal("good", "bad"), cancellationToken: None);
        await Eventually.HoldsAsync("it has been tried", async () => (await _client.GetGoalAsync(meal.Id, None)).Tasks is { Completed: 1, Dead: 1 });
        Editor("sed -i 's/input: \"good\"/input: \"better\"/' \"$1\"");
        var refused = await RefusedAsync("plan", "edit", meal.Id.ToString());
        Assert.Contains("what it does cannot be changed any more", refused, StringComparison.Ordinal);
        kept = Assert.Single(Kept());
        var line = File.ReadLines(kept).ToList().FindIndex(text => text.EndsWith("name: good", StringComparison.Ordinal)) + 1;
        Assert.Contains($"{kept}: Line {line}: ", refused, StringComparison.Ordinal);
        Directory.Delete(Path.GetDirectoryName(kept)!, recursive: true);

        Editor("echo '# mine' >> \"$1\"; exit 3");
        Assert.Contains("The editor ended with 3, so nothing was changed.", await RefusedAsync("plan", "edit", goal), StringComparison.Ordinal);
        Directory.Delete(Path.GetDirectoryName(Assert.Single(Kept()))!, recursive: true);
        Editor("rm \"$1\"");
        Assert.Contains("left no file", await RefusedAsync("plan", "edit", goal), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_edit_that_somebody_else_made_meanwhile_is_not_undone()
    {
        var goal = await SubmitAsync(Step("fetch"), Step("build", "fetch"));
        // The editor stays open until the plan has been edited from elsewhere.
        Editor("touch opened; while [ ! -e edited ]; do sleep 0.05; done; sed -i 's/name: fetch/name: fetch\\n  priority: 9/' \"$1\"");
        var editing = _machine.Astra("plan", "edit", goal);
        await Eventually.HoldsAsync("the editor is open", () => Task.FromResult(File.Exists(Path.Combine(_machine.Root, "opened"))));
        await _client.EditPlanAsync(Guid.Parse(goal), new PlanPatch([new PrioritiseStep("build", 5)]), 1, None);
        _machine.Write("edited", "");
        Assert.Contains("Somebody has edited the plan meanwhile", (await editing.EndsWithAsync(1)).Error, StringComparison.Ordinal);
        Assert.Equal([0, 5], (await _client.GetPlanAsync(Guid.Parse(goal), None)).Tasks.Select(task => task.Priority).Order());
        Assert.Contains("priority: 9", await File.ReadAllTextAsync(Assert.Single(Kept()), None), StringComparison.Ordinal);
    }

    private static AddStep Step(string name, params string[] after) =>
        new() { Name = name, Executor = "agent:nobody", After = [.. after.Select(step => new StepDependency(step, OnlyCompleted: true))] };

    private async Task<string> SubmitAsync(params AddStep[] steps) => (await _client.SubmitAsync(new GoalSubmission { Plan = steps }, cancellationToken: None)).Id.ToString();

    /// <summary>What a person would do with the file, as a script. Files that commands keep are in the machine's own directory.</summary>
    private void Editor(string script)
    {
        var editor = _machine.Write("editor", $"#!/bin/sh\n{script}\n");
        File.SetUnixFileMode(editor, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        _machine.Environment["EDITOR"] = editor;
        _machine.Environment["TMPDIR"] = _machine.Folder("tmp");
    }

    private string[] Kept() => [.. Directory.EnumerateFiles(_machine.Folder("tmp"), "plan.yaml", SearchOption.AllDirectories)];

    private async Task<string[]> NamesAsync(string goal) => [.. (await _client.GetPlanAsync(Guid.Parse(goal), None)).Tasks.Select(task => task.Name).Order(StringComparer.Ordinal)];

    private async Task<string> AstraAsync(int exitCode, params string[] words) => (await _machine.Astra(words).EndsWithAsync(exitCode)).Out;

    private Task<string> RefusedAsync(params string[] words) => RefusedAsync(1, words);

    private async Task<string> RefusedAsync(int exitCode, params string[] words) => (await _machine.Astra(words).EndsWithAsync(exitCode)).Error;

    private static JsonElement Json(string text) => JsonElement.Parse(text);
}
