using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Astra.Kernel;
using Astra.Sdk;
using Astra.Tools.Sandboxes;

namespace Astra.Tests.Api;

public sealed class GoalApiTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_goal_is_planned_executed_and_reflected_on_by_its_agent()
    {
        await using var server = await ServerFixture.StartAsync(TestAgent.Echo());
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "echo", Input = AstraJson.ToElement(new { text = "hello" }) }, cancellationToken: Ct);
        var done = await client.FinishAsync(goal.Id, Ct);
        Assert.Equal(GoalState.Completed, done.State);
        Assert.Equal("hello", done.Result!.Value.GetProperty("text").GetString());
        Assert.Equal(["plan", "reflect", "work"], (await client.GetPlanAsync(goal.Id, Ct)).Tasks.Select(task => task.Name).Order());
    }

    [Fact]
    public async Task A_reflection_waits_for_steps_that_were_added_while_others_ran()
    {
        var agent = new TestAgent("spread")
        {
            OnPlan = _ =>
            {
                var plan = new Plan();
                plan.Step("a", "spread");
                plan.Step("b", "spread");
                return plan;
            },
            OnStep = (turn, _) =>
            {
                var more = new Plan();
                if (turn.Kind == "spread")
                    for (var i = 0; i < 3; i++)
                        more.Step($"{turn.Name}{i}", "leaf");
                return Task.FromResult(StepResult.Done(turn.Name, more));
            },
            OnReflect = turn => StepResult.Done(turn.Steps.Keys.Order().ToList()),
        };
        await using var server = await ServerFixture.StartAsync(agent);
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "spread" }, cancellationToken: Ct);
        var done = await client.FinishAsync(goal.Id, Ct);
        Assert.Equal(GoalState.Completed, done.State);
        Assert.Equal(["a", "a0", "a1", "a2", "b", "b0", "b1", "b2"], AstraJson.Read<List<string>>(done.Result!.Value));
    }

    [Fact]
    public async Task A_reflection_that_asks_for_more_is_followed_by_another()
    {
        var agent = new TestAgent("twice")
        {
            OnReflect = turn =>
            {
                var more = new Plan();
                if (turn.Steps.Count == 0)
                    more.Step("again", "leaf");
                return StepResult.Done(turn.Steps.Keys.ToList(), more);
            },
        };
        await using var server = await ServerFixture.StartAsync(agent);
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "twice" }, cancellationToken: Ct);
        var done = await client.FinishAsync(goal.Id, Ct);
        Assert.Equal(["again"], AstraJson.Read<List<string>>(done.Result!.Value));
    }

    [Fact]
    public async Task A_plan_of_tool_steps_runs_without_an_agent()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Title = "a plan", Plan = [Shell("one", "echo 1"), Shell("two", "echo 2") with { After = [new StepDependency("one", true)] }] }, cancellationToken: Ct);
        var done = await client.FinishAsync(goal.Id, Ct);
        Assert.Equal(GoalState.Completed, done.State);
        Assert.Equal("ran echo 2", done.Result!.Value.GetProperty("stdout").GetString());
    }

    [Fact]
    public async Task The_same_key_and_body_again_answer_the_same_goal()
    {
        await using var server = await ServerFixture.StartAsync(TestAgent.Echo());
        var client = await server.ClientAsync();
        var first = await client.SubmitAsync(new GoalSubmission { Agent = "echo" }, "once", Ct);
        var second = await client.SubmitAsync(new GoalSubmission { Agent = "echo" }, "once", Ct);
        Assert.Equal(first.Id, second.Id);
        var other = await Assert.ThrowsAsync<AstraException>(() => client.SubmitAsync(new GoalSubmission { Agent = "echo", Title = "other" }, "once", Ct));
        Assert.Equal(409, other.Status);
    }

    [Theory]
    [InlineData("""{}""", 422, "agent")]
    [InlineData("""{"agent":"Not A Name"}""", 422, "name")]
    [InlineData("""{"agent":"echo","priority":1000}""", 422, "priority")]
    [InlineData("""{"plan":[{"op":"add","name":"x","executor":"tool:nothing"}]}""", 422, "nothing")]
    [InlineData("""{"plan":[{"op":"add","name":"x","executor":"what"}]}""", 422, "executor")]
    [InlineData("""{"plan":[{"op":"remove","name":"x"}]}""", 422, "adds")]
    [InlineData("""{"plan":[{"op":"dance","name":"x"}]}""", 400, "JSON")]
    [InlineData("""{"plan":[null]}""", 422, "")]
    [InlineData("""{"agent":"echo","title":"a\u0000b"}""", 422, "title")]
    [InlineData("""{"agent":""", 400, "JSON")]
    [InlineData("""[]""", 400, "JSON")]
    public async Task A_wrong_submission_is_refused_with_one_sentence(string body, int status, string mentions)
    {
        await using var server = await ServerFixture.StartAsync(TestAgent.Echo());
        var response = await (await server.RawAsync()).PostAsync("/api/v1/goals", new StringContent(body, null, "application/json"), Ct);
        var problem = await Problems.ReadAsync(response, Ct);
        Assert.Equal(status, problem.Status);
        Assert.Contains(mentions, problem.Detail, StringComparison.Ordinal);
        Assert.Empty(server.Errors);
    }

    [Fact]
    public async Task The_goal_of_another_tenant_does_not_exist()
    {
        await using var server = await ServerFixture.StartAsync(TestAgent.Echo());
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "echo" }, cancellationToken: Ct);
        await client.FinishAsync(goal.Id, Ct);
        var stranger = await server.ClientAsync(new TenantId(Guid.NewGuid()));
        Func<Task>[] tries =
        [
            () => stranger.GetGoalAsync(goal.Id, Ct), () => stranger.GetPlanAsync(goal.Id, Ct), () => stranger.WhyAsync(goal.Id, Ct),
            () => stranger.CancelGoalAsync(goal.Id, null, Ct), () => stranger.ListEventsAsync(goal.Id, cancellationToken: Ct),
            () => stranger.Artifacts.SaveAsync(goal.Id, "x", new byte[1], Ct).AsTask(),
        ];
        foreach (var attempt in tries)
            Assert.Equal(404, (await Assert.ThrowsAsync<AstraException>(attempt)).Status);
        Assert.Empty((await stranger.ListGoalsAsync(cancellationToken: Ct)).Items);
    }

    [Fact]
    public async Task A_list_is_read_page_by_page()
    {
        await using var server = await ServerFixture.StartAsync(TestAgent.Echo());
        var client = await server.ClientAsync();
        var submitted = new List<Guid>();
        for (var i = 0; i < 5; i++)
            submitted.Add((await client.SubmitAsync(new GoalSubmission { Agent = "echo" }, cancellationToken: Ct)).Id);
        var seen = new List<Guid>();
        string? cursor = null;
        do
        {
            var page = await client.ListGoalsAsync(cursor: cursor, limit: 2, cancellationToken: Ct);
            Assert.True(page.Items.Count <= 2);
            seen.AddRange(page.Items.Select(goal => goal.Id));
            cursor = page.Next;
        }
        while (cursor is not null);
        Assert.Equal(submitted.Order(), seen.Order());
    }

    [Fact]
    public async Task An_edit_of_an_older_revision_fails_its_precondition()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "nobody" }, cancellationToken: Ct);
        var plan = await client.GetPlanAsync(goal.Id, Ct);
        var edited = await client.EditPlanAsync(goal.Id, new PlanPatch([Shell("more", "true") with { After = [new StepDependency("plan", true)] }]), plan.Revision, Ct);
        Assert.True(edited.Revision > plan.Revision);
        var late = await Assert.ThrowsAsync<AstraException>(() => client.EditPlanAsync(goal.Id, new PlanPatch([new PrioritiseStep("more", 5)]), plan.Revision, Ct));
        Assert.Equal(412, late.Status);
        Assert.Contains($"revision {edited.Revision}", late.Message, StringComparison.Ordinal);
        Assert.Equal(5, (await client.EditPlanAsync(goal.Id, new PlanPatch([new PrioritiseStep("more", 5)]), null, Ct)).Tasks.Single(task => task.Name == "more").Priority);
        var twice = await Assert.ThrowsAsync<AstraException>(() => client.EditPlanAsync(goal.Id, new PlanPatch([Shell("more", "true")]), edited.Revision + 1, Ct));
        Assert.Equal(409, twice.Status);
    }

    [Fact]
    public async Task A_dead_letter_is_listed_with_its_cause_and_can_be_replayed()
    {
        await using var server = await ServerFixture.StartAsync();
        server.Sandbox.Answer = _ => FakeSandbox.Result("", exitCode: 3, error: "it broke\n");
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Title = "breaks", Plan = [Shell("one", "false")] }, cancellationToken: Ct);
        Assert.Equal(GoalState.Failed, (await client.FinishAsync(goal.Id, Ct)).State);
        var dead = Assert.Single((await client.ListDeadLettersAsync(cancellationToken: Ct)).Items);
        Assert.Equal("breaks", dead.GoalTitle);
        Assert.Equal("shell@1 exited with 3: it broke", dead.Task.Failure!.Reason);
        Assert.NotEmpty(dead.Fingerprint);

        server.Sandbox.Answer = _ => FakeSandbox.Result("fine");
        var before = await client.GetGoalAsync(goal.Id, Ct);
        await client.ReplayAsync(dead.Task.Id, Ct);
        await foreach (var view in client.FollowAsync(goal.Id, before.LastSeq, Ct))
            if (view.Kind == "goal_completed")
                break;
        Assert.Equal(GoalState.Completed, (await client.GetGoalAsync(goal.Id, Ct)).State);
    }

    [Fact]
    public async Task Artifacts_are_left_and_read_back_and_names_do_not_lead_elsewhere()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "nobody" }, cancellationToken: Ct);
        await client.Artifacts.SaveAsync(goal.Id, "reports/a b.md", "hello"u8.ToArray(), Ct);
        Assert.Equal("hello"u8.ToArray(), (await client.Artifacts.ReadAsync(goal.Id, "reports/a b.md", Ct))!.Value.ToArray());
        Assert.Null(await client.Artifacts.ReadAsync(goal.Id, "reports/none.md", Ct));
        await client.Artifacts.SaveNoteAsync("packages", "npm/left-pad", "seen"u8.ToArray(), Ct);
        Assert.Equal("seen"u8.ToArray(), (await client.Artifacts.ReadNoteAsync("packages", "npm/left-pad", Ct))!.Value.ToArray());
        var stranger = await server.ClientAsync(new TenantId(Guid.NewGuid()));
        Assert.Null(await stranger.Artifacts.ReadNoteAsync("packages", "npm/left-pad", Ct));
        var response = await (await server.RawAsync()).PutAsync($"/api/v1/goals/{goal.Id}/artifacts/%2e%2e%5c..%2f", new ByteArrayContent([1]), Ct);
        Assert.False(response.IsSuccessStatusCode);
    }

    private static AddStep Shell(string name, string command) => new()
    {
        Name = name, Executor = "tool:shell@1", Input = AstraJson.ToElement(new { command }),
    };
}

internal static class Problems
{
    public static async Task<Problem> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        var problem = AstraJson.Read<Problem>(await response.Content.ReadAsByteArrayAsync(cancellationToken));
        Assert.Equal((int)response.StatusCode, problem.Status);
        Assert.False(string.IsNullOrWhiteSpace(problem.Detail));
        return problem;
    }
}
