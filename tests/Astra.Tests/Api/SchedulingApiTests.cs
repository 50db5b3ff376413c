using System.Net;
using System.Net.Http.Json;
using Astra.Governance;
using Astra.Kernel;
using Astra.Sdk;
using Xunit;
using GoalState = Astra.Sdk.GoalState;
using LimitScope = Astra.Sdk.LimitScope;

namespace Astra.Tests.Api;

/// <summary>Limits, pauses, draining, schedules and admission, as a client meets them.</summary>
public sealed class SchedulingApiTests
{
    private static readonly GoalSubmission Waiting = new() { Title = "waiting", Plan = [new AddStep { Name = "a", Executor = "agent:nobody" }] };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_limit_is_set_listed_and_removed()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        var set = await client.SetLimitAsync(new LimitView { Scope = LimitScope.Queue, Name = "emails", Concurrency = 4, PerMinute = 60 }, Token);
        Assert.Equal((LimitScope.Queue, "emails", 4, null, 60), (set.Limits[0].Scope, set.Limits[0].Name, set.Limits[0].Concurrency, set.Limits[0].PerSecond, set.Limits[0].PerMinute));
        Assert.Single((await client.GetControlsAsync(Token)).Limits);
        Assert.Empty((await client.RemoveLimitAsync(LimitScope.Queue, "emails", Token)).Limits);
        Assert.Equal(404, (await Assert.ThrowsAsync<AstraException>(() => client.RemoveLimitAsync(LimitScope.Queue, "emails", Token))).Status);
        Assert.Equal(422, (await Assert.ThrowsAsync<AstraException>(() => client.SetLimitAsync(new LimitView { Scope = LimitScope.Queue, Name = "emails" }, Token))).Status);
    }

    [Fact]
    public async Task Limits_are_an_admins_and_weights_of_tenants_whoever_runs_the_servers()
    {
        await using var server = await ServerFixture.StartAsync();
        var member = await server.ClientAsync(role: Role.Member);
        Assert.Equal(403, (await Assert.ThrowsAsync<AstraException>(() => member.SetLimitAsync(new LimitView { Scope = LimitScope.Tenant, Concurrency = 1 }, Token))).Status);
        var stranger = await server.ClientAsync(new TenantId(Guid.NewGuid()));
        Assert.Equal(403, (await Assert.ThrowsAsync<AstraException>(() => stranger.DrainAsync(true, Token))).Status);
        Assert.Equal(403, (await Assert.ThrowsAsync<AstraException>(() => stranger.SetTenantWeightAsync("acme", 200, Token))).Status);
        var operatorClient = await server.ClientAsync();
        Assert.Equal(404, (await Assert.ThrowsAsync<AstraException>(() => operatorClient.SetTenantWeightAsync("acme", 200, Token))).Status);
        await operatorClient.CreateTenantAsync(new TenantRequest("acme"), Token);
        Assert.Equal(200, (await operatorClient.SetTenantWeightAsync("acme", 200, Token)).Weight);
        Assert.Equal(("writer", 50), ((await operatorClient.SetAgentWeightAsync("writer", 50, Token)).Weights[0].Agent, 50));
    }

    [Fact]
    public async Task A_goal_is_paused_and_resumed_and_why_says_so()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(Waiting, cancellationToken: Token);
        Assert.Equal("to think", (await client.PauseGoalAsync(goal.Id, "to think", Token)).Paused!.Reason);
        Assert.Contains("paused by key:test (to think)", (await client.WhyAsync(goal.Id, Token)).Sentence, StringComparison.Ordinal);
        Assert.Null((await client.ResumeGoalAsync(goal.Id, Token)).Paused);
        await client.PauseAgentAsync("writer", "lunch", Token);
        Assert.Contains("Agent writer is paused by key:test (lunch)", (await client.WhyAgentAsync("writer", Token)).Sentence, StringComparison.Ordinal);
        Assert.Empty((await client.ResumeAgentAsync("writer", Token)).PausedAgents);
    }

    [Fact]
    public async Task A_step_says_queue_capabilities_due_time_and_deadline()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        var at = new DateTimeOffset(2040, 1, 1, 0, 0, 0, TimeSpan.Zero);
        var goal = await client.SubmitAsync(new GoalSubmission
        {
            Plan = [new AddStep { Name = "a", Executor = "agent:nobody", Queue = "emails", Requires = ["os:linux", "gpu"], NotBefore = at, Deadline = at.AddDays(1) }],
        }, cancellationToken: Token);
        var task = (await client.GetPlanAsync(goal.Id, Token)).Tasks[0];
        Assert.Equal(("emails", at, at.AddDays(1), "gpu os:linux"), (task.Queue, task.NotBefore, task.Deadline, string.Join(' ', task.Requires!)));
        Assert.Contains("may not start before 2040-01-01", (await client.WhyAsync(task.Id, Token)).Sentence, StringComparison.Ordinal);
        Assert.Equal(422, (await Assert.ThrowsAsync<AstraException>(() => client.SubmitAsync(
            new GoalSubmission { Plan = [new AddStep { Name = "a", Executor = "agent:nobody", Requires = ["two words"] }] }, cancellationToken: Token))).Status);
    }

    [Fact]
    public async Task A_node_drains_and_hands_out_again()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        Assert.True((await client.DrainAsync(true, Token)).Draining);
        var goal = await client.SubmitAsync(Waiting, cancellationToken: Token);
        Assert.Contains("This node drains", (await client.WhyAsync(goal.Id, Token)).Sentence, StringComparison.Ordinal);
        Assert.False((await client.DrainAsync(false, Token)).Draining);
    }

    [Fact]
    public async Task A_schedule_is_made_shown_run_paused_and_removed()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        var made = await client.CreateScheduleAsync(new ScheduleRequest { Name = "nightly", When = "0 3 * * *", TimeZone = "Europe/Berlin", Goal = Waiting }, Token);
        Assert.Equal("waiting", made.Goal.Title);
        Assert.NotNull(made.NextAt);
        Assert.Contains("Schedule nightly fires next at", (await client.WhyAsync(made.Id, Token)).Sentence, StringComparison.Ordinal);
        Assert.Equal("waiting", (await client.RunScheduleAsync(made.Id, Token)).Title);
        Assert.NotNull((await client.PauseScheduleAsync(made.Id, Token)).PausedBy);
        Assert.Null((await client.ResumeScheduleAsync(made.Id, Token)).PausedBy);
        Assert.Single(await client.ListSchedulesAsync(Token));
        await client.RemoveScheduleAsync(made.Id, Token);
        Assert.Equal(404, (await Assert.ThrowsAsync<AstraException>(() => client.GetScheduleAsync(made.Id, Token))).Status);
        Assert.Equal(422, (await Assert.ThrowsAsync<AstraException>(() => client.CreateScheduleAsync(new ScheduleRequest { Name = "bad", When = "61 * * * *", Goal = Waiting }, Token))).Status);
        Assert.Equal(422, (await Assert.ThrowsAsync<AstraException>(() => client.CreateScheduleAsync(new ScheduleRequest { Name = "bad", When = "every 5m", Goal = new GoalSubmission() }, Token))).Status);
    }

    [Fact]
    public async Task A_schedule_that_is_due_submits_its_goal()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        await client.CreateScheduleAsync(new ScheduleRequest { Name = "often", When = "every 1s", Goal = Waiting }, Token);
        while ((await client.ListGoalsAsync(cancellationToken: Token)).Items.Count < 2)
            Token.ThrowIfCancellationRequested();
    }

    [Theory]
    [InlineData("active", "The tenant has 1 active goals (limit 1).")]
    [InlineData("ready", "1 tasks of this node are ready and wait for a worker (limit 1).")]
    [InlineData("rate", "The tenant has submitted 1 goals within a second here, which is the limit.")]
    [InlineData("backlog", "committed changes wait to be shown in the tables (limit 0).")]
    public async Task A_bound_that_is_reached_is_429_with_a_reason_and_when_to_come_back(string bound, string reason)
    {
        var limits = new KernelLimits();
        limits = bound switch
        {
            "active" => limits with { ActiveGoalsPerTenantMax = 1 },
            "ready" => limits with { ReadyTasksPerNodeMax = 1 },
            "rate" => limits with { SubmissionsPerSecondPerTenantMax = 1 },
            _ => limits with { ProjectionBacklogMax = 0, ProjectionInterval = TimeSpan.FromHours(1) },
        };
        await using var server = await ServerFixture.StartAsync(new ServerWorld { Limits = limits }, "node");
        var raw = await server.RawAsync();
        Assert.Equal(HttpStatusCode.Created, (await SubmitAsync(raw, "first")).StatusCode);
        HttpResponseMessage refused;
        do
        {
            // The count of ready tasks follows the commit; a rate gives one more every second.
            refused = await SubmitAsync(raw, Guid.NewGuid().ToString());
        }
        while (refused.StatusCode == HttpStatusCode.Created && !Token.IsCancellationRequested);
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.True(refused.Headers.RetryAfter!.Delta >= TimeSpan.FromSeconds(1));
        Assert.Contains(reason[(reason[0] == '1' ? 1 : 0)..], await refused.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);

        // What was taken before is still the same goal: a repeated submission is answered, and not counted again.
        var again = await SubmitAsync(raw, "first");
        Assert.Equal(HttpStatusCode.Created, again.StatusCode);
    }

    [Fact]
    public async Task A_submission_that_was_refused_is_taken_under_its_key_when_there_is_room()
    {
        await using var server = await ServerFixture.StartAsync(new ServerWorld { Limits = new KernelLimits { ActiveGoalsPerTenantMax = 1 } }, "node");
        var client = await server.ClientAsync();
        var first = await client.SubmitAsync(Waiting, "first", Token);
        Assert.Equal(429, (await Assert.ThrowsAsync<AstraException>(() => client.SubmitAsync(Waiting, "second", Token))).Status);
        await client.CancelGoalAsync(first.Id, cancellationToken: Token);
        var second = await client.SubmitAsync(Waiting, "second", Token);
        Assert.Equal(second.Id, (await client.SubmitAsync(Waiting, "second", Token)).Id);
        Assert.Equal(GoalState.Active, second.State);
    }

    private static async Task<HttpResponseMessage> SubmitAsync(HttpClient raw, string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/goals") { Content = JsonContent.Create(Waiting, options: AstraJson.Options) };
        request.Headers.Add("Idempotency-Key", key);
        return await raw.SendAsync(request, Token);
    }
}
