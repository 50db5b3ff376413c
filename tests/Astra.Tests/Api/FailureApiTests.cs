using System.Net;
using System.Net.Http.Json;
using Astra.Governance;
using Astra.Sdk;

namespace Astra.Tests.Api;

/// <summary>The dead-letter desk and the effect ledger, over the API and with workers over the protocol.</summary>
public sealed class FailureApiTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Dead_letters_are_grouped_fixed_and_replayed_and_their_story_is_told()
    {
        await using var server = await ServerFixture.StartAsync(new TestAgent("picky")
        {
            OnPlan = turn =>
            {
                var plan = new Plan();
                foreach (var name in turn.Goal.InputAs<string[]>())
                    plan.Step(name, "eat", "bad");
                return plan;
            },
            OnStep = (turn, _) => turn.InputAs<string>() == "good" ? Task.FromResult(StepResult.Done("eaten")) : throw new PermanentFailureException("It tastes bad."),
        });
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(
            new GoalSubmission { Agent = "picky", Title = "lunch", Input = AstraJson.ToElement(new[] { "a", "b" }), OnDeadTask = DeadTaskPolicy.Wait, RetriesMax = 3 }, cancellationToken: Ct);
        await client.FinishAsync(goal.Id, Ct);

        var group = Assert.Single(await client.ListDeadGroupsAsync(Ct));
        Assert.Equal((2, "It tastes bad."), (group.Count, group.SampleReason));
        Assert.Equal(["agent:picky"], group.Executors);
        var dead = (await client.ListDeadLettersAsync(group: group.Id, cancellationToken: Ct)).Items;
        Assert.Equal(["a", "b"], dead.Select(letter => letter.Task.Name).Order(StringComparer.Ordinal));
        Assert.All(dead, letter => Assert.Equal("lunch", letter.GoalTitle));
        Assert.Empty((await client.ListDeadLettersAsync(group: "no such cause", cancellationToken: Ct)).Items);

        var id = dead[0].Task.Id;
        foreach (var (bad, sentence) in ((DeadLetterFix, string)[])[(new(), "another input"), (new("picky"), "no executor"), (new("tool:nothing"), "no tool"), (new("tool:shell"), "does not fit")])
            Assert.Contains(sentence, (await Assert.ThrowsAsync<AstraException>(() => client.FixAsync(id, bad, Ct))).Message, StringComparison.Ordinal);
        Assert.Equal("good", (await client.FixAsync(id, new DeadLetterFix(Input: AstraJson.ToElement("good")), Ct)).Input!.Value.GetString());
        var story = await client.GetStoryAsync(id, Ct);
        Assert.Equal(("lunch", group.Fingerprint), (story.GoalTitle, story.Fingerprint));
        Assert.Equal(("task_died", "It tastes bad."), (story.Attempts.Single().Ending, story.Attempts.Single().Failure!.Reason));
        Assert.Equal("task_fixed", Assert.Single(story.Interventions).Kind);
    }

    [Fact]
    public async Task An_effect_of_a_remote_worker_is_made_once_and_its_output_survives_the_attempt()
    {
        await using var server = await ServerFixture.StartAsync();
        var keys = new List<string>();
        var agent = TestAgent.Payer(async (turn, ct) =>
        {
            var receipt = await turn.EffectAsync("pays the invoice", (key, _) =>
            {
                keys.Add(key);
                return ValueTask.FromResult<object?>(new { receipt = 17 });
            }, ct);
            return turn.Attempt == 1 ? throw new IOException("lost after paying") : StepResult.Done(receipt);
        });
        var client = await server.ClientAsync();
        var goal = await server.RunRemotelyAsync(agent, Ct);

        var pay = (await client.GetPlanAsync(goal.Id, Ct)).Tasks.Single(task => task.Name == "pay");
        Assert.Equal((TaskState.Completed, 2, EffectState.Sent), (pay.State, pay.Attempt, pay.Effect!.State));
        Assert.Equal([pay.Id.ToString("N")], keys);
        Assert.Equal(17, (await client.GetTaskAsync(pay.Id, Ct)).Output!.Value.GetProperty("receipt").GetInt32());
    }

    [Fact]
    public async Task An_effect_that_fails_half_way_waits_until_somebody_says_what_became_of_it()
    {
        await using var server = await ServerFixture.StartAsync(new TestAgent("halfway")
        {
            OnPlan = _ =>
            {
                var plan = new Plan();
                plan.Step("pay", "pay");
                return plan;
            },
            OnStep = async (turn, ct) => StepResult.Done(await turn.EffectAsync("pays", (_, _) => throw new IOException("the line was cut"), ct)),
        });
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "halfway", Title = "bills" }, cancellationToken: Ct);
        await foreach (var happened in client.FollowAsync(goal.Id, 0, Ct))
            if (happened.Kind == "effect_lost")
                break;

        var unknown = Assert.Single((await client.ListUnknownEffectsAsync(cancellationToken: Ct)).Items);
        Assert.Equal(("pay", "bills", EffectState.Unknown, "pays", FailureKind.UnknownEffect), (unknown.Task.Name, unknown.GoalTitle, unknown.Task.Effect!.State, unknown.Task.Effect.What, unknown.Task.Failure!.Kind));
        Assert.Contains("the line was cut", unknown.Task.Failure.Reason, StringComparison.Ordinal);
        Assert.Contains("astra effect resolve", (await client.WhyAsync(unknown.Task.Id, Ct)).Sentence, StringComparison.Ordinal);
        Assert.Equal(422, (await Assert.ThrowsAsync<AstraException>(() => client.ResolveEffectAsync(unknown.Task.Id, new EffectResolution(EffectState.Unknown), Ct))).Status);
        Assert.Equal(404, (await Assert.ThrowsAsync<AstraException>(() => client.ResolveEffectAsync(Guid.NewGuid(), new EffectResolution(EffectState.Sent), Ct))).Status);
        Assert.Equal(TaskState.Completed, (await client.ResolveEffectAsync(unknown.Task.Id, new EffectResolution(EffectState.Sent, AstraJson.ToElement("paid by hand")), Ct)).State);
        Assert.Equal("paid by hand", (await client.FinishAsync(goal.Id, Ct)).Result!.Value.GetString());
        Assert.Empty((await client.ListUnknownEffectsAsync(cancellationToken: Ct)).Items);
        Assert.Equal(409, (await Assert.ThrowsAsync<AstraException>(() => client.ResolveEffectAsync(unknown.Task.Id, new EffectResolution(EffectState.NotSent), Ct))).Status);
    }

    [Fact]
    public async Task Another_tenant_sees_no_dead_letter_and_resolves_nothing()
    {
        await using var server = await ServerFixture.StartAsync(new TestAgent("dies") { OnPlan = _ => throw new PermanentFailureException("no plan") });
        var client = await server.ClientAsync();
        var goal = await client.FinishAsync((await client.SubmitAsync(new GoalSubmission { Agent = "dies" }, cancellationToken: Ct)).Id, Ct);
        var id = Assert.Single((await client.ListDeadLettersAsync(cancellationToken: Ct)).Items).Task.Id;
        var other = await server.ClientAsync(new Kernel.TenantId(Guid.NewGuid()));
        Assert.Empty(await other.ListDeadGroupsAsync(Ct));
        Assert.Empty((await other.ListDeadLettersAsync(cancellationToken: Ct)).Items);
        foreach (var call in (Func<Task>[])[() => other.GetStoryAsync(id, Ct), () => other.FixAsync(id, new DeadLetterFix("agent:x"), Ct), () => other.ReplayAsync(id, Ct)])
            Assert.Equal(404, (await Assert.ThrowsAsync<AstraException>(call)).Status);
        using var raw = await server.RawAsync();
        Assert.Equal(HttpStatusCode.BadRequest, (await raw.PostAsJsonAsync($"/api/v1/effects/{id}/resolve", new { outcome = "maybe" }, Ct)).StatusCode);
        Assert.Equal(GoalState.Failed, goal.State);
    }
}
