using Astra.Commands;
using Astra.Sdk;
using Xunit;

namespace Astra.Tests.CommandLine;

public sealed class GoalSubmitTests : IDisposable
{
    private static readonly Guid One = new("01998877-6655-7443-8221-100000000001");
    private static readonly Guid Two = new("01998877-6655-7443-8221-100000000002");

    private readonly CommandWorld _world = new();

    [Fact]
    public async Task A_goal_is_submitted_with_what_it_comes_after_and_the_command_does_not_wait()
    {
        _world.Server.Agent = _ => { };
        var said = await _world.TypeAsync("goal", "submit", "--agent", "greeter", "--input", "{\"name\":\"Ada\"}", "--title", "hello", "--key", "k1", "--after", $"{One}", "--after-end", $"{Two}", "--go-on", "--parent", $"{One}");
        Assert.Equal((0, ""), (said.ExitCode, said.Error));
        Assert.StartsWith($"Goal {_world.Server.LatestGoal}: hello", said.Out, StringComparison.Ordinal);
        var submission = Assert.Single(_world.Server.Submissions);
        Assert.Equal([new GoalAfter(One), new GoalAfter(Two, GoalCondition.Ended)], submission.After!);
        Assert.Equal((CascadePolicy.GoOn, One, "Ada"), (submission.OnFailedGoal, submission.Parent, submission.Input!.Value.GetProperty("name").GetString()));
        Assert.Equal(["k1"], _world.Server.IdempotencyKeys);
    }

    [Theory]
    [InlineData("go-on", CascadePolicy.GoOn)]
    [InlineData("cancel", CascadePolicy.Cancel)]
    public async Task A_child_says_what_becomes_of_it_when_its_parent_is_cancelled(string typed, CascadePolicy policy)
    {
        _world.Server.Agent = _ => { };
        Assert.Equal(0, (await _world.TypeAsync("goal", "submit", "--agent", "a", "--parent", $"{One}", "--on-cancelled-parent", typed)).ExitCode);
        Assert.Equal((One, policy), (_world.Server.Submissions[0].Parent, _world.Server.Submissions[0].OnCancelledParent));
        Assert.Equal(0, (await _world.TypeAsync("goal", "submit", "--agent", "a", "--parent", $"{One}")).ExitCode);
        Assert.Null(_world.Server.Submissions[1].OnCancelledParent);
    }

    [Fact]
    public async Task A_plan_file_is_submitted_as_it_is()
    {
        _world.Server.Agent = _ => { };
        _world.ReadPlan = _ => new PlanReading(new GoalSubmission { Title = "from the file", Plan = [new AddStep { Name = "one", Executor = "tool:shell" }] }, null);
        var said = await _world.TypeAsync("goal", "submit", _world.NewFile("plan.yaml", "steps: []"), "--json");
        Assert.Equal(0, said.ExitCode);
        Assert.Equal(("from the file", null), (_world.Server.Submissions[0].Title, _world.Server.Submissions[0].After));
    }

    [Theory]
    [InlineData("give either a plan file or --agent NAME", "goal", "submit")]
    [InlineData("give either a plan file or --agent NAME", "goal", "submit", "plan.yaml", "--agent", "a")]
    [InlineData("--go-on says what becomes of a goal", "goal", "submit", "--agent", "a", "--go-on")]
    [InlineData("name its parent with --parent GOAL", "goal", "submit", "--agent", "a", "--on-cancelled-parent", "cancel")]
    [InlineData("'perhaps' is not one of cancel, go-on", "goal", "submit", "--agent", "a", "--parent", "01998877-6655-7443-8221-100000000001", "--on-cancelled-parent", "perhaps")]
    [InlineData("leave --agent out", "goal", "list", "--agent", "a", "--parent", "01998877-6655-7443-8221-100000000001")]
    [InlineData("--input is for an agent", "goal", "submit", "plan.yaml", "--input", "{}")]
    public async Task What_makes_no_sense_is_said_in_a_sentence(string sentence, params string[] words) =>
        (await _world.TypeAsync(words)).IsSentence(ExitCodes.Usage, sentence);

    [Fact]
    public async Task A_plan_file_that_is_not_there_is_said_so() =>
        (await _world.TypeAsync("goal", "submit", "/nowhere/plan.yaml")).IsSentence(ExitCodes.Error, "There is no file /nowhere/plan.yaml");

    public void Dispose() => _world.Dispose();
}
