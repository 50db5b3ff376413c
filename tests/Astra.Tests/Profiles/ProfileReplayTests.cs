using Astra.Llm.Money;
using Astra.Sdk;
using Astra.Tests.Api;
using Astra.Tests.Models;

namespace Astra.Tests.Profiles;

/// <summary>Goals of agents without code, once more from what was recorded of them.</summary>
public sealed class ProfileReplayTests
{
    private static readonly AgentProfile Writer = ProfileWorld.Writer;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_loop_is_run_again_to_the_same_hash_with_its_failures_and_its_costs_and_nobody_asked()
    {
        await using var world = await ProfileWorld.StartAsync(
            Writer with { Limits = new() { Dollars = 1 }, Tools = ["shell", "mail"] },
            (count, _) => count switch
            {
                1 => ModelScript.Calls(("axe", "{}"), ("shell", """{"command":7}"""), ("shell", """{"command":"false"}""")),
                2 => ModelScript.Calls(("shell", """{"command":"wc"}"""), ("mail", """{"to":"ada"}""")),
                3 => ModelScript.Calls(("mail", """{"to":"bob"}""")),
                _ => ModelScript.Chat("done"),
            },
            prices: new EveryModelCosts(1), tools: new ToolDefinition { Name = "mail", Version = "1", Command = ["/bin/mail"], Effects = ToolEffects.Outside });
        world.Sandbox.Answer = spec => spec.Arguments is ["-c", "false"] ? FakeSandbox.Result("", exitCode: 3, error: "no such thing") : FakeSandbox.Result("\"well\"");
        var goal = await world.RunAsync();
        Assert.Equal(GoalState.Completed, goal.State);
        // Four questions of 13 tokens.
        Assert.Equal(0.000052m, goal.Result!.Value.GetProperty("dollars").GetDecimal());
        await SameAsync(world, goal, ["plan", "reflect", "work"]);
        // A profile that says something else by now is not the one that the goal was planned with.
        await world.Client.SetProfileAsync(Writer with { Prompt = "You rhyme.", Tools = [] }, Ct);
        await SameAsync(world, goal, ["plan", "reflect", "work"]);
    }

    [Fact]
    public async Task A_plan_that_a_model_made_is_made_again_although_the_budget_has_less_left()
    {
        const string plan = """
            {"steps": [
              {"name": "list", "tool": "list", "input": {}},
              {"name": "read", "fan_out": {"over": "list.output.files", "step": {"agent": "writer", "input": "Read ${item}."}, "join": "sum"}},
              {"name": "sum", "agent": "writer", "input": "Sum up."}]}
            """;
        var budget = new ShrinkingBudget { Left = new Nanodollars(5_000_000_000) };
        await using var world = await ProfileWorld.StartAsync(
            Writer with { Planner = ProfilePlanner.Model, Tools = ["list"] }, (count, _) => ModelScript.Chat(count switch { 1 => "No.", 2 => plan, _ => $"answer {count}" }), budget, new EveryModelCosts(1),
            new ToolDefinition { Name = "list", Version = "1", Command = ["/bin/list"] });
        world.Sandbox.Answer = _ => FakeSandbox.Result("""{"files": ["a", "b"]}""");
        var goal = await world.RunAsync();
        Assert.Equal(GoalState.Completed, goal.State);
        budget.Left = new Nanodollars(7);
        // The tool's own step takes its recorded result.
        await SameAsync(world, goal, ["plan", "read-1", "read-2", "reflect", "sum"]);
    }

    private static async Task SameAsync(ProfileWorld world, GoalView goal, string[] runAgain)
    {
        var (asked, run, paid) = (world.Model.Seen.Count, world.Sandbox.Runs.Count, world.Usage.Records.Count);
        var replay = await world.Client.ReplayGoalAsync(goal.Id, Ct);
        Assert.Empty(replay.Problems);
        Assert.True(replay.IsSame);
        Assert.Equal(runAgain, replay.Steps.Where(step => step.IsRunAgain).Select(step => step.Name).Order(StringComparer.Ordinal));
        Assert.Equal((asked, run, paid), (world.Model.Seen.Count, world.Sandbox.Runs.Count, world.Usage.Records.Count));
    }

    /// <summary>Room for everything, and a figure that somebody changes.</summary>
    private sealed class ShrinkingBudget : IBudgets
    {
        public Nanodollars Left { get; set; }

        public ValueTask<bool> MayRefuseAsync(Spender spender, CancellationToken cancellationToken) => ValueTask.FromResult(true);

        public ValueTask<Nanodollars?> LeftAsync(Spender spender, CancellationToken cancellationToken) => ValueTask.FromResult<Nanodollars?>(Left);

        public ValueTask<ReserveOutcome> ReserveAsync(Spender spender, Nanodollars worstCase, CancellationToken cancellationToken) => NoBudgets.Instance.ReserveAsync(spender, worstCase, cancellationToken);
    }
}
