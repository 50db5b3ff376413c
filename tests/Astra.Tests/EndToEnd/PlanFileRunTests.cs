using System.Text;
using Astra.Sdk;
using Astra.Tests.Structure;
using Xunit;

namespace Astra.Tests.EndToEnd;

/// <summary>`astra run FILE`.</summary>
public sealed class PlanFileRunTests : IAsyncDisposable
{
    private readonly AstraMachine _machine = new();

    [Fact]
    public async Task A_plan_file_runs_in_the_sandbox()
    {
        var run = await _machine.Astra("run", Path.Combine(Repository.Root, "examples/plans/hello.yaml"), "--json").EndsWithAsync(0);
        var goal = AstraJson.Read<GoalView>(Encoding.UTF8.GetBytes(run.Out));
        Assert.Equal((GoalState.Completed, 3, 3), (goal.State, goal.Tasks.Completed, goal.Tasks.Total));
        Assert.Empty(_machine.Processes());
    }

    [Theory]
    [InlineData("Line 2: These steps wait for each other: a → b → a.", "steps:\n  - name: a\n    tool: shell\n    after: b\n  - name: b\n    tool: shell\n    after: a\n")]
    [InlineData("Line 3: There is no tool 'sehll'", "steps:\n  - name: a\n    tool: sehll\n")]
    public async Task A_plan_file_that_cannot_run_is_refused_with_the_line_before_anything_starts(string because, string yaml)
    {
        var plan = _machine.Write("plan.yaml", yaml);
        var refused = await _machine.Astra("run", plan).EndsWithAsync(1);
        Assert.StartsWith($"astra: {plan}: {because}", refused.Error, StringComparison.Ordinal);
        Assert.Single(refused.Error.TrimEnd().Split('\n'));
        Assert.False(Directory.Exists(_machine.Data.Path));
    }

    public ValueTask DisposeAsync() => _machine.DisposeAsync();
}
