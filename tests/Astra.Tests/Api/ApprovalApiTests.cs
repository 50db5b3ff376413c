using System.Net;
using System.Net.Http.Json;
using Astra.Governance;
using Astra.Sdk;

namespace Astra.Tests.Api;

/// <summary>What waits for people, and their votes, over the API: from the plan to the run of the very call that was agreed to.</summary>
public sealed class ApprovalApiTests
{
    private static readonly ToolDefinition Deploy = new() { Name = "deploy", Version = "1", Command = ["/bin/deploy"], NeedsPerson = true };

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_tool_that_needs_a_person_runs_with_what_was_agreed_to_and_not_before()
    {
        await using var server = await ServerFixture.StartAsync(new ServerWorld { Tools = [Deploy] }, "node");
        var ada = await server.ClientAsync(name: "ada");
        var goal = await ada.SubmitAsync(new GoalSubmission { Title = "release", Plan = [Step("a", "tool:deploy", new { version = 3 })] }, cancellationToken: Ct);

        var asked = Assert.Single((await ada.ListApprovalsAsync(cancellationToken: Ct)).Items);
        Assert.Equal(("a", "release", 1, 0), (asked.Task.Name, asked.GoalTitle, asked.Task.Approval!.Needed, asked.Task.Approval.Given));
        Assert.Contains($"`astra approvals show {asked.Task.Id}`", (await ada.WhyAsync(asked.Task.Id, Ct)).Sentence, StringComparison.Ordinal);
        Assert.Empty(server.Sandbox.Runs);

        var bob = await server.ClientAsync(name: "bob");
        var voted = await bob.VoteAsync(asked.Task.Id, new ApprovalVote(VoteKind.Approve, asked.Task.Approval.Digest, "it was tested"), Ct);
        Assert.Equal((1, "key:bob", "it was tested", true), (voted.Approval!.Given, voted.Approval.Votes[0].By, voted.Approval.Votes[0].Reason, voted.Approval.Votes[0].Counts));
        Assert.Equal(GoalState.Completed, (await ada.FinishAsync(goal.Id, Ct)).State);
        Assert.Equal("/bin/deploy", Assert.Single(server.Sandbox.Runs).Program);
        Assert.Empty((await ada.ListApprovalsAsync(cancellationToken: Ct)).Items);
        var events = await ada.FollowAsync(goal.Id, 0, Ct).ToListAsync(Ct);
        Assert.Equal("Approved by key:bob: it was tested", events.Single(happened => happened.Kind == "approval_voted").Text);
    }

    [Fact]
    public async Task Only_an_org_admin_who_has_not_asked_for_it_votes_and_only_on_what_there_is()
    {
        await using var server = await ServerFixture.StartAsync();
        var ada = await server.ClientAsync(name: "ada");
        var goal = await ada.SubmitAsync(new GoalSubmission { Plan = [Step("a", "agent:nobody", 1) with { Approvals = 2 }] }, cancellationToken: Ct);
        var task = (await ada.GetPlanAsync(goal.Id, Ct)).Tasks.Single();
        var vote = new ApprovalVote(VoteKind.Approve, task.Approval!.Digest);
        var (member, bob) = (await server.ClientAsync(role: Role.Member, name: "joe"), await server.ClientAsync(name: "bob"));

        Assert.Equal(403, await StatusAsync(() => ada.VoteAsync(task.Id, vote, Ct)));
        Assert.Equal(403, await StatusAsync(() => member.VoteAsync(task.Id, vote, Ct)));
        Assert.Equal(404, await StatusAsync(() => bob.VoteAsync(Guid.NewGuid(), vote, Ct)));
        Assert.Equal(409, await StatusAsync(() => bob.VoteAsync(task.Id, vote with { Digest = "something else" }, Ct)));
        var stranger = await server.ClientAsync(new Kernel.TenantId(Guid.NewGuid()), name: "bob");
        Assert.Equal(404, await StatusAsync(() => stranger.VoteAsync(task.Id, vote, Ct)));
        Assert.Empty((await stranger.ListApprovalsAsync(cancellationToken: Ct)).Items);
        using var raw = await server.RawAsync();
        foreach (var body in (object[])[new { vote = "approve" }, new { digest = vote.Digest }, new { vote = "perhaps", digest = vote.Digest }])
            Assert.Equal(HttpStatusCode.BadRequest, (await raw.PostAsJsonAsync($"/api/v1/approvals/{task.Id}/votes", body, Ct)).StatusCode);

        Assert.Equal(1, (await bob.VoteAsync(task.Id, vote, Ct)).Approval!.Given);
        var denied = await (await server.ClientAsync(name: "eve")).VoteAsync(task.Id, vote with { Vote = VoteKind.Deny, Reason = "not\ntoday" }, Ct);
        Assert.Equal((TaskState.Cancelled, "Denied by key:eve: not today"), (denied.State, denied.Reason));
        Assert.Equal(GoalState.Failed, (await ada.FinishAsync(goal.Id, Ct)).State);
    }

    [Fact]
    public async Task A_plan_says_which_steps_ask_people_and_a_target_that_leaves_it_out_takes_nothing_away()
    {
        await using var server = await ServerFixture.StartAsync();
        var ada = await server.ClientAsync(name: "ada");
        var goal = await ada.SubmitAsync(new GoalSubmission { Plan = [Step("a", "agent:nobody", 1) with { Approvals = 2 }, Step("b", "agent:nobody", 1)] }, cancellationToken: Ct);
        Assert.Equal([2, null], (await ada.GetPlanStepsAsync(goal.Id, Ct)).Steps.OrderBy(step => step.Name, StringComparer.Ordinal).Select(step => step.Approvals));

        Assert.Empty((await ada.ApplyPlanAsync(goal.Id, new PlanTarget([Step("a", "agent:nobody", 1), Step("b", "agent:nobody", 1)]), revision: null, isDryRun: true, Ct)).Edits);
        Assert.Single((await ada.ApplyPlanAsync(goal.Id, new PlanTarget([Step("a", "agent:nobody", 1), Step("b", "agent:nobody", 1) with { Approvals = 1 }]), revision: null, isDryRun: true, Ct)).Edits);
        Assert.Equal(409, await StatusAsync(() => ada.EditPlanAsync(goal.Id, new PlanPatch([new RemoveStep("a")]), revision: null, Ct)));
        Assert.Equal(422, await StatusAsync(() => ada.EditPlanAsync(goal.Id, new PlanPatch([Step("c", "agent:nobody", 1) with { Approvals = 99 }]), revision: null, Ct)));
    }

    private static async Task<int> StatusAsync(Func<Task> ask) => (int)(await Assert.ThrowsAsync<AstraException>(ask)).Status!;

    private static AddStep Step(string name, string executor, object input) => new() { Name = name, Executor = executor, Input = AstraJson.ToElement(input) };
}
