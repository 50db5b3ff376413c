using System.Collections.Concurrent;
using Astra.Governance;
using Astra.Sdk;

namespace Astra.Tests.Api;

/// <summary>Agents that submit goals for agents, in the server's process and from a worker.</summary>
public sealed class ChildGoalApiTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_step_that_is_tried_again_submits_its_goals_once(bool isRemote)
    {
        var given = new ConcurrentBag<Guid>();
        var lead = new TestAgent("lead")
        {
            OnPlan = OneStep,
            OnStep = async (turn, ct) =>
            {
                given.Add(await turn.SubmitGoalAsync(new AgentGoal("echo") { Title = "for the lead", Input = AstraJson.ToElement(new { text = "hi" }) }, cancellationToken: ct));
                given.Add(await turn.SubmitGoalAsync(new AgentGoal("echo") { Input = AstraJson.ToElement(new { text = "ho" }), OnCancelledParent = CascadePolicy.GoOn }, "second", ct));
                return turn.Attempt == 1 ? throw new InvalidOperationException("once more") : StepResult.Done(turn.Attempt);
            },
        };
        await using var server = isRemote ? await ServerFixture.StartAsync(TestAgent.Echo()) : await ServerFixture.StartAsync(lead, TestAgent.Echo());
        var client = await server.ClientAsync();
        using var stop = new CancellationTokenSource();
        var working = isRemote ? new AstraWorker(server.Address, await server.NewKeyAsync(Role.Member)).Add(lead).RunAsync(stop.Token) : Task.CompletedTask;

        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "lead" }, cancellationToken: Ct);
        Assert.Equal(2, (await client.FinishAsync(goal.Id, Ct)).Result!.Value.GetInt32());
        Assert.Equal((4, 2), (given.Count, given.Distinct().Count()));
        foreach (var child in given.Distinct())
        {
            var done = await client.FinishAsync(child, Ct);
            Assert.Equal((GoalState.Completed, goal.Id), (done.State, done.Parent));
        }
        Assert.Equal(3, (await client.ListGoalsAsync(cancellationToken: Ct)).Items.Count);
        Assert.Equal(["#1", "second"], (await client.ListEventsAsync(goal.Id, cancellationToken: Ct)).Items.Where(happened => happened.Kind == "goal_delegated").Select(happened => happened.Text));
        await stop.CancelAsync();
        await working;
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_agent_that_submits_too_much_gets_a_refusal_that_says_when_to_go_on(bool isRemote)
    {
        var lead = new TestAgent("lead")
        {
            OnPlan = OneStep,
            OnStep = async (turn, ct) =>
            {
                for (var taken = 0; ; taken++)
                {
                    try
                    {
                        await turn.SubmitGoalAsync(new AgentGoal("nobody"), cancellationToken: ct);
                    }
                    catch (GoalRefusedException e)
                    {
                        return StepResult.Done(new { taken, refusal = e.Refusal, waits = e.RetryAfter > TimeSpan.Zero });
                    }
                }
            },
        };
        await using var server = isRemote ? await ServerFixture.StartAsync() : await ServerFixture.StartAsync(lead);
        var client = await server.ClientAsync();
        using var stop = new CancellationTokenSource();
        var working = isRemote ? new AstraWorker(server.Address, await server.NewKeyAsync(Role.Member)).Add(lead).RunAsync(stop.Token) : Task.CompletedTask;
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "lead" }, cancellationToken: Ct);
        await client.FinishAsync(goal.Id, Ct);
        var told = (await client.GetPlanAsync(goal.Id, Ct)).Tasks.Single(task => task.Name == "work");
        var result = (await client.GetTaskAsync(told.Id, Ct)).Output!.Value;
        Assert.Equal(("tooMany", true), (result.GetProperty("refusal").GetString(), result.GetProperty("waits").GetBoolean()));
        // The burst, and what the bucket took in while it lasted.
        Assert.True(result.GetProperty("taken").GetInt32() >= 100);
        await stop.CancelAsync();
        await working;
    }

    [Fact]
    public async Task A_step_that_asks_for_an_impossible_goal_is_not_tried_again()
    {
        var lead = new TestAgent("lead")
        {
            OnPlan = OneStep,
            OnStep = async (turn, ct) => StepResult.Done(await turn.SubmitGoalAsync(new AgentGoal("No Name"), cancellationToken: ct)),
        };
        await using var server = await ServerFixture.StartAsync(lead);
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "lead" }, cancellationToken: Ct);
        await client.FinishAsync(goal.Id, Ct);
        var work = (await client.GetPlanAsync(goal.Id, Ct)).Tasks.Single(task => task.Name == "work");
        Assert.Equal((TaskState.Dead, 1, FailureKind.Permanent), (work.State, work.Attempt, work.Failure!.Kind));
    }

    [Fact]
    public async Task The_children_of_a_goal_are_listed_with_their_states_page_by_page()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        var parent = await client.SubmitAsync(new GoalSubmission { Agent = "nobody" }, cancellationToken: Ct);
        var children = new List<Guid>();
        for (var i = 0; i < 3; i++)
            children.Insert(0, (await client.SubmitAsync(new GoalSubmission { Agent = "nobody", Title = $"child {i}", Parent = parent.Id }, cancellationToken: Ct)).Id);
        await client.CancelGoalAsync(children[1], "not needed", Ct);

        var first = await client.ListChildrenAsync(parent.Id, limit: 2, cancellationToken: Ct);
        var second = await client.ListChildrenAsync(parent.Id, cursor: first.Next, limit: 2, cancellationToken: Ct);
        Assert.Equal(children.Order(), first.Items.Concat(second.Items).Select(child => child.Id).Order());
        Assert.Null(second.Next);
        Assert.Equal([children[1]], (await client.ListChildrenAsync(parent.Id, GoalState.Cancelled, cancellationToken: Ct)).Items.Select(child => child.Id));
        Assert.Empty((await client.ListChildrenAsync(children[0], cancellationToken: Ct)).Items);

        var unknown = await Assert.ThrowsAsync<AstraException>(() => client.ListChildrenAsync(Guid.CreateVersion7(), cancellationToken: Ct));
        Assert.Equal(404, unknown.Status);
        Assert.Equal([children[1]], (await client.ListGoalsAsync(GoalState.Cancelled, cancellationToken: Ct)).Items.Select(goal => goal.Id));
        using var raw = await server.RawAsync();
        Assert.Contains("state is one of active, completed, failed, cancelled.", await (await raw.GetAsync("/api/v1/goals?state=1", Ct)).Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);
        Assert.Equal(400, (await Assert.ThrowsAsync<AstraException>(() => client.ListChildrenAsync(parent.Id, cursor: "nonsense", cancellationToken: Ct))).Status);
        var stranger = await server.ClientAsync(new Astra.Kernel.TenantId(Guid.NewGuid()));
        Assert.Equal(404, (await Assert.ThrowsAsync<AstraException>(() => stranger.ListChildrenAsync(parent.Id, cancellationToken: Ct))).Status);
    }

    [Fact]
    public async Task A_worker_submits_goals_only_for_what_it_holds()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        await using var worker = await RawWorker.ConnectAsync(server);
        await worker.HelloAsync();
        await client.SubmitAsync(new GoalSubmission { Agent = "raw" }, cancellationToken: Ct);
        var held = (await worker.NextAsync<ServerFrame.Assign>()).Task;

        worker.Send(new WorkerFrame.SubmitGoal(Guid.NewGuid(), held.TaskId, held.Attempt + 1, "#1", new AgentGoal("raw")));
        var refused = await worker.NextAsync<ServerFrame.GoalAnswer>();
        Assert.Equal((null, GoalRefusal.Late), (refused.GoalId, refused.Refusal));
        worker.Send(new WorkerFrame.SubmitGoal(Guid.NewGuid(), held.TaskId, held.Attempt, "#1", null!));
        Assert.Equal(GoalRefusal.Invalid, (await worker.NextAsync<ServerFrame.GoalAnswer>()).Refusal);
        var call = Guid.NewGuid();
        worker.Send(new WorkerFrame.SubmitGoal(call, held.TaskId, held.Attempt, "#1", new AgentGoal("raw")));
        var taken = await worker.NextAsync<ServerFrame.GoalAnswer>();
        Assert.Equal((call, held.GoalId), (taken.CallId, (await client.GetGoalAsync(taken.GoalId!.Value, Ct)).Parent));
        Assert.Single((await client.ListGoalsAsync(cancellationToken: Ct)).Items, goal => goal.Parent is not null);
    }

    private static Plan OneStep(PlanningTurn turn)
    {
        var plan = new Plan();
        plan.Step("work", "work");
        return plan;
    }
}
