using Astra.Sdk;
using Astra.Tests.Durability;
using Astra.Tests.Models;

namespace Astra.Tests.EndToEnd;

/// <summary>Agents without code on real servers, which come, are killed and come again.</summary>
public sealed class ProfileLifeTests(PostgresFixture postgres) : IAsyncDisposable
{
    // Of every scripted answer: two tokens written, and what is read costs nothing.
    private static readonly long AnswerNanos = ModelServers.CostOf(2);

    private readonly AstraMachine _machine = new();
    private readonly TaskCompletionSource _hanging = new();
    private readonly TaskCompletionSource _over = new();
    private int _asked;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_goal_for_an_agent_that_was_removed_is_refused_and_does_not_wait_for_one_that_never_comes()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var servers = new ModelServers(_machine, database, _ => ModelScript.Chat("well"));
        await servers.StartAsync(0);
        var server = _machine.DataOf("server-0");
        var file = _machine.Write("tidy.yaml", "name: tidy\nprompt: You write.\nmodel: box/m1\n");
        await _machine.StartOn(server, "agent", "add", file).EndsWithAsync(0);
        await _machine.StartOn(server, "agent", "remove", "tidy").EndsWithAsync(0);
        var refused = await _machine.StartOn(server, "goal", "submit", "--agent", "tidy", "--input", "\"write\"").EndsWithAsync(1);
        Assert.Contains("Agent tidy has no profile; `astra agent add FILE` gives it one.", refused.Error, StringComparison.Ordinal);

        await _machine.StartOn(server, "agent", "add", file).EndsWithAsync(0);
        var goal = await servers.Client.SubmitAsync(new GoalSubmission { Agent = "tidy", Input = AstraJson.ToElement("write") }, cancellationToken: Ct);
        await EndsAsync(servers.Client, goal.Id, GoalState.Completed);
    }

    [Fact]
    public async Task A_loop_whose_server_is_killed_is_made_again_by_the_next_one_and_pays_for_what_was_asked_and_no_more()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var servers = new ModelServers(_machine, database, Answer);
        await servers.StartAsync(0);
        var client = servers.Client;
        await client.SetProfileAsync(new AgentProfile { Name = "tidy", Prompt = "You write.", Model = "box/m1", Tools = ["shell"] }, Ct);
        await client.SetBudgetAsync(new BudgetRequest { Level = BudgetLevel.Agent, Of = "tidy", CapNanos = 10_000_000_000 }, Ct);
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "tidy", Input = AstraJson.ToElement("write") }, cancellationToken: Ct);
        await _hanging.Task.WaitAsync(TimeSpan.FromSeconds(90), Ct);
        await Eventually.HoldsAsync("the first answer is written down and paid", async () => (await CallsAsync(client), (await BudgetAsync(client)).SpentNanos) == (1, AnswerNanos));

        await servers.KillAsync(0);
        _over.SetResult();
        await servers.StartAsync(0);
        using var next = await AstraMachine.ClientAsync(_machine.DataOf("server-0"));
        var ended = await EndsAsync(next, goal.Id, GoalState.Completed);
        Assert.Equal("done", ended.Result!.Value.GetProperty("answer").GetString());
        Assert.Equal(2, (await next.GetPlanAsync(goal.Id, Ct)).Tasks.Single(task => task.Name == "work").Attempt);
        // From the beginning: what the first attempt was told died with it.
        Assert.Equal([2, 4, 2, 4], servers.Provider.Seen.Select(request => request.Json.GetProperty("messages").GetArrayLength()));

        // Three answers came, and the fourth question was under way when its server died: that one is in what is lost.
        var rest = await Eventually.SeeAsync(
            "nothing is held, and what died is counted", async () => await BudgetAsync(next) is { HeldNanos: 0, LostNanos: > 0 } view && view.SpentNanos == 3 * AnswerNanos ? view : null,
            () => $"{BudgetAsync(next).Result}");
        Assert.InRange(rest.SpentNanos + rest.LostNanos, 3 * AnswerNanos, rest.CapNanos);
        Assert.Equal(3, await CallsAsync(next));
        Assert.Equal(rest.LostNanos, (await next.ForgiveBudgetAsync(new BudgetForgiveRequest(BudgetLevel.Agent, "tidy"), Ct)).ForgivenNanos);
        var forgiven = await BudgetAsync(next);
        Assert.Equal((3 * AnswerNanos, 0, 0), (forgiven.SpentNanos, forgiven.LostNanos, forgiven.HeldNanos));
    }

    public ValueTask DisposeAsync() => _machine.DisposeAsync();

    private ModelScript Answer(ModelRequest request)
    {
        switch (Interlocked.Increment(ref _asked))
        {
            case 1 or 3:
                return ModelScript.Calls(("shell", """{"command":"true"}"""));
            case 2:
                _hanging.SetResult();
                return new ModelScript([new Until(_over.Task), .. ModelScript.Chat("too late").Steps]);
            default:
                return ModelScript.Chat("done");
        }
    }

    private static async Task<GoalView> EndsAsync(AstraClient client, Guid goal, GoalState state)
    {
        var ended = await Eventually.SeeAsync("the goal has ended", async () => await client.GetGoalAsync(goal, Ct) is { State: not GoalState.Active } view ? view : null);
        Assert.True(ended.State == state, $"{ended}");
        return ended;
    }

    private static async Task<BudgetView> BudgetAsync(AstraClient client) => (await client.ListBudgetsAsync(cancellationToken: Ct)).Single(budget => budget.Of == "tidy");

    private static async Task<long> CallsAsync(AstraClient client) =>
        (await client.GetUsageAsync(UsageGrouping.Agent, cancellationToken: Ct)).Sums.SingleOrDefault(sum => sum.Of == "tidy")?.Calls ?? 0;
}
