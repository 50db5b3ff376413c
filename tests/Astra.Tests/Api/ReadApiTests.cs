using System.Net;
using System.Net.Http.Json;
using Astra.Sdk;

namespace Astra.Tests.Api;

/// <summary>Reading what is live without reading it twice: entity tags, and answers that wait for something to say.</summary>
public sealed class ReadApiTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Whoever_has_a_goal_or_a_task_as_it_is_now_is_told_so_and_sent_nothing()
    {
        await using var server = await ServerFixture.StartAsync();
        var (client, http) = (await server.ClientAsync(), await server.RawAsync());
        var goal = await client.SubmitAsync(new GoalSubmission { Title = "waits", Plan = [Step("only")] }, cancellationToken: Ct);
        var task = (await client.GetPlanAsync(goal.Id, Ct)).Tasks.Single();

        foreach (var path in new[] { $"/api/v1/goals/{goal.Id}", $"/api/v1/tasks/{task.Id}", "/api/v1/goals" })
        {
            var first = await http.GetAsync(path, Ct);
            Assert.Equal(HttpStatusCode.OK, first.StatusCode);
            using var again = new HttpRequestMessage(HttpMethod.Get, path);
            again.Headers.IfNoneMatch.Add(first.Headers.ETag!);
            var second = await http.SendAsync(again, Ct);
            Assert.Equal(HttpStatusCode.NotModified, second.StatusCode);
            Assert.Equal(first.Headers.ETag, second.Headers.ETag);
            Assert.Empty(await second.Content.ReadAsByteArrayAsync(Ct));
        }
    }

    [Fact]
    public async Task What_has_changed_since_is_sent_under_another_tag()
    {
        await using var server = await ServerFixture.StartAsync();
        var (client, http) = (await server.ClientAsync(), await server.RawAsync());
        var goal = await client.SubmitAsync(new GoalSubmission { Title = "waits", Plan = [Step("only")] }, cancellationToken: Ct);
        var before = await http.GetAsync($"/api/v1/goals/{goal.Id}", Ct);

        await client.CancelGoalAsync(goal.Id, "not needed", Ct);

        using var again = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/goals/{goal.Id}");
        again.Headers.IfNoneMatch.Add(before.Headers.ETag!);
        var after = await http.SendAsync(again, Ct);
        Assert.Equal(HttpStatusCode.OK, after.StatusCode);
        Assert.NotEqual(before.Headers.ETag, after.Headers.ETag);
        Assert.Equal(GoalState.Cancelled, AstraJson.Read<GoalView>(await after.Content.ReadAsByteArrayAsync(Ct)).State);
    }

    [Fact]
    public async Task A_task_knows_by_name_what_it_waits_for_alive_and_ended()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(
            new GoalSubmission { Title = "two", Plan = [Step("first"), Step("second") with { After = [new StepDependency("first", OnlyCompleted: true)] }] }, cancellationToken: Ct);
        var second = (await client.GetPlanAsync(goal.Id, Ct)).Tasks.Single(task => task.Name == "second");
        Assert.Equal([new StepDependency("first", OnlyCompleted: true)], (await client.GetTaskAsync(second.Id, Ct)).After);

        await client.CancelGoalAsync(goal.Id, "enough", Ct);
        await client.FinishAsync(goal.Id, Ct);
        Assert.Equal([new StepDependency("first", OnlyCompleted: true)], (await client.GetTaskAsync(second.Id, Ct)).After);
    }

    [Fact]
    public async Task A_page_of_events_waits_until_there_is_one()
    {
        await using var server = await ServerFixture.StartAsync();
        var (client, http) = (await server.ClientAsync(), await server.RawAsync());
        var goal = await client.SubmitAsync(new GoalSubmission { Title = "waits", Plan = [Step("only")] }, cancellationToken: Ct);

        var waiting = http.GetAsync($"/api/v1/goals/{goal.Id}/events?after={goal.LastSeq}&wait=60", Ct);
        await client.EditPlanAsync(goal.Id, new PlanPatch([new PrioritiseStep("only", 5)]), revision: null, Ct);

        var page = await (await waiting).Content.ReadFromJsonAsync<Page<EventView>>(AstraJson.Options, Ct);
        Assert.Equal("plan_edited", page!.Items[0].Kind);
    }

    [Fact]
    public async Task A_goal_that_has_ended_and_a_wait_that_is_over_are_answered_with_an_empty_page()
    {
        await using var server = await ServerFixture.StartAsync();
        var (client, http) = (await server.ClientAsync(), await server.RawAsync());
        var live = await client.SubmitAsync(new GoalSubmission { Title = "waits", Plan = [Step("only")] }, cancellationToken: Ct);
        var ended = await client.SubmitAsync(new GoalSubmission { Title = "ends", Plan = [Step("only")] }, cancellationToken: Ct);
        await client.CancelGoalAsync(ended.Id, "enough", Ct);
        var last = await client.FinishAsync(ended.Id, Ct);

        Assert.Empty((await http.GetFromJsonAsync<Page<EventView>>($"/api/v1/goals/{ended.Id}/events?after={last.LastSeq}&wait=60", AstraJson.Options, Ct))!.Items);
        Assert.Empty((await http.GetFromJsonAsync<Page<EventView>>($"/api/v1/goals/{live.Id}/events?after={live.LastSeq}&wait=1", AstraJson.Options, Ct))!.Items);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(61)]
    public async Task A_wait_that_is_none_is_refused(int wait)
    {
        await using var server = await ServerFixture.StartAsync();
        var goal = await (await server.ClientAsync()).SubmitAsync(new GoalSubmission { Title = "waits", Plan = [Step("only")] }, cancellationToken: Ct);
        Assert.Equal(HttpStatusCode.BadRequest, (await (await server.RawAsync()).GetAsync($"/api/v1/goals/{goal.Id}/events?wait={wait}", Ct)).StatusCode);
    }

    private static AddStep Step(string name) => new() { Name = name, Executor = "agent:nobody", Kind = "none" };
}
