using Astra.Sdk;

namespace Astra.Tests.Api;

/// <summary>A plan as the steps that would make it, and back again.</summary>
public sealed class PlanStepsTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_steps_of_a_plan_applied_to_it_change_nothing_and_what_waits_for_a_group_waits_on()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Plan = [Step("a"), Step("z", "a")] }, cancellationToken: Ct);
        await client.EditPlanAsync(goal.Id, new PlanPatch([new AttachGroup("g", [Step("x")]) { After = [On("a")], Before = ["z"] }]), null, Ct);

        var steps = await client.GetPlanStepsAsync(goal.Id, Ct);
        Assert.Equal((2, "a ;z a"), (steps.Revision, string.Join(';', steps.Steps.Select(step => $"{step.Name} {string.Join(',', step.After.Select(after => after.Step))}").Order(StringComparer.Ordinal))));
        Assert.Empty(steps.Started);
        Assert.Empty((await client.ApplyPlanAsync(goal.Id, new PlanTarget(steps.Steps), cancellationToken: Ct)).Edits);

        var change = await client.ApplyPlanAsync(goal.Id, new PlanTarget([Step("a"), Step("b"), Step("z", "b")]), cancellationToken: Ct);
        Assert.Equal(["add b", "rewire z b,g/x"], change.Edits.Select(edit => edit switch
        {
            AddStep add => $"add {add.Name}",
            RewireStep rewire => $"rewire {rewire.Name} {string.Join(',', rewire.After.Select(after => after.Step))}",
            _ => edit.ToString(),
        }));
    }

    [Fact]
    public async Task The_steps_of_a_goal_say_which_have_started_and_nothing_of_the_agents_own()
    {
        await using var server = await ServerFixture.StartAsync(TestAgent.Echo());
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "echo", Input = AstraJson.ToElement("hello") }, cancellationToken: Ct);
        await client.FinishAsync(goal.Id, Ct);
        var steps = await client.GetPlanStepsAsync(goal.Id, Ct);
        Assert.Equal(["work"], steps.Started);
        var work = Assert.Single(steps.Steps);
        Assert.Equal(("work", "agent:echo", "echo", "hello"), (work.Name, work.Executor, work.Kind, work.Input!.Value.GetString()));
        Assert.Empty(work.After);

        var other = await server.ClientAsync(new Kernel.TenantId(Guid.NewGuid()));
        Assert.Equal(404, (await Assert.ThrowsAsync<AstraException>(() => other.GetPlanStepsAsync(goal.Id, Ct))).Status);
    }

    [Fact]
    public async Task A_step_is_replaced_with_everything_that_the_other_one_is()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Plan = [Step("a")] }, cancellationToken: Ct);
        var whole = new AddStep
        {
            Name = "a", Executor = "agent:other", Kind = "k", Input = AstraJson.ToElement(1), Priority = 3, AttemptCountMax = 7, LeaseSeconds = 12, Retry = new RetryDelays(1, 2, 3),
            WorkersLostMax = 4, EffectKeys = EffectKeys.PerAttempt, FanOut = [new FanOut { Step = Step("part") }],
        };
        await client.EditPlanAsync(goal.Id, new PlanPatch([new ReplaceStep(whole)]), 1, Ct);
        var now = Assert.Single((await client.GetPlanStepsAsync(goal.Id, Ct)).Steps);
        Assert.Equal(AstraJson.Write(whole), AstraJson.Write(now));
    }

    private static AddStep Step(string name, params string[] after) => new() { Name = name, Executor = "agent:nobody", After = [.. after.Select(On)] };

    private static StepDependency On(string step) => new(step, OnlyCompleted: true);
}
