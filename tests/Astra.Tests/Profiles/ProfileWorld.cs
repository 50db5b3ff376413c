using System.Text.Json;
using Astra.Llm.Money;
using Astra.Sdk;
using Astra.Tests.Api;
using Astra.Tests.Models;

namespace Astra.Tests.Profiles;

/// <summary>A whole server, one scripted model behind its router, and an agent that is a profile.</summary>
internal sealed class ProfileWorld : IAsyncDisposable
{
    private readonly ModelWorld _models;

    private ProfileWorld(ModelWorld models, AstraClient client, ScriptedModels model) => (_models, Client, Model) = (models, client, model);

    public static AgentProfile Writer { get; } = new() { Name = "writer", Prompt = "You write.", Model = "r", Tools = ["shell"] };

    public AstraClient Client { get; }
    public ScriptedModels Model { get; }
    public FakeSandbox Sandbox => _models.Server.Sandbox;
    public KeptUsage Usage => _models.Usage;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <param name="answer">By the number of the request, from 1.</param>
    public static async Task<ProfileWorld> StartAsync(
        AgentProfile? profile, Func<int, ModelRequest, ModelScript> answer, IBudgets? budgets = null, IPrices? prices = null, params ToolDefinition[] tools)
    {
        var models = await ModelWorld.StartAsync(budgets, prices, tools: tools);
        var count = 0;
        var model = models.Provider(request => answer(Interlocked.Increment(ref count), request));
        await models.ConfigureAsync(model);
        var client = await models.Server.ClientAsync();
        if (profile is not null)
            await client.SetProfileAsync(profile, Ct);
        return new ProfileWorld(models, client, model);
    }

    public async Task<GoalView> RunAsync(object? input = null, string agent = "writer")
    {
        var goal = await Client.SubmitAsync(new GoalSubmission { Agent = agent, Input = AstraJson.ToElement(input ?? "Say hello.") }, cancellationToken: Ct);
        return await Client.FinishAsync(goal.Id, Ct);
    }

    /// <summary>One of its steps, with input, output and failure.</summary>
    public async Task<TaskView> StepAsync(GoalView goal, string name)
    {
        var plan = await Client.GetPlanAsync(goal.Id, Ct);
        return await Client.GetTaskAsync(plan.Tasks.Single(task => task.Name == name).Id, Ct);
    }

    public JsonElement[] Messages(int request) => [.. Model.Seen.ElementAt(request - 1).Json.GetProperty("messages").EnumerateArray()];

    /// <summary>What the model was told of its calls, as of that request.</summary>
    public string[] Told(int request) => [.. Messages(request).Where(message => message.GetProperty("role").GetString() == "tool").Select(message => message.GetProperty("content").GetString()!)];

    public ValueTask DisposeAsync() => _models.DisposeAsync();
}

/// <summary>One price for every model.</summary>
internal sealed class EveryModelCosts(long dollarsPerMillionTokens) : IPrices
{
    public ModelPrice? Find(string provider, string model, DateTimeOffset at) => new(
        provider, model, DateTimeOffset.UnixEpoch, PerMillionTokens.Of(Nanodollars.FromDollars(dollarsPerMillionTokens), Nanodollars.FromDollars(dollarsPerMillionTokens)));
}

/// <summary>One budget that all share, and that nobody fills up again.</summary>
internal sealed class OneBudget(Nanodollars left) : IBudgets
{
    public ValueTask<bool> MayRefuseAsync(Spender spender, CancellationToken cancellationToken) => ValueTask.FromResult(true);

    public ValueTask<Nanodollars?> LeftAsync(Spender spender, CancellationToken cancellationToken) => ValueTask.FromResult<Nanodollars?>(left);

    public ValueTask<ReserveOutcome> ReserveAsync(Spender spender, Nanodollars worstCase, CancellationToken cancellationToken) => worstCase > left
        ? ValueTask.FromResult<ReserveOutcome>(new BudgetRefusal(Llm.Money.BudgetLevel.Goal, spender.Goal?.Value.ToString() ?? "", Llm.Money.BudgetWindow.Total, left, left, worstCase))
        : NoBudgets.Instance.ReserveAsync(spender, worstCase, cancellationToken);
}
