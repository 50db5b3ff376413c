using System.Text.Json;
using Astra.Sdk;
using Astra.Tests.Api;
using Xunit;

namespace Astra.Tests.EndToEnd;

/// <summary>The desks for what went wrong, as a person uses them: the real `astra` on a real server.</summary>
public sealed class DeadDeskTests : IAsyncDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly AstraMachine _machine = new();

    [Fact]
    public async Task A_cause_of_death_is_seen_fixed_replayed_behind_a_canary_and_what_is_left_is_discarded()
    {
        await using var server = await StartAsync(TestWorker.Picky());
        var goal = await server.Client.SubmitAsync(TestWorker.Meal("bad-sour-1", "bad-sour-2", "bad-sour-3", "bad-bitter", "good"), cancellationToken: None);
        await Eventually.HoldsAsync("four are dead", async () => (await server.Client.GetGoalAsync(goal.Id, None)).Tasks.Dead == 4);

        var groups = Json(await AstraAsync(0, "dead", "groups", "--json"));
        Assert.Equal([("It tastes bitter.", 1), ("It tastes sour.", 3)], groups.EnumerateArray()
            .Select(one => (one.GetProperty("sampleReason").GetString()!, one.GetProperty("count").GetInt32())).Order());
        var group = groups.EnumerateArray().Single(one => one.GetProperty("count").GetInt32() == 3).GetProperty("id").GetString()!;
        Assert.Contains("It tastes sour.", await AstraAsync(0, "dead", "groups"), StringComparison.Ordinal);
        var dead = Json(await AstraAsync(0, "dead", "list", "--group", group, "--json")).GetProperty("items").EnumerateArray().Select(item => item.GetProperty("task")).ToList();
        Assert.Equal(["bad-sour-1", "bad-sour-2", "bad-sour-3"], dead.Select(task => task.GetProperty("name").GetString()!).Order(StringComparer.Ordinal));

        // Nothing has been mended: the canary dies like before, and the rest is left alone.
        var stopped = await _machine.Astra("dead", "replay", "--group", group, "--canary").EndsWithAsync(1);
        Assert.Contains("did not complete (It tastes sour.); the rest of the group was left alone", stopped.Out, StringComparison.Ordinal);
        var untouched = Json(await AstraAsync(0, "dead", "list", "--group", group, "--json")).GetProperty("items").EnumerateArray().Select(item => item.GetProperty("task").GetProperty("attempt").GetInt32());
        Assert.Equal([1, 1, 2], untouched.Order());

        foreach (var id in dead.Select(task => task.GetProperty("id").GetString()!))
            Assert.Contains("is fixed and still dead", await AstraAsync(0, "dead", "fix", id, "--input", "\"good\""), StringComparison.Ordinal);
        var canary = await _machine.Astra("dead", "replay", "--group", group, "--canary").EndsWithAsync(0);
        Assert.Contains("The canary completed.", canary.Error, StringComparison.Ordinal);
        Assert.Contains("3 dead letters replayed.", canary.Out, StringComparison.Ordinal);
        await Eventually.HoldsAsync("what was fixed is done", async () => (await server.Client.GetGoalAsync(goal.Id, None)).Tasks is { Completed: 4, Dead: 1 });
        var story = await AstraAsync(0, "dead", "show", dead[0].GetProperty("id").GetString()!);
        Assert.Contains("task fixed", story, StringComparison.Ordinal);
        Assert.Contains("It tastes sour.", story, StringComparison.Ordinal);

        var bitter = Json(await AstraAsync(0, "dead", "list", "--json")).GetProperty("items")[0].GetProperty("task").GetProperty("id").GetString()!;
        await AstraAsync(64, "dead", "discard", bitter);
        Assert.Contains("cancelled", await AstraAsync(0, "dead", "discard", bitter, "--reason", "nobody likes it"), StringComparison.Ordinal);
        Assert.Contains("Reason    nobody likes it", await AstraAsync(0, "task", "show", bitter), StringComparison.Ordinal);
        Assert.Contains("No dead letters.", await AstraAsync(0, "dead", "groups"), StringComparison.Ordinal);

        // What died, died: neither a replay nor a discard nor a restart takes it out of its hour.
        await Check(await AstraAsync(0, "dead", "rates", "--json"));
        Assert.Contains("agent:picky", await AstraAsync(0, "dead", "rates", "--hours", "2"), StringComparison.Ordinal);
        await server.KillAsync();
        await _machine.ServeAsync(_machine.Data);
        await Check(await AstraAsync(0, "dead", "rates", "--json"));
        await AstraAsync(64, "dead", "rates", "--hours", "0");

        static Task Check(string rates)
        {
            // Five deaths: the four, and that of the canary. The test may be made at the end of an hour.
            Assert.Equal(5, Json(rates).EnumerateArray().Sum(rate => rate.GetProperty("count").GetInt32()));
            Assert.All(Json(rates).EnumerateArray(), rate => Assert.Equal(("eat", "agent:picky"), (rate.GetProperty("kind").GetString(), rate.GetProperty("executor").GetString())));
            return Task.CompletedTask;
        }
    }

    [Fact]
    public async Task A_whole_group_is_replayed_up_to_a_limit_and_discarded_with_a_reason()
    {
        await using var server = await StartAsync(TestWorker.Picky());
        var goal = await server.Client.SubmitAsync(TestWorker.Meal("bad-sour-1", "bad-sour-2", "bad-sour-3"), cancellationToken: None);
        await Eventually.HoldsAsync("three are dead", async () => (await server.Client.GetGoalAsync(goal.Id, None)).Tasks.Dead == 3);
        var group = Json(await AstraAsync(0, "dead", "groups", "--json"))[0].GetProperty("id").GetString()!;

        Assert.Contains("2 dead letters replayed.", await AstraAsync(0, "dead", "replay", "--group", group, "--limit", "2"), StringComparison.Ordinal);
        await Eventually.HoldsAsync("they are dead again", async () =>
            (await server.Client.ListDeadLettersAsync(group: group, cancellationToken: None)).Items.Select(letter => letter.Task.Attempt).Order().SequenceEqual([1, 2, 2]));
        Assert.Contains("3 dead letters discarded.", await AstraAsync(0, "dead", "discard", "--group", group, "--reason", "the kitchen is closed"), StringComparison.Ordinal);
        Assert.All((await server.Client.GetPlanAsync(goal.Id, None)).Tasks, task => Assert.Equal((TaskState.Cancelled, "the kitchen is closed"), (task.State, task.Reason)));
        await AstraAsync(64, "dead", "replay");
        await AstraAsync(64, "dead", "discard", goal.Id.ToString(), "--group", group, "--reason", "both");
    }

    [Fact]
    public async Task An_effect_that_nobody_knows_about_is_listed_and_resolved_either_way()
    {
        var made = 0;
        await using var server = await StartAsync(new TestAgent("payer")
        {
            OnStep = async (turn, token) => StepResult.Done(await turn.EffectAsync("pays the invoice", (_, _) =>
                Interlocked.Increment(ref made) <= 2 ? throw new IOException("the line was cut") : ValueTask.FromResult<object?>(new { receipt = 17 }), token)),
        });
        var goal = await server.Client.SubmitAsync(new GoalSubmission
        {
            Title = "bills", Plan = [.. ((string[])["gas", "rent"]).Select(name => new AddStep { Name = name, Executor = "agent:payer" })],
        }, cancellationToken: None);
        await Eventually.HoldsAsync("both are unknown", async () => (await server.Client.ListUnknownEffectsAsync(cancellationToken: None)).Items.Count == 2);

        var list = await AstraAsync(0, "effect", "list");
        Assert.Contains("pays the invoice", list, StringComparison.Ordinal);
        var unknown = Json(await AstraAsync(0, "effect", "list", "--json")).GetProperty("items").EnumerateArray()
            .ToDictionary(item => item.GetProperty("task").GetProperty("name").GetString()!, item => item.GetProperty("task").GetProperty("id").GetString()!);
        await AstraAsync(64, "effect", "resolve", unknown["gas"]);
        await AstraAsync(64, "effect", "resolve", unknown["gas"], "--not-sent", "--output", "{}");
        Assert.Contains("is completed", await AstraAsync(0, "effect", "resolve", unknown["gas"], "--sent", "--output", "{\"receipt\": 3}"), StringComparison.Ordinal);
        var ready = await _machine.Astra("effect", "resolve", unknown["rent"], "--not-sent").EndsWithAsync(0);
        Assert.Contains(unknown["rent"], ready.Out, StringComparison.Ordinal);

        await Eventually.HoldsAsync("the goal is done", async () => (await server.Client.GetGoalAsync(goal.Id, None)).State == GoalState.Completed);
        Assert.Equal(3, made);
        Assert.Equal(3, (await server.Client.GetTaskAsync(Guid.Parse(unknown["gas"]), None)).Output!.Value.GetProperty("receipt").GetInt32());
        Assert.Equal(17, (await server.Client.GetTaskAsync(Guid.Parse(unknown["rent"]), None)).Output!.Value.GetProperty("receipt").GetInt32());
        Assert.Contains("Every effect is known.", await AstraAsync(0, "effect", "list"), StringComparison.Ordinal);
        Assert.Contains(unknown["gas"], (await _machine.Astra("effect", "resolve", unknown["gas"], "--not-sent").EndsWithAsync(1)).ToString(), StringComparison.Ordinal);
    }

    public ValueTask DisposeAsync() => _machine.DisposeAsync();

    private async Task<string> AstraAsync(int exitCode, params string[] words) => (await _machine.Astra(words).EndsWithAsync(exitCode)).Out;

    private static JsonElement Json(string text) => JsonElement.Parse(text);

    private async Task<Running> StartAsync(Agent agent)
    {
        var server = await _machine.ServeAsync(_machine.Data);
        var client = await AstraMachine.ClientAsync(_machine.Data);
        return new Running(server, client, await TestWorker.StartAsync(client, _machine.Data.ReadAdminKey()!, agent));
    }

    private sealed record Running(AstraProcess Server, AstraClient Client, TestWorker Worker) : IAsyncDisposable
    {
        public async Task KillAsync()
        {
            await Worker.DisposeAsync();
            await Server.KillAsync();
        }

        public async ValueTask DisposeAsync()
        {
            if (!Server.HasEnded)
                await Worker.DisposeAsync();
            Client.Dispose();
        }
    }
}
