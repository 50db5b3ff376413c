using System.Net;
using System.Net.Http.Json;
using Astra.Kernel;
using Astra.Sdk;
using CascadePolicy = Astra.Sdk.CascadePolicy;
using GoalCondition = Astra.Sdk.GoalCondition;
using GoalState = Astra.Sdk.GoalState;

namespace Astra.Tests.Api;

/// <summary>Goals that come after goals, and children of goals, over HTTP.</summary>
public sealed class GoalRelationApiTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_goal_comes_after_another_and_shows_how_that_ended()
    {
        var world = new HeldWork();
        await using var server = await ServerFixture.StartAsync(world.Agent);
        var client = await server.ClientAsync();
        var first = await client.SubmitAsync(new GoalSubmission { Agent = "held" }, cancellationToken: Ct);
        var second = await client.SubmitAsync(new GoalSubmission { Agent = "held", After = [new GoalAfter(first.Id)] }, cancellationToken: Ct);
        Assert.Equal([new GoalAfterView(first.Id, GoalCondition.Completed)], (await client.GetGoalAsync(second.Id, Ct)).After!);
        Assert.Contains($"It comes after goal {first.Id}", (await client.WhyAsync(second.Id, Ct)).Sentence, StringComparison.Ordinal);

        world.Release.SetResult();
        var done = await client.FinishAsync(second.Id, Ct);
        Assert.Equal(GoalState.Completed, done.State);
        Assert.Equal([new GoalAfterView(first.Id, GoalCondition.Completed, GoalState.Completed)], done.After!);
        Assert.Contains((await client.ListEventsAsync(second.Id, cancellationToken: Ct)).Items, happened => happened.Kind == "predecessor_ended" && happened.Text == $"Goal {first.Id} is completed");
    }

    [Fact]
    public async Task A_cancelled_goal_takes_its_children_and_what_comes_after_it_along_unless_they_go_on()
    {
        var world = new HeldWork();
        await using var server = await ServerFixture.StartAsync(world.Agent);
        var client = await server.ClientAsync();
        var first = await client.SubmitAsync(new GoalSubmission { Agent = "held" }, cancellationToken: Ct);
        var child = await client.SubmitAsync(new GoalSubmission { Agent = "held", Parent = first.Id }, cancellationToken: Ct);
        var after = await client.SubmitAsync(new GoalSubmission { Agent = "held", After = [new GoalAfter(first.Id)] }, cancellationToken: Ct);
        var anyhow = await client.SubmitAsync(new GoalSubmission { Agent = "held", After = [new GoalAfter(first.Id)], OnFailedGoal = CascadePolicy.GoOn }, cancellationToken: Ct);
        await client.CancelGoalAsync(first.Id, "not wanted", Ct);
        Assert.Contains("was cancelled: not wanted", (await client.FinishAsync(child.Id, Ct)).Reason, StringComparison.Ordinal);
        Assert.Contains($"goal {first.Id}, which was cancelled: not wanted", (await client.FinishAsync(after.Id, Ct)).Reason, StringComparison.Ordinal);
        Assert.Equal(first.Id, (await client.GetGoalAsync(child.Id, Ct)).Parent);
        world.Release.SetResult();
        Assert.Equal(GoalState.Completed, (await client.FinishAsync(anyhow.Id, Ct)).State);
    }

    [Fact]
    public async Task A_goal_of_another_tenant_cannot_be_waited_for()
    {
        await using var server = await ServerFixture.StartAsync(TestAgent.Echo());
        var stranger = await server.ClientAsync(new TenantId(Guid.NewGuid()));
        var theirs = await stranger.SubmitAsync(new GoalSubmission { Agent = "echo" }, cancellationToken: Ct);
        var client = await server.ClientAsync();
        var refused = await Assert.ThrowsAsync<AstraException>(() => client.SubmitAsync(new GoalSubmission { Agent = "echo", After = [new GoalAfter(theirs.Id)] }, cancellationToken: Ct));
        Assert.Equal(404, refused.Status);
        refused = await Assert.ThrowsAsync<AstraException>(() => client.SubmitAsync(new GoalSubmission { Agent = "echo", Parent = theirs.Id }, cancellationToken: Ct));
        Assert.Equal(404, refused.Status);
    }

    [Theory]
    [InlineData("""{"agent":"echo","after":[null]}""", HttpStatusCode.UnprocessableEntity)]
    [InlineData("""{"agent":"echo","onFailedGoal":"goOn"}""", HttpStatusCode.UnprocessableEntity)]
    [InlineData("""{"agent":"echo","onCancelledParent":"goOn"}""", HttpStatusCode.UnprocessableEntity)]
    [InlineData("""{"agent":"echo","after":[{"goal":"00000000-0000-0000-0000-000000000001"},{"goal":"00000000-0000-0000-0000-000000000001"}]}""", HttpStatusCode.UnprocessableEntity)]
    [InlineData("""{"agent":"echo","after":[{"goal":"00000000-0000-0000-0000-000000000001","when":"never"}]}""", HttpStatusCode.BadRequest)]
    public async Task Relations_that_make_no_sense_are_refused_with_a_sentence(string body, HttpStatusCode status)
    {
        await using var server = await ServerFixture.StartAsync(TestAgent.Echo());
        using var http = await server.RawAsync();
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using var answer = await http.PostAsync("/api/v1/goals", content, Ct);
        Assert.Equal(status, answer.StatusCode);
        Assert.NotEmpty((await answer.Content.ReadFromJsonAsync<Problem>(Ct))!.Detail!);
    }

    /// <summary>An agent whose steps wait until the test lets them end.</summary>
    private sealed class HeldWork
    {
        public TaskCompletionSource Release { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TestAgent Agent => new("held")
        {
            OnPlan = _ =>
            {
                var plan = new Plan();
                plan.Step("work", "work");
                return plan;
            },
            OnStep = async (turn, cancellationToken) =>
            {
                await Release.Task.WaitAsync(cancellationToken);
                return StepResult.Done(turn.Name);
            },
        };
    }
}
