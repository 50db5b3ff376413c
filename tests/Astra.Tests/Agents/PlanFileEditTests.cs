using System.Text.Json;
using Astra.Agents;
using Astra.Sdk;
using Xunit;

namespace Astra.Tests.Agents;

/// <summary>A plan that becomes a file and a plan again.</summary>
public sealed class PlanFileEditTests
{
    [Fact]
    public void What_is_written_is_read_as_what_it_was_for_every_step_that_a_file_can_say()
    {
        AddStep[] steps =
        [
            Step("plain"),
            Step("everything") with
            {
                Executor = "tool:shell@1", Kind = "build", Priority = -7, AttemptCountMax = 1, LeaseSeconds = 42.5, Retry = new RetryDelays(0.5, 60, 3), WorkersLostMax = 9,
                EffectKeys = EffectKeys.PerAttempt, Queue = "slow", Requires = ["gpu", "os:linux"], NotBefore = DateTimeOffset.UnixEpoch, Deadline = DateTimeOffset.UnixEpoch.AddDays(1), Approvals = 2, After = [On("plain"), On("odd: name", "ended"), On("yes", "passed"), On("12", "approved")],
            },
            Step("odd: name") with { Input = JsonElement.Parse("""{"a":"true","b":true,"c":"1","d":1,"e":null,"f":"","g":[],"h":{},"i":"#no","j":"a\nb\n","k":" x\n","l":"\"\\\u0007ü🛰","m":[1.5,[2]],"${item}":"~"}""") },
            Step("yes") with { Input = JsonElement.Parse("\"text\"") },
            Step("12") with { FanOut = [new FanOut { Path = "files.names", Step = Step("part") with { Input = JsonElement.Parse("\"${item}\"") } }] },
        ];
        var edit = new PlanFileEdit(steps);

        Assert.Equal(Text(steps), Text(PlanFile.Parse(edit.Text).Plan!.Cast<AddStep>()));
        Assert.Equal(Text(steps), Text(edit.Read("# whatever\n" + edit.Text)));
        // What is as it would be anyway is not said.
        Assert.StartsWith("steps:\n- name: plain\n  agent: nobody\n- name: everything", edit.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Whatever_a_file_says_of_a_step_is_changed_by_changing_the_file()
    {
        var before = Step("a") with { Queue = "slow", Requires = ["gpu"], NotBefore = DateTimeOffset.UnixEpoch, Deadline = DateTimeOffset.UnixEpoch.AddDays(1), Approvals = 1 };
        var after = before with { Queue = "fast", Requires = ["tpu"], NotBefore = DateTimeOffset.UnixEpoch.AddHours(1), Deadline = DateTimeOffset.UnixEpoch.AddDays(2), Approvals = 3 };
        Assert.Equal(Text([after]), Text(new PlanFileEdit([before]).Read(new PlanFileEdit([after]).Text)));
    }

    [Fact]
    public void What_a_file_cannot_say_stays_as_it_was_unless_somebody_would_have_to_say_it()
    {
        AddStep[] steps =
        [
            Step("list") with { Queue = "slow", Requires = ["gpu"], Deadline = DateTimeOffset.UnixEpoch, Input = JsonElement.Parse("{\"n\":1.0}"), FanOut = [new FanOut { Step = Step("part") with { FanOut = [new FanOut { Step = Step("inner") }] } }] },
        ];
        var edit = new PlanFileEdit(steps);
        Assert.Equal(Text(steps), Text(edit.Read(edit.Text)));

        var raised = Assert.Single(edit.Read(edit.Text.Replace("name: list\n", "name: list\n  priority: 4\n")));
        Assert.Equal(Text([steps[0] with { Priority = 4 }]), Text([raised]));
        var refused = Assert.Throws<PlanFileException>(() => edit.Read(edit.Text.Replace("agent: nobody\n", "agent: somebody\n")));
        Assert.Contains("cannot be said in a file", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_sentence_that_names_a_step_is_found_at_its_line()
    {
        var text = "steps:\n- name: build\n  agent: a\n- name: build-docs\n  agent: a\n";
        Assert.Equal(4, PlanFileEdit.LineOf(text, "Step build-docs is running; what it does cannot be changed any more."));
        Assert.Equal(2, PlanFileEdit.LineOf(text, "Step build is running."));
        Assert.Null(PlanFileEdit.LineOf(text, "Step builder is running."));
    }

    private static AddStep Step(string name) => new() { Name = name, Executor = "agent:nobody" };

    private static StepDependency On(string step, string? when = null) => when switch
    {
        null => new(step, OnlyCompleted: true),
        "ended" => new(step, OnlyCompleted: false),
        "passed" => new(step, OnlyCompleted: false, when),
        _ => new(step, OnlyCompleted: true, when),
    };

    private static string Text(IEnumerable<AddStep> steps) => JsonSerializer.Serialize(steps, AstraJson.Options);
}
