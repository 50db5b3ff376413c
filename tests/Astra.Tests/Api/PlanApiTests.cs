using Astra.Agents;
using Astra.Sdk;

namespace Astra.Tests.Api;

/// <summary>Plans that are edited, compared, tried and taken back over the API while they run.</summary>
public sealed class PlanApiTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Of_two_edits_at_once_that_together_make_a_cycle_exactly_one_is_refused()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        foreach (var withIfMatch in new[] { false, true })
        {
            for (var round = 0; round < 10; round++)
            {
                var goal = await client.SubmitAsync(new GoalSubmission { Plan = [Step("a"), Step("b")] }, cancellationToken: Ct);
                long? revision = withIfMatch ? 1 : null;
                var answers = await Task.WhenAll(
                    TryAsync(() => client.EditPlanAsync(goal.Id, new PlanPatch([new ExtendStep("a", [On("b")])]), revision, Ct)),
                    TryAsync(() => client.EditPlanAsync(goal.Id, new PlanPatch([new ExtendStep("b", [On("a")])]), revision, Ct)));
                var refused = Assert.Single(answers.OfType<AstraException>());
                Assert.Equal(withIfMatch ? 412 : 422, refused.Status);
                Assert.Equal(2, (await client.GetPlanAsync(goal.Id, Ct)).Revision);
            }
        }
    }

    [Theory]
    [InlineData("return=minimal", true)]
    [InlineData("respond-async, return=\"Minimal\"; foo=bar", true)]
    [InlineData("return=representation, return=minimal", false)]
    [InlineData("wait=10", false)]
    public async Task An_edit_answers_with_its_revision_alone_when_the_client_prefers_that(string prefer, bool isMinimal)
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Plan = [Step("a")] }, cancellationToken: Ct);
        using var http = await server.RawAsync();
        using var request = new HttpRequestMessage(HttpMethod.Patch, $"/api/v1/goals/{goal.Id}/plan")
        {
            Content = new StringContent("{\"edits\":[{\"op\":\"prioritise\",\"name\":\"a\",\"priority\":7}]}", System.Text.Encoding.UTF8, "application/json"),
        };
        request.Headers.TryAddWithoutValidation("Prefer", prefer);
        using var answer = await http.SendAsync(request, Ct);
        Assert.Equal((isMinimal ? 204 : 200, "\"2\""), ((int)answer.StatusCode, answer.Headers.ETag!.Tag));
        Assert.Equal(isMinimal, answer.Headers.TryGetValues("Preference-Applied", out var applied) && applied.Single() == "return=minimal");
        Assert.Equal(isMinimal, (await answer.Content.ReadAsByteArrayAsync(Ct)).Length == 0);
        Assert.Equal(7, (await client.GetPlanAsync(goal.Id, Ct)).Tasks.Single().Priority);
    }

    [Fact]
    public async Task A_plan_is_amended_on_one_revision_or_not_at_all()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Plan = [Step("a")] }, cancellationToken: Ct);
        Assert.Equal(2, await client.AmendPlanAsync(goal.Id, new PlanPatch([new PrioritiseStep("a", 7)]), revision: 1, Ct));
        Assert.Equal(412, (await RefusedAsync(() => client.AmendPlanAsync(goal.Id, new PlanPatch([new PrioritiseStep("a", 8)]), revision: 1, Ct))).Status);
        Assert.Equal(404, (await RefusedAsync(() => client.AmendPlanAsync(goal.Id, new PlanPatch([new PrioritiseStep("nobody", 8)]), cancellationToken: Ct))).Status);
        Assert.Equal(3, await client.AmendPlanAsync(goal.Id, new PlanPatch([Step("b", "a")]), cancellationToken: Ct));
    }

    [Fact]
    public async Task A_plan_is_shown_as_it_was_and_two_of_its_revisions_are_compared()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Plan = [Step("a"), Step("b", "a")] }, cancellationToken: Ct);
        await client.EditPlanAsync(goal.Id, new PlanPatch([Step("c", "b"), new PrioritiseStep("a", 7)]), null, Ct);
        await client.EditPlanAsync(goal.Id, new PlanPatch([new RemoveStep("c"), new RewireStep("b", [])]), null, Ct);

        Assert.Equal(["a", "b", "c"], (await client.GetPlanAtAsync(goal.Id, 2, Ct)).Tasks.Select(task => task.Name).Order());
        Assert.Equal(["a", "b"], (await client.GetPlanAtAsync(goal.Id, 1, Ct)).Tasks.Select(task => task.Name).Order());
        Assert.Contains("no revision 9", (await RefusedAsync(() => client.GetPlanAtAsync(goal.Id, 9, Ct))).Message, StringComparison.Ordinal);

        var latest = await client.DiffPlanAsync(goal.Id, cancellationToken: Ct);
        Assert.Equal((2, 3, "c"), (latest.From, latest.To, Assert.Single(latest.Removed).Name));
        Assert.Equal("after", Assert.Single(Assert.Single(latest.Changed).Fields).Field);
        var whole = await client.DiffPlanAsync(goal.Id, 1, cancellationToken: Ct);
        Assert.Equal([("a", "priority"), ("b", "after")], whole.Changed.Select(change => (change.Name, change.Fields[0].Field)).Order());
        Assert.Empty(whole.Added);
    }

    [Fact]
    public async Task An_edit_that_is_tried_changes_nothing_and_says_what_it_would_do()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Plan = [Step("a"), Step("b", "a")] }, cancellationToken: Ct);
        Assert.Equal(2, (await client.ValidatePlanAsync(goal.Id, new PlanPatch([Step("c", "b")]), cancellationToken: Ct)).Revision);
        Assert.Contains("cycle", (await RefusedAsync(() => client.ValidatePlanAsync(goal.Id, new PlanPatch([new ExtendStep("a", [On("b")])]), cancellationToken: Ct))).Message, StringComparison.Ordinal);
        Assert.Equal(412, (await RefusedAsync(() => client.ValidatePlanAsync(goal.Id, new PlanPatch([Step("c")]), 5, Ct))).Status);
        Assert.Equal(1, (await client.GetPlanAsync(goal.Id, Ct)).Revision);
    }

    [Fact]
    public async Task Edits_are_taken_back_as_far_as_nothing_of_them_has_started()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Plan = [Step("a"), Step("b", "a"), Step("c", "b")] }, cancellationToken: Ct);
        await client.EditPlanAsync(goal.Id, new PlanPatch([new RemoveStep("c"), Step("d", "b"), Step("e", "d"), new ReplaceStep { Name = "b", Executor = "agent:other" }, new RewireStep("b", [])]), null, Ct);

        var tried = await client.RollbackPlanAsync(goal.Id, new PlanRollback(1), isDryRun: true, cancellationToken: Ct);
        Assert.Equal((3, 2), (tried.Revision, (await client.GetPlanAsync(goal.Id, Ct)).Revision));
        await client.RollbackPlanAsync(goal.Id, new PlanRollback(1), 2, cancellationToken: Ct);
        var plan = await client.GetPlanAsync(goal.Id, Ct);
        Assert.Equal(["a agent:nobody ", "b agent:nobody a", "c agent:nobody b"],
            plan.Tasks.Select(task => $"{task.Name} {task.Executor} {string.Join(",", task.After.Select(after => after.Step))}").Order());
        Assert.Empty((await client.DiffPlanAsync(goal.Id, 1, cancellationToken: Ct)).Changed);
        Assert.Empty((await client.RollbackPlanAsync(goal.Id, new PlanRollback(1), cancellationToken: Ct)).Edits);

        await client.EditPlanAsync(goal.Id, new PlanPatch([new CancelStep("c", "no")]), null, Ct);
        var refused = await RefusedAsync(() => client.RollbackPlanAsync(goal.Id, new PlanRollback(1), cancellationToken: Ct));
        Assert.Equal((409, "Step c was cancelled since revision 1, and that cannot be taken back."), (refused.Status, refused.Message));
    }

    [Fact]
    public async Task A_plan_becomes_the_one_that_is_applied_by_as_few_edits_as_it_takes()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Plan = [Step("a"), Step("b", "a"), Step("c", "b")] }, cancellationToken: Ct);
        var target = new PlanTarget([Step("a"), Step("b", "a") with { Priority = 4 }, Step("d", "a", "b")]);
        var change = await client.ApplyPlanAsync(goal.Id, target, isDryRun: true, cancellationToken: Ct);
        Assert.Equal(["AddStep", "PrioritiseStep", "RemoveStep"], change.Edits.Select(edit => edit.GetType().Name).Order());
        Assert.Equal(2, (await client.ApplyPlanAsync(goal.Id, target, 1, cancellationToken: Ct)).Revision);
        Assert.Empty((await client.ApplyPlanAsync(goal.Id, target, 2, cancellationToken: Ct)).Edits);
        Assert.Equal(412, (await RefusedAsync(() => client.ApplyPlanAsync(goal.Id, target, 1, cancellationToken: Ct))).Status);
    }

    [Fact]
    public async Task A_group_is_attached_between_steps_and_cancelled_whole()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Plan = [Step("a"), Step("z", "a")] }, cancellationToken: Ct);
        var plan = await client.EditPlanAsync(goal.Id, new PlanPatch([new AttachGroup("g", [Step("x"), Step("y", "x")]) { After = [On("a")], Before = ["z"] }]), null, Ct);
        Assert.Equal(["a ", "g/x a", "g/y g/x", "z a,g/y"], plan.Tasks.Select(task => $"{task.Name} {string.Join(",", task.After.Select(after => after.Step))}").Order());
        plan = await client.EditPlanAsync(goal.Id, new PlanPatch([new CancelGroup("g", "not needed")]), null, Ct);
        Assert.All(plan.Tasks.Where(task => task.Group == "g"), task => Assert.Equal(TaskState.Cancelled, task.State));
    }

    [Fact]
    public async Task An_agents_word_decides_which_way_its_plan_goes_on()
    {
        var agent = new TestAgent("reviewer")
        {
            OnPlan = _ =>
            {
                var plan = new Plan();
                var review = plan.Step("review", "review");
                plan.Step("publish", "leaf", after: [review.When("approved")]);
                plan.Step("rework", "leaf", after: [review.When("rejected")]);
                return plan;
            },
            OnStep = (turn, _) => Task.FromResult(turn.Kind == "review" ? StepResult.Done("fine", outcome: "approved") : StepResult.Done(turn.Name)),
        };
        await using var server = await ServerFixture.StartAsync(agent);
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "reviewer" }, cancellationToken: Ct);
        var done = await client.FinishAsync(goal.Id, Ct);
        Assert.Equal((GoalState.Completed, "publish"), (done.State, done.Result!.Value.GetString()));
        var rework = (await client.GetPlanAsync(goal.Id, Ct)).Tasks.Single(task => task.Name == "rework");
        Assert.Equal((TaskState.Cancelled, true), (rework.State, rework.Skipped));
    }

    [Fact]
    public async Task A_step_that_finds_something_to_be_done_first_waits_for_it_and_is_executed_anew()
    {
        var agent = new TestAgent("careful")
        {
            OnPlan = _ =>
            {
                var plan = new Plan();
                plan.Step("work", "work");
                return plan;
            },
            OnStep = (turn, _) =>
            {
                if (turn.Kind != "work" || turn.Dependencies.ContainsKey("first"))
                    return Task.FromResult(StepResult.Done($"{turn.Name} {turn.Attempt}"));
                var more = new Plan();
                return Task.FromResult(StepResult.Suspend([more.Step("first", "leaf").Completed], more));
            },
        };
        await using var server = await ServerFixture.StartAsync(agent);
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "careful" }, cancellationToken: Ct);
        var done = await client.FinishAsync(goal.Id, Ct);
        Assert.Equal(GoalState.Completed, done.State);
        Assert.Equal("work 2", done.Result!.Value.GetProperty("work").GetString());
    }

    [Fact]
    public async Task Each_item_of_a_result_becomes_a_step_and_the_join_has_them_all()
    {
        var agent = new TestAgent("spread")
        {
            OnPlan = _ =>
            {
                var plan = new Plan();
                var list = plan.Step("list", "list");
                var join = plan.Step("join", "join", after: [list.Completed]);
                plan.FanOut(list, plan.Step("check", "check", new { file = "${item.name}", label = "no. ${index}: ${item.name}" }), "files", join);
                return plan;
            },
            OnStep = (turn, _) => Task.FromResult(turn.Kind switch
            {
                "list" => StepResult.Done(new { files = new[] { new { name = "a" }, new { name = "b" }, new { name = "c" } } }),
                "check" => StepResult.Done(turn.Input.GetProperty("label").GetString()),
                _ => StepResult.Done(turn.Dependencies.Values.Where(step => step.Name != "list").OrderBy(step => step.Name).Select(step => step.Output)),
            }),
        };
        await using var server = await ServerFixture.StartAsync(agent);
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "spread" }, cancellationToken: Ct);
        var done = await client.FinishAsync(goal.Id, Ct);
        Assert.Equal(GoalState.Completed, done.State);
        Assert.Equal(["no. 1: a", "no. 2: b", "no. 3: c"], AstraJson.Read<List<string>>(done.Result!.Value));
        Assert.Equal(3, (await client.GetPlanAsync(goal.Id, Ct)).Tasks.Count(task => task.Group == "check"));
    }

    [Fact]
    public async Task A_result_that_has_no_list_where_one_is_taken_apart_is_a_dead_letter_that_says_so()
    {
        var agent = new TestAgent("spread") { OnStep = (_, _) => Task.FromResult(StepResult.Done(new { files = "none" })) };
        await using var server = await ServerFixture.StartAsync(agent);
        var client = await server.ClientAsync();
        var list = new AddStep { Name = "list", Executor = "agent:spread", Kind = "list", FanOut = [new FanOut { Path = "files", Step = Step("check") }] };
        var goal = await client.SubmitAsync(new GoalSubmission { Plan = [list] }, cancellationToken: Ct);
        var done = await client.FinishAsync(goal.Id, Ct);
        Assert.Equal("Task list died: Step list fans out into check over 'files' of its output, and there is no list there.", done.Reason);
    }

    [Fact]
    public void A_plan_file_says_conditions_and_fan_outs()
    {
        var plan = PlanFile.Parse("""
            onDeadTask: skip
            steps:
              - name: list
                tool: ls
              - name: check
                fan_out:
                  over: list.output.files
                  step: {tool: check, input: {file: "${item}"}, retries: 0}
                  join: report
              - name: report
                tool: report
              - name: alarm
                tool: alarm
                after: [{step: report, when: bad}, {step: list, when: passed}]
            """);
        var steps = plan.Plan!.OfType<AddStep>().ToDictionary(step => step.Name);
        Assert.Equal(["alarm", "list", "report"], steps.Keys.Order());
        var fanOut = Assert.Single(steps["list"].FanOut!);
        Assert.Equal(("files", "check", "tool:check", 1, "report"), (fanOut.Path, fanOut.Step.Name, fanOut.Step.Executor, fanOut.Step.AttemptCountMax, fanOut.Join));
        Assert.Equal([On("list")], steps["report"].After);
        Assert.Equal(["bad", "passed"], steps["alarm"].After.Select(after => after.When));
        Assert.Equal(DeadTaskPolicy.Skip, plan.OnDeadTask);
        Assert.Contains("no such step", Assert.Throws<PlanFileException>(() => PlanFile.Parse("steps:\n  - name: x\n    fan_out: {over: nothing.output, step: {tool: y}}\n  - name: z\n    tool: t")).Message, StringComparison.Ordinal);
    }

    private static AddStep Step(string name, params string[] after) => new() { Name = name, Executor = "agent:nobody", After = [.. after.Select(On)] };

    private static StepDependency On(string step) => new(step, OnlyCompleted: true);

    private static async Task<object> TryAsync<T>(Func<Task<T>> ask)
    {
        try
        {
            return (await ask())!;
        }
        catch (AstraException e)
        {
            return e;
        }
    }

    private static Task<AstraException> RefusedAsync(Func<Task> ask) => Assert.ThrowsAsync<AstraException>(ask);
}
