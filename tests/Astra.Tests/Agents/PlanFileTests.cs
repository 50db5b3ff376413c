using Astra.Agents;
using Astra.Sdk;

namespace Astra.Tests.Agents;

public sealed class PlanFileTests
{
    private static readonly string[] Tools = ["shell", "shell@1"];

    [Fact]
    public void A_plan_file_becomes_a_submission()
    {
        var submission = PlanFile.Parse("""
            title: Count words
            onDeadTask: wait
            steps:
              - name: write
                tool: shell@1
                input: { command: "echo one two", deep: [1, 2.5, true, null, "3", yes] }
                retries: 0
                priority: -5
              - name: count
                tool: shell
                after: [write]
              - name: tidy
                tool: shell
                after:
                  - step: count
                    when: ended
                  - write
            """, Tools);
        Assert.Equal(("Count words", DeadTaskPolicy.Wait), (submission.Title, submission.OnDeadTask));
        var steps = submission.Plan!.Cast<AddStep>().ToList();
        Assert.Equal(("tool:shell@1", 1, -5), (steps[0].Executor, steps[0].AttemptCountMax, steps[0].Priority));
        Assert.Equal("""{"command":"echo one two","deep":[1,2.5,true,null,"3","yes"]}""", steps[0].Input!.Value.GetRawText());
        Assert.Equal([new StepDependency("write", true)], steps[1].After);
        Assert.Equal([new StepDependency("count", false), new StepDependency("write", true)], steps[2].After);
    }

    [Theory]
    [InlineData("", 1, "empty")]
    [InlineData("steps: [", 1, "YAML")]
    [InlineData("- a\n", 1, "mapping")]
    [InlineData("title: x\n", 1, "steps")]
    [InlineData("steps: []\n", 1, "at least one")]
    [InlineData("titel: x\nsteps: []\n", 1, "titel")]
    [InlineData("steps:\n  - name: a\n    tool: shell\n    aftr: b\n", 4, "aftr")]
    [InlineData("steps:\n  - name: a\n    tool: sehll\n", 3, "sehll")]
    [InlineData("steps:\n  - name: a\n    tool: shell\n  - name: a\n    tool: shell\n", 4, "line 2")]
    [InlineData("steps:\n  - name: a\n    tool: shell\n    after: [b]\n", 4, "no such step")]
    [InlineData("steps:\n  - name: a\n    tool: shell\n    after: a\n", 2, "a → a")]
    [InlineData("steps:\n  - name: a\n    tool: shell\n    after: c\n  - name: b\n    tool: shell\n    after: a\n  - name: c\n    tool: shell\n    after: b\n", 2, "a → c → b → a")]
    [InlineData("steps:\n  - name: a\n    tool: shell\n    retries: lots\n", 4, "retries")]
    [InlineData("steps:\n  - name: a\n    tool: shell\n    retries: 100\n", 4, "0 to 99")]
    public void A_mistake_is_one_sentence_with_its_line(string yaml, long line, string mentions)
    {
        var mistake = Assert.Throws<PlanFileException>(() => PlanFile.Parse(yaml, Tools));
        Assert.Contains(mentions, mistake.Message, StringComparison.Ordinal);
        Assert.Equal(line, mistake.Line);
    }

    [Fact]
    public void Aliases_that_multiply_are_stopped()
    {
        var yaml = "steps:\n  - name: a\n    tool: shell\n    input:\n      l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n"
            + string.Concat(Enumerable.Range(1, 9).Select(i => $"      l{i}: &l{i} [{string.Join(", ", Enumerable.Repeat($"*l{i - 1}", 10))}]\n"));
        Assert.Contains("values", Assert.Throws<PlanFileException>(() => PlanFile.Parse(yaml, Tools)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_examples_plan_is_right()
    {
        var submission = PlanFile.Parse(File.ReadAllText(Path.Combine(Repository(), "examples", "plans", "hello.yaml")), Tools);
        Assert.NotEmpty(submission.Plan!);
    }

    private static string Repository()
    {
        var directory = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(directory, "Astra.slnx")))
            directory = Path.GetDirectoryName(directory) ?? throw new InvalidOperationException("The tests run outside of the repository.");
        return directory;
    }
}
