using System.Net;
using Astra.Kernel;
using Astra.Llm.Config;
using Astra.Llm.Money;
using Astra.Sdk;
using Astra.Tests.Api;
using Astra.Tests.EndToEnd;
using Microsoft.Extensions.AI;
using BudgetLevel = Astra.Llm.Money.BudgetLevel;
using BudgetWindow = Astra.Llm.Money.BudgetWindow;
using GoalState = Astra.Sdk.GoalState;

namespace Astra.Tests.Models;

/// <summary>Agents with code that ask models: in whose name, at whose cost, and what is kept of it.</summary>
public sealed class AgentModelTests : IAsyncLifetime
{
    private readonly InMemoryBudgets _budgets = new(TimeProvider.System);
    private readonly Asker _agent = new();
    private readonly CancellationTokenSource _workers = new();
    private readonly List<Task> _working = [];
    private BudgetLedger _ledger = null!;
    private ModelWorld _world = null!;
    private ScriptedModels _provider = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _ledger = new BudgetLedger(_budgets, TimeProvider.System);

    public async ValueTask DisposeAsync()
    {
        await _workers.CancelAsync();
        await Task.WhenAll(_working);
        await _world.DisposeAsync();
        await _ledger.DisposeAsync();
        _workers.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_step_asks_in_the_name_of_its_task_and_is_recorded_for_it(bool isInProcess)
    {
        using var client = await StartAsync(isInProcess);
        var goal = await RunAsync(client);
        Assert.Equal((GoalState.Completed, "hello, hello, 2"), (goal.State, goal.Result!.Value.GetString()));
        var step = (await client.GetPlanAsync(goal.Id, Ct)).Tasks.Single(task => task.Name == "ask");
        var records = await Eventually.SeeAsync("the records of three calls", () => Task.FromResult(_world.Usage.Records is { Count: 3 } all ? all : null));
        Assert.All(records, record => Assert.Equal(("asker", goal.Id, step.Id), (record.Spender.Agent, record.Spender.Goal!.Value.Value, record.Spender.Task!.Value.Value)));
        await _world.Recorder.FlushAsync(Ct);
        Assert.Equal(3, _world.Recordings.All.Count(recording => recording.Goal.Value == goal.Id && recording.Task.Value == step.Id));
    }

    [Fact]
    public async Task A_goal_whose_steps_ask_models_is_replayed_with_nobody_asked()
    {
        using var client = await StartAsync(isInProcess: true);
        var goal = await RunAsync(client);
        var asked = _provider.Seen.Count;
        _provider.Answer = _ => ModelScript.Status(500);
        var replay = await client.ReplayGoalAsync(goal.Id, Ct);
        Assert.Empty(replay.Problems);
        Assert.True(replay.IsSame);
        Assert.True(replay.Steps.Single(step => step.Name == "ask").IsRunAgain);
        Assert.Equal(asked, _provider.Seen.Count);
    }

    [Fact]
    public async Task A_step_that_was_tried_again_is_replayed_with_what_its_last_attempt_was_answered()
    {
        using var client = await StartAsync(isInProcess: true);
        var (whole, count) = (_provider.Answer, 0);
        _provider.Answer = request => request.Json.TryGetProperty("input", out _) || request.IsStream ? whole(request) : ModelScript.Chat($"answer {Interlocked.Increment(ref count)}");
        _agent.StumblesLeft = 2;
        var goal = await RunAsync(client);
        Assert.Equal((GoalState.Completed, "answer 3, hello, 2"), (goal.State, goal.Result!.Value.GetString()));

        var replay = await client.ReplayGoalAsync(goal.Id, Ct);

        Assert.Empty(replay.Problems);
        Assert.True(replay.IsSame);
        Assert.Equal(3, count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_budget_of_a_goal_holds_for_what_its_agents_ask_and_its_refusal_is_final(bool isInProcess)
    {
        using var client = await StartAsync(isInProcess);
        var gate = _agent.Gate = new TaskCompletionSource();
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "asker" }, cancellationToken: Ct);
        await _budgets.SetAsync(new Budget(new BudgetKey(_world.Server.Home, BudgetLevel.Goal, $"{goal.Id}", BudgetWindow.Total), new Nanodollars(1_000), null, "test", DateTimeOffset.UtcNow), DateTimeOffset.UtcNow, Ct);
        await _ledger.RefreshAsync(Ct);
        gate.SetResult();
        var ended = await client.FinishAsync(goal.Id, Ct);
        var step = (await client.GetPlanAsync(goal.Id, Ct)).Tasks.Single(task => task.Name == "ask");
        Assert.Contains("the budget of goal", step.Failure!.Reason, StringComparison.Ordinal);
        Assert.Equal((1, "budget_exceeded"), (step.Attempt, Assert.IsType<ModelRefusedException>(_agent.Failure).Code));
        Assert.NotEqual(GoalState.Active, ended.State);
        Assert.Empty(_provider.Seen);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task When_an_attempt_is_over_nothing_is_asked_for_it_any_more(bool isInProcess)
    {
        using var client = await StartAsync(isInProcess);
        await RunAsync(client);
        var asked = _provider.Seen.Count;
        var late = await Assert.ThrowsAsync<ModelRefusedException>(() => _agent.Kept!.Chat("r").GetResponseAsync("one more", cancellationToken: Ct));
        Assert.Equal((409, "attempt_over", false), (late.Status, late.Code, late.IsPassing));
        Assert.Equal(asked, _provider.Seen.Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_goal_that_is_cancelled_takes_the_calls_of_its_agents_along(bool isInProcess)
    {
        using var client = await StartAsync(isInProcess);
        var asked = new TaskCompletionSource();
        _provider.Answer = _ =>
        {
            asked.TrySetResult();
            return new ModelScript([new Hang()]);
        };
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "asker" }, cancellationToken: Ct);
        await asked.Task.WaitAsync(Ct);
        await client.CancelGoalAsync(goal.Id, cancellationToken: Ct);
        await Eventually.SeeAsync("the provider's connection is broken off", () => Task.FromResult(_provider.BrokenOff > 0 ? "" : null));
    }

    [Fact]
    public async Task The_name_of_an_attempt_is_taken_from_whoever_may_have_it_and_on_every_node()
    {
        using var client = await StartAsync(isInProcess: true);
        var gate = _agent.Gate = new TaskCompletionSource();
        var steps = new List<TaskView>();
        for (var i = 0; i < GoalCount; i++)
        {
            var goal = (await client.SubmitAsync(new GoalSubmission { Agent = "asker" }, cancellationToken: Ct)).Id;
            steps.Add(await Eventually.SeeAsync("the step runs", async () => (await client.GetPlanAsync(goal, Ct)).Tasks.FirstOrDefault(task => task is { Name: "ask", State: Sdk.TaskState.Running })));
        }
        // Some of the goals move, and what runs of them goes on where it was.
        await using var other = await ServerFixture.StartAsync(_world.Server.World, "other", _agent);
        await Eventually.SeeAsync("each node has some of the goals", async () =>
            (await other.SummariseAsync(), await _world.Server.SummariseAsync()) is var (there, here) && there.ShardsOwned == ShardId.Count / 2 && here.GoalsActive + there.GoalsActive == GoalCount ? "" : null);
        Assert.InRange((await other.SummariseAsync()).GoalsActive, 1, GoalCount - 1);
        foreach (var step in steps)
        {
            var goal = step.GoalId;
            (string, string)[] named = [("x-astra-task", $"{step.Id}"), ("x-astra-attempt", $"{step.Attempt}"), ("x-astra-goal", $"{Guid.NewGuid()}"), ("x-astra-agent", "somebody")];
            using var there = new HttpClient { BaseAddress = other.Address };
            there.DefaultRequestHeaders.Authorization = _world.Http.DefaultRequestHeaders.Authorization;
            foreach (var http in new[] { _world.Http, there })
            {
                using var answer = await AskAsync(http, named);
                Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            }
            // Whatever it says itself, it is for its task's goal and agent.
            await Eventually.SeeAsync("both records", () => Task.FromResult(_world.Usage.Records.Count(record => record.Spender.Goal!.Value.Value == goal && record.Spender.Agent == "asker") == 2 ? "" : null));

            var late = await _world.PostAsync("/v1/chat/completions", Question, ("x-astra-task", $"{step.Id}"), ("x-astra-attempt", $"{step.Attempt + 1}"));
            Assert.Equal((HttpStatusCode.Conflict, "attempt_over", "false"), (late.Status, late.Error.GetProperty("code").GetString(), late.Headers["x-should-retry"]));
            using var stranger = new HttpClient { BaseAddress = _world.Server.Address };
            stranger.DefaultRequestHeaders.Authorization = new("Bearer", await _world.Server.NewKeyAsync(new TenantId(Guid.NewGuid()), Governance.Role.Member));
            using var strange = await AskAsync(stranger, named);
            Assert.Equal(HttpStatusCode.NotFound, strange.StatusCode);
        }
        Assert.Equal(HttpStatusCode.BadRequest, (await _world.PostAsync("/v1/chat/completions", Question, ("x-astra-attempt", "1"))).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await _world.PostAsync("/v1/chat/completions", Question, ("x-astra-task", $"{Guid.NewGuid()}"), ("x-astra-attempt", "one"))).Status);
        var anthropic = await _world.PostAsync("/v1/messages", Question, ("x-astra-task", $"{Guid.NewGuid()}"), ("x-astra-attempt", "1"));
        Assert.Equal((HttpStatusCode.NotFound, "not_found_error"), (anthropic.Status, anthropic.Error.GetProperty("type").GetString()));
        gate.SetResult();
        foreach (var step in steps)
            await client.FinishAsync(step.GoalId, Ct);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_kind_of_task_has_its_route_also_for_agents_with_code(bool isInProcess)
    {
        using var client = await StartAsync(isInProcess);
        var special = _world.Provider(_provider.Answer);
        await _world.ConfigureAsync(_provider, special);
        await _world.Desk.ChangeAsync(config => config with { Routes = [new RouteConfig("special", ["b/m1"])], Kinds = new Dictionary<string, string> { ["ask"] = "special" } }, Ct);
        _agent.Model = "auto";
        Assert.Equal(GoalState.Completed, (await RunAsync(client)).State);
        Assert.Equal((0, 3), (_provider.Seen.Count, special.Seen.Count));
    }

    [Fact]
    public async Task A_message_is_answered_with_the_help_of_a_model_within_the_budget_of_its_agent()
    {
        using var client = await StartAsync(isInProcess: false);
        await client.RegisterAgentAsync(new AgentRegistration("asker-1") { Class = "asker" }, Ct);
        Assert.Equal("hello", (await client.SendAsync("asker-1", AstraJson.ToElement("hi"), Ct))!.Value.GetString());
        var record = await Eventually.SeeAsync("the record of the call", () => Task.FromResult(_world.Usage.Records.SingleOrDefault()));
        Assert.Equal(("asker-1", null), (record.Spender.Agent, record.Spender.Goal));

        await _budgets.SetAsync(new Budget(new BudgetKey(_world.Server.Home, BudgetLevel.Agent, "asker-1", BudgetWindow.Total), new Nanodollars(1_000), null, "test", DateTimeOffset.UtcNow), DateTimeOffset.UtcNow, Ct);
        await _ledger.RefreshAsync(Ct);
        var refused = await Assert.ThrowsAsync<AstraException>(() => client.SendAsync("asker-1", AstraJson.ToElement("hi"), Ct));
        Assert.Contains("the budget of agent asker-1", refused.Message, StringComparison.Ordinal);
        Assert.Single(_provider.Seen);
    }

    // As many as a server of these tests runs at once.
    private const int GoalCount = 8;

    private const string Question = """{"model":"r","messages":[{"role":"user","content":"hi"}]}""";

    private static async Task<HttpResponseMessage> AskAsync(HttpClient http, (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent(Question) };
        foreach (var (name, value) in headers)
            request.Headers.Add(name, value);
        return await http.SendAsync(request, Ct);
    }

    private async Task<AstraClient> StartAsync(bool isInProcess)
    {
        _world = await ModelWorld.StartAsync(_ledger, ModelWorld.ADollarPerMillion(), agents: isInProcess ? [_agent] : []);
        _provider = _world.Provider(request =>
            request.Path.EndsWith("/embeddings", StringComparison.Ordinal) ? ModelScript.Whole(200, """{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-2]}],"model":"real","usage":{"prompt_tokens":4,"total_tokens":4}}""")
            : request.IsStream ? ModelScript.ChatStream("hel", "lo") : ModelScript.Chat("hello"));
        await _world.ConfigureAsync(_provider);
        var client = await _world.Server.ClientAsync();
        if (isInProcess)
            return client;
        _working.Add(new AstraWorker(_world.Server.Address, _world.Key).Add(_agent).RunAsync(_workers.Token));
        await Eventually.SeeAsync("the worker is connected", async () => (await client.ListAgentsAsync(cancellationToken: Ct)).Items.Any(agent => agent is { Name: "asker", WorkerCount: > 0 }) ? "" : null);
        return client;
    }

    private static async Task<GoalView> RunAsync(AstraClient client) => await client.FinishAsync((await client.SubmitAsync(new GoalSubmission { Agent = "asker" }, cancellationToken: Ct)).Id, Ct);

    private sealed class Asker : Agent
    {
        public override string Name => "asker";

        public TaskCompletionSource Gate { get; set; } = Opened();
        public string Model { get; set; } = "r";
        public int StumblesLeft { get; set; }
        public IModelClients? Kept { get; private set; }
        public Exception? Failure { get; private set; }

        public override ValueTask<Plan> PlanAsync(PlanningTurn turn, CancellationToken cancellationToken)
        {
            var plan = new Plan();
            plan.Step("ask", "ask");
            return ValueTask.FromResult(plan);
        }

        public override async ValueTask<StepResult> ExecuteAsync(StepTurn turn, CancellationToken cancellationToken)
        {
            await Gate.Task.WaitAsync(cancellationToken);
            Kept = turn.Models;
            try
            {
                var whole = await turn.Models.Chat(Model).GetResponseAsync("hi", cancellationToken: cancellationToken);
                var streamed = await turn.Models.Chat(Model).GetStreamingResponseAsync("again", cancellationToken: cancellationToken).ToChatResponseAsync(cancellationToken);
                var vectors = await turn.Models.Embeddings(Model).GenerateAsync(["words"], cancellationToken: cancellationToken);
                if (StumblesLeft-- > 0)
                    throw new InvalidOperationException("stumbled over something that passes");
                return StepResult.Done($"{whole.Text}, {streamed.Text}, {vectors[0].Vector.Length}");
            }
            catch (Exception e)
            {
                Failure = e;
                throw;
            }
        }

        public override async ValueTask<object?> ReceiveAsync(MessageTurn turn, CancellationToken cancellationToken) =>
            (await turn.Models.Chat(Model).GetResponseAsync(turn.MessageAs<string>(), cancellationToken: cancellationToken)).Text;

        private static TaskCompletionSource Opened()
        {
            var gate = new TaskCompletionSource();
            gate.SetResult();
            return gate;
        }
    }
}
