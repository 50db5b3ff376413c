using System.Text.Json;
using Astra.Llm.Money;
using Astra.Sdk;
using Astra.Tests.EndToEnd;
using Astra.Tests.Api;
using Astra.Tests.Models;

namespace Astra.Tests.Profiles;

/// <summary>`planner: model`: what a model plans is checked like a plan file, mended so often and no more, and never run unchecked.</summary>
public sealed class ModelPlannerTests
{
    private const string GoodPlan = """
        {"steps": [
          {"name": "count", "tool": "shell", "input": {"command": "wc"}},
          {"name": "judge", "agent": "writer", "input": "Judge the count.", "after": ["count"]}]}
        """;

    private static readonly AgentProfile Planner = ProfileWorld.Writer with { Planner = ProfilePlanner.Model };

    private static readonly ToolDefinition Deploy = new() { Name = "deploy", Version = "1", Command = ["/bin/deploy"], NeedsPerson = true };

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_model_turns_a_goal_into_a_plan_whose_steps_run_like_any_others()
    {
        await using var world = await ProfileWorld.StartAsync(Planner, (count, _) => count == 1 ? ModelScript.Chat($"Here it is:\n```json\n{GoodPlan}\n```") : ModelScript.Chat("enough"));
        var goal = await world.RunAsync("How many are there?");
        Assert.Equal((GoalState.Completed, "enough"), (goal.State, goal.Result!.Value.GetProperty("answer").GetString()));
        var steps = (await world.Client.GetPlanAsync(goal.Id, Ct)).Tasks.ToDictionary(task => task.Name);
        Assert.Equal(("tool:shell", "agent:profile"), (steps["count"].Executor, steps["judge"].Executor));
        Assert.Equal(new StepDependency("count", true), Assert.Single(steps["judge"].After));
        var told = world.Messages(2)[1].GetProperty("content").GetString()!;
        Assert.StartsWith("Step count gave:", told, StringComparison.Ordinal);
        Assert.EndsWith("Judge the count.", told, StringComparison.Ordinal);
        var added = new List<string>();
        await foreach (var happened in world.Client.FollowAsync(goal.Id, 0, Ct))
            added.Add(happened.ToString()!);
        Assert.Contains(added, text => text.Contains("judge", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_list_that_a_step_gives_becomes_steps_for_the_model()
    {
        const string plan = """
            {"steps": [
              {"name": "list", "tool": "shell", "input": {"command": "ls"}},
              {"name": "read", "fan_out": {"over": "list.output.stdout", "step": {"agent": "writer"}}}]}
            """;
        await using var world = await ProfileWorld.StartAsync(Planner, (count, _) => ModelScript.Chat(count == 1 ? plan : "read it"));
        var goal = await world.RunAsync();
        // What the shell gives is a text and no list: the step that says so is dead, and nothing was asked.
        Assert.Equal(GoalState.Failed, goal.State);
        Assert.Contains("there is no list there", (await world.StepAsync(goal, "list")).Failure!.Reason, StringComparison.Ordinal);
        Assert.Single(world.Model.Seen);
    }

    [Fact]
    public async Task A_plan_with_a_fan_out_runs_to_its_end_with_a_step_for_each_item_and_one_that_joins_them()
    {
        const string plan = """
            {"steps": [
              {"name": "list", "tool": "list", "input": {}},
              {"name": "read", "fan_out": {"over": "list.output.files", "step": {"agent": "writer", "input": "Read ${item.name}, number ${index}."}, "join": "sum"}},
              {"name": "sum", "agent": "writer", "input": "Sum up."}]}
            """;
        await using var world = await ProfileWorld.StartAsync(
            Planner with { Tools = ["list"] }, (count, request) => ModelScript.Chat(count == 1 ? plan : $"<{Task(request)}>"),
            tools: new ToolDefinition { Name = "list", Version = "1", Command = ["/bin/list"] });
        world.Sandbox.Answer = _ => FakeSandbox.Result("""{"files": [{"name": "a.txt"}, {"name": "b.txt"}, {"name": "c.txt"}]}""");
        var goal = await world.RunAsync("Read them all.");
        Assert.Equal((GoalState.Completed, "<Sum up.>"), (goal.State, goal.Result!.Value.GetProperty("answer").GetString()));
        var steps = (await world.Client.GetPlanAsync(goal.Id, Ct)).Tasks;
        Assert.Equal(["list", "plan", "read-1", "read-2", "read-3", "reflect", "sum"], steps.Select(step => step.Name).Order(StringComparer.Ordinal));
        Assert.All(steps, step => Assert.Equal((TaskState.Completed, 1), (step.State, step.Attempt)));
        Assert.Equal(["Read a.txt, number 1.", "Read b.txt, number 2.", "Read c.txt, number 3."], world.Model.Seen.Skip(1).SkipLast(1).Select(Task).Order(StringComparer.Ordinal));
        // Who joins them sees what each part gave.
        var joined = world.Model.Seen.Last().Json.GetProperty("messages")[1].GetProperty("content").GetString()!;
        Assert.All((string[])["Step read-1 gave:", "<Read a.txt, number 1.>", "Step read-3 gave:", "<Read c.txt, number 3.>"], words => Assert.Contains(words, joined, StringComparison.Ordinal));

        static string Task(ModelRequest request) => request.Json.GetProperty("messages")[1].GetProperty("content").GetString()!.Split("Task:\n\n")[^1];
    }

    [Fact]
    public async Task A_plan_that_is_refused_is_mended_with_the_validators_words()
    {
        await using var world = await ProfileWorld.StartAsync(Planner, (count, _) => ModelScript.Chat(count switch
        {
            1 => """{"steps": [{"name": "cut", "tool": "axe"}]}""",
            2 => GoodPlan,
            _ => "enough",
        }));
        Assert.Equal(GoalState.Completed, (await world.RunAsync()).State);
        var repair = world.Messages(2)[^1];
        Assert.Equal("user", repair.GetProperty("role").GetString());
        Assert.StartsWith("That plan is refused: Line 1: There is no tool 'axe'; there is shell@1.", repair.GetProperty("content").GetString()!, StringComparison.Ordinal);
    }

    public static TheoryData<string, string> WrongPlans => new()
    {
        { "I would rather not.", "A plan file is a mapping" },
        { """{"steps": []}""", "A plan has at least one step." },
        { """{"steps": [{"name": "a", "agent": "writer", "after": ["b"]}, {"name": "b", "agent": "writer", "after": ["a"]}]}""", "These steps wait for each other: a → b → a." },
        { """{"steps": [{"name": "a", "agent": "writer", "after": ["gone"]}]}""", "waits for 'gone', and there is no such step" },
        { """{"steps": [{"name": "a", "agent": "auditor"}]}""", "Step 'a' names another agent" },
        { """{"steps": [{"name": "a", "tool": "axe"}]}""", "There is no tool 'axe'" },
        { """{"steps": [{"name": "a", "tool": "shell", "input": {"cmd": "wc"}}]}""", "The input of step 'a' is not what shell takes. The input lacks 'command'." },
        { """{"steps": [{"name": "plan", "agent": "writer"}]}""", "A step cannot be named 'plan'" },
        { """{"steps": [{"name": "a", "agent": "writer"}], "priority": 9}""", "neither a priority nor an onDeadTask" },
        { """{"steps": [{"name": "a", "agent": "writer", "requires": ["not a capability!"]}]}""", "requires something that cannot be a capability" },
    };

    [Theory]
    [MemberData(nameof(WrongPlans))]
    public async Task A_plan_that_stays_wrong_fails_the_goal_with_the_validators_sentence_and_nothing_of_it_runs(string plan, string sentence)
    {
        await using var world = await ProfileWorld.StartAsync(Planner with { Tools = ["shell", "deploy"], Repairs = 1 }, (_, _) => ModelScript.Chat(plan), tools: Deploy);
        var goal = await world.RunAsync();
        Assert.Equal(GoalState.Failed, goal.State);
        var step = Assert.Single((await world.Client.GetPlanAsync(goal.Id, Ct)).Tasks);
        Assert.Equal(("plan", FailureKind.Permanent, 1), (step.Name, step.Failure!.Kind, step.Attempt));
        Assert.StartsWith("The model's plan is refused: ", step.Failure.Reason, StringComparison.Ordinal);
        Assert.Contains(sentence, step.Failure.Reason, StringComparison.Ordinal);
        Assert.Equal(2, world.Model.Seen.Count);
        Assert.Empty(world.Sandbox.Runs);
    }

    [Fact]
    public async Task A_step_of_a_models_plan_asks_a_person_where_its_tool_needs_one()
    {
        await using var world = await ProfileWorld.StartAsync(Planner with { Tools = ["deploy"] }, (_, _) => ModelScript.Chat("""{"steps": [{"name": "a", "tool": "deploy"}]}"""), tools: Deploy);
        await world.Client.SubmitAsync(new GoalSubmission { Agent = "writer" }, cancellationToken: Ct);
        await Eventually.HoldsAsync("somebody is asked", async () => (await world.Client.ListApprovalsAsync(cancellationToken: Ct)).Items.Count == 1);
        Assert.Empty(world.Sandbox.Runs);
    }

    [Fact]
    public async Task A_plan_that_may_cost_more_than_the_budget_has_left_is_refused()
    {
        await using var world = await ProfileWorld.StartAsync(
            Planner with { Repairs = 0, Limits = new() { Dollars = 3 } },
            (_, _) => ModelScript.Chat("""{"steps": [{"name": "a", "agent": "writer"}, {"name": "b", "agent": "writer"}]}"""), new OneBudget(Nanodollars.FromDollars(5)), new EveryModelCosts(1));
        var goal = await world.RunAsync();
        Assert.Equal(GoalState.Failed, goal.State);
        Assert.Contains("The plan has 2 steps for the model, which may cost $6, and $5 is left in the budget; plan fewer.", (await world.StepAsync(goal, "plan")).Failure!.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_plan_of_too_many_steps_is_refused()
    {
        var steps = string.Join(",", Enumerable.Range(0, 51).Select(i => $$"""{"name": "s{{i}}", "agent": "writer"}"""));
        await using var world = await ProfileWorld.StartAsync(Planner with { Repairs = 0 }, (_, _) => ModelScript.Chat($$"""{"steps": [{{steps}}]}"""));
        Assert.Contains("The plan has 51 steps, and 50 is the most", (await world.StepAsync(await world.RunAsync(), "plan")).Failure!.Reason, StringComparison.Ordinal);
    }
}
