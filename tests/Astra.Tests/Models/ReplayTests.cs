using System.Net;
using System.Text;
using System.Text.Json;
using Astra.Llm.Recording;
using Astra.Sdk;
using Astra.Tests.Api;
using Astra.Tests.EndToEnd;

namespace Astra.Tests.Models;

/// <summary>Goals once more: reproduced from what was recorded of them, and forked at one of their steps.</summary>
public sealed class ReplayTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_goal_is_reproduced_to_the_same_hash_with_nobody_asked(bool isStream)
    {
        var writer = new Writer { IsStream = isStream };
        await using var world = await WorldOf(writer);
        var provider = await AnswerAsync(world, request => $"about {request}");
        using var client = await world.Server.ClientAsync();
        var goal = await RunAsync(client);
        Assert.Contains("about about whales", goal.Result!.Value.GetString()!, StringComparison.Ordinal);
        var (asked, run) = (provider.Seen.Count, world.Server.Sandbox.Runs.Count);
        provider.Answer = _ => ModelScript.Status(500);

        var first = await client.ReplayGoalAsync(goal.Id, Ct);
        var second = await client.ReplayGoalAsync(goal.Id, Ct);
        Assert.Empty(first.Problems);
        Assert.True(first.IsSame);
        Assert.Equal(first.OriginalHash, first.ReplayHash);
        Assert.Equal((first.OriginalHash, first.ReplayHash), (second.OriginalHash, second.ReplayHash));
        Assert.Equal(["draft", "list", "plan", "reflect", "research"], first.Steps.Select(step => step.Name).Order());
        Assert.Equal(["list"], first.Steps.Where(step => !step.IsRunAgain).Select(step => step.Name));
        Assert.Equal((asked, run), (provider.Seen.Count, world.Server.Sandbox.Runs.Count));
        // Nothing of it has changed.
        Assert.Equal(goal.LastSeq, (await client.GetGoalAsync(goal.Id, Ct)).LastSeq);
    }

    [Fact]
    public async Task The_same_goal_twice_has_one_hash_whatever_its_ids_and_times()
    {
        await using var world = await WorldOf(new Writer());
        await AnswerAsync(world, request => $"about {request}");
        using var client = await world.Server.ClientAsync();
        var one = await client.ReplayGoalAsync((await RunAsync(client)).Id, Ct);
        var two = await client.ReplayGoalAsync((await RunAsync(client)).Id, Ct);
        var other = await client.ReplayGoalAsync((await RunAsync(client, "owls")).Id, Ct);
        Assert.Equal(one.OriginalHash, two.OriginalHash);
        Assert.NotEqual(one.OriginalHash, other.OriginalHash);
    }

    [Fact]
    public async Task Answers_that_differ_are_given_in_the_order_in_which_they_were()
    {
        var count = 0;
        var writer = new Writer { AsksTwice = true };
        await using var world = await WorldOf(writer);
        await AnswerAsync(world, _ => $"word {Interlocked.Increment(ref count)}");
        using var client = await world.Server.ClientAsync();
        var goal = await RunAsync(client);
        Assert.Equal(4, count);
        Assert.True((await client.ReplayGoalAsync(goal.Id, Ct)).IsSame);
        Assert.Equal(4, count);
    }

    [Theory]
    [InlineData(RecordingKind.Model)]
    [InlineData(RecordingKind.Tool)]
    public async Task What_has_no_recording_is_a_failure_that_says_which_and_asks_nobody(RecordingKind lost)
    {
        await using var world = await WorldOf(new Writer());
        var provider = await AnswerAsync(world, request => $"about {request}");
        using var client = await world.Server.ClientAsync();
        var goal = await RunAsync(client);
        await world.Recorder.FlushAsync(Ct);
        var gone = world.Recordings.All.Last(recording => recording.Kind == lost);
        world.Recordings.IsKept = recording => recording.Id != gone.Id;
        var asked = provider.Seen.Count;
        var replay = await client.ReplayGoalAsync(goal.Id, Ct);
        Assert.False(replay.IsSame);
        Assert.NotEqual(replay.OriginalHash, replay.ReplayHash);
        Assert.Contains(replay.Problems, problem => problem.Contains(gone.Task.Value.ToString(), StringComparison.Ordinal) && problem.Contains(gone.Request.ToString()[..16], StringComparison.Ordinal));
        Assert.Equal(asked, provider.Seen.Count);
    }

    [Fact]
    public async Task A_goal_whose_recordings_are_forgotten_is_refused_with_one_sentence_that_says_how_long_they_are_kept()
    {
        await using var world = await WorldOf(new Writer(), recordingsKept: TimeSpan.FromTicks(1));
        var provider = await AnswerAsync(world, request => $"about {request}");
        using var client = await world.Server.ClientAsync();
        var goal = await RunAsync(client);
        Assert.True((await client.ReplayGoalAsync(goal.Id, Ct)).IsSame);
        world.Recordings.IsKept = _ => false;
        var asked = provider.Seen.Count;
        var refused = await Assert.ThrowsAsync<AstraException>(() => client.ReplayGoalAsync(goal.Id, Ct));
        Assert.Equal(409, refused.Status);
        Assert.Equal($"Goal {goal.Id} cannot be replayed: its recordings are forgotten: they are kept for 0 days after a goal has ended (`astra serve --keep-recordings`).", refused.Message);
        Assert.Equal(asked, provider.Seen.Count);
    }

    [Fact]
    public async Task Code_that_does_something_else_now_is_noticed()
    {
        var writer = new Writer();
        await using var world = await WorldOf(writer);
        await AnswerAsync(world, request => $"about {request}");
        using var client = await world.Server.ClientAsync();
        var goal = await RunAsync(client);
        writer.Ending = "?";
        var replay = await client.ReplayGoalAsync(goal.Id, Ct);
        Assert.False(replay.IsSame);
        Assert.NotEqual(replay.OriginalHash, replay.ReplayHash);
    }

    [Fact]
    public async Task A_fork_runs_its_step_and_what_depends_on_it_and_pays_for_nothing_else()
    {
        await using var world = await WorldOf(new Writer());
        var provider = await AnswerAsync(world, request => $"about {request}");
        using var client = await world.Server.ClientAsync();
        var goal = await RunAsync(client);
        var (asked, run, paid) = (provider.Seen.Count, world.Server.Sandbox.Runs.Count, world.Usage.Records.Count);
        provider.Answer = request => ModelScript.Chat($"otherwise {Said(request)}");

        var fork = await client.FinishAsync((await client.ForkGoalAsync(goal.Id, "draft", Ct)).Id, Ct);
        Assert.Equal(GoalState.Completed, fork.State);
        Assert.Equal("otherwise about whales! ran ls", fork.Result!.Value.GetString());
        Assert.Equal((asked + 1, run + 1, paid + 1), (provider.Seen.Count, world.Server.Sandbox.Runs.Count, world.Usage.Records.Count));
        var (then, now) = (await client.GetPlanAsync(goal.Id, Ct), await client.GetPlanAsync(fork.Id, Ct));
        Assert.Equal(then.Tasks.Select(task => task.Name).Order(), now.Tasks.Select(task => task.Name).Order());
        Assert.Equal(["list", "plan", "research"], now.Tasks.Where(task => task.Executor == "agent:$recorded").Select(task => task.Name).Order());
        // And it is a goal like any other.
        Assert.True((await client.ReplayGoalAsync(fork.Id, Ct)).IsSame);
    }

    [Fact]
    public async Task A_fork_at_the_plan_makes_the_plan_again()
    {
        await using var world = await WorldOf(new Writer());
        var provider = await AnswerAsync(world, request => $"about {request}");
        using var client = await world.Server.ClientAsync();
        var goal = await RunAsync(client);
        var asked = provider.Seen.Count;
        var plan = (await client.GetPlanAsync(goal.Id, Ct)).Tasks.Single(task => task.Name == "plan");
        var fork = await client.FinishAsync((await client.ForkGoalAsync(goal.Id, plan.Id.ToString(), Ct)).Id, Ct);
        Assert.Equal((GoalState.Completed, goal.Result!.Value.GetString()), (fork.State, fork.Result!.Value.GetString()));
        Assert.Equal(2 * asked, provider.Seen.Count);
    }

    [Fact]
    public async Task What_cannot_be_forked_or_replayed_is_refused_with_the_reason()
    {
        var gate = new TaskCompletionSource();
        await using var world = await WorldOf(new Writer { Gate = gate.Task });
        await AnswerAsync(world, request => $"about {request}");
        using var client = await world.Server.ClientAsync();
        var running = await client.SubmitAsync(Submission("whales"), cancellationToken: Ct);
        await Eventually.SeeAsync("the steps", async () => (await client.GetPlanAsync(running.Id, Ct)).Tasks.Any(task => task.Name == "draft") ? "" : null);
        Assert.Equal(409, (await Assert.ThrowsAsync<AstraException>(() => client.ReplayGoalAsync(running.Id, Ct))).Status);
        var early = await Assert.ThrowsAsync<AstraException>(() => client.ForkGoalAsync(running.Id, "draft", Ct));
        Assert.Equal(409, early.Status);
        Assert.Contains("research", early.Message, StringComparison.Ordinal);
        gate.SetResult();
        await client.FinishAsync(running.Id, Ct);
        Assert.Equal(404, (await Assert.ThrowsAsync<AstraException>(() => client.ForkGoalAsync(running.Id, "nothing", Ct))).Status);
        using var stranger = await world.Server.ClientAsync(new Kernel.TenantId(Guid.NewGuid()));
        Assert.Equal(404, (await Assert.ThrowsAsync<AstraException>(() => stranger.ReplayGoalAsync(running.Id, Ct))).Status);
        Assert.Equal(404, (await Assert.ThrowsAsync<AstraException>(() => stranger.ForkGoalAsync(running.Id, "draft", Ct))).Status);
    }

    private static async Task<ModelWorld> WorldOf(Writer writer, TimeSpan? recordingsKept = null)
    {
        var world = await ModelWorld.StartAsync(agents: [writer], recordingsKept: recordingsKept);
        writer.Http = world.Http;
        return world;
    }

    private static async Task<ScriptedModels> AnswerAsync(ModelWorld world, Func<string, string> answer)
    {
        var provider = world.Provider(request => request.IsStream ? ModelScript.ChatStream(answer(Said(request))) : ModelScript.Chat(answer(Said(request))));
        await world.ConfigureAsync(provider);
        return provider;
    }

    private static string Said(ModelRequest request) => request.Json.GetProperty("messages")[0].GetProperty("content").GetString()!;

    private static GoalSubmission Submission(string about) => new() { Agent = "writer", Input = AstraJson.ToElement(new { about }) };

    private static async Task<GoalView> RunAsync(AstraClient client, string about = "whales")
    {
        var goal = await client.FinishAsync((await client.SubmitAsync(Submission(about), cancellationToken: Ct)).Id, Ct);
        Assert.Equal(GoalState.Completed, goal.State);
        return goal;
    }

    /// <summary>Researches, lists and drafts: two steps that ask a model, one of them with a tool, and one that is a tool.</summary>
    private sealed class Writer : Agent
    {
        public override string Name => "writer";

        public HttpClient Http { get; set; } = null!;
        public bool IsStream { get; init; }
        public bool AsksTwice { get; init; }
        public string Ending { get; set; } = "!";
        public Task Gate { get; init; } = Task.CompletedTask;

        public override ValueTask<Plan> PlanAsync(PlanningTurn turn, CancellationToken cancellationToken)
        {
            var plan = new Plan();
            var research = plan.Step("research", "ask", turn.Goal.Input.GetProperty("about").GetString());
            var list = plan.Tool("list", "shell", new { command = "dir" });
            plan.Step("draft", "draft", after: [research.Completed, list.Completed]);
            return ValueTask.FromResult(plan);
        }

        public override async ValueTask<StepResult> ExecuteAsync(StepTurn turn, CancellationToken cancellationToken)
        {
            await Gate.WaitAsync(cancellationToken);
            if (turn.Kind == "ask")
                return StepResult.Done(await AskAsync(turn, turn.Input.GetString()!, cancellationToken));
            var drafted = await AskAsync(turn, turn.Dependencies["research"].Output.GetString()!, cancellationToken);
            var listed = await turn.Tools.CallAsync(new ToolCall("shell", new { command = "ls" }), cancellationToken);
            return StepResult.Done($"{drafted}{Ending} {listed.Output.GetProperty("stdout").GetString()}");
        }

        private async Task<string> AskAsync(StepTurn turn, string words, CancellationToken cancellationToken)
        {
            var answer = await AskOnceAsync(turn, words, cancellationToken);
            return AsksTwice ? $"{answer}, {await AskOnceAsync(turn, words, cancellationToken)}" : answer;
        }

        private async Task<string> AskOnceAsync(StepTurn turn, string words, CancellationToken cancellationToken)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions")
            {
                Content = new StringContent($"{{\"model\":\"r\",\"messages\":[{{\"role\":\"user\",\"content\":{JsonSerializer.Serialize(words)}}}]{(IsStream ? ",\"stream\":true" : "")}}}", Encoding.UTF8, "application/json"),
            };
            request.Headers.Add("x-astra-goal", turn.Goal.Id.ToString());
            request.Headers.Add("x-astra-task", turn.Task.ToString());
            using var response = await Http.SendAsync(request, cancellationToken);
            var text = await response.Content.ReadAsStringAsync(cancellationToken);
            if (response.StatusCode != HttpStatusCode.OK)
                throw new PermanentFailureException(text);
            var answer = new ModelAnswer(response.StatusCode, text, new Dictionary<string, string>());
            return IsStream ? answer.Words : answer.Json.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!;
        }
    }
}
