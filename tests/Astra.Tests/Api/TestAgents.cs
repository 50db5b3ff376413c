using Astra.Sdk;

namespace Astra.Tests.Api;

/// <summary>An agent made of lambdas.</summary>
internal sealed class TestAgent(string name) : Agent
{
    public override string Name => name;
    public override string Description => "For tests.";
    public Func<PlanningTurn, Plan> OnPlan { get; init; } = _ => Plan.Empty;
    public Func<StepTurn, CancellationToken, Task<StepResult>> OnStep { get; init; } = (turn, _) => Task.FromResult(StepResult.Done(turn.Name));
    public Func<ReflectionTurn, StepResult>? OnReflect { get; init; }

    public override ValueTask<Plan> PlanAsync(PlanningTurn turn, CancellationToken cancellationToken) => ValueTask.FromResult(OnPlan(turn));

    public override async ValueTask<StepResult> ExecuteAsync(StepTurn turn, CancellationToken cancellationToken) => await OnStep(turn, cancellationToken);

    public override ValueTask<StepResult> ReflectAsync(ReflectionTurn turn, CancellationToken cancellationToken) =>
        OnReflect is { } reflect ? ValueTask.FromResult(reflect(turn)) : base.ReflectAsync(turn, cancellationToken);

    /// <summary>One step, `pay`, that is tried again at once.</summary>
    public static TestAgent Payer(Func<StepTurn, CancellationToken, Task<StepResult>> pay) => new("payer")
    {
        OnPlan = _ =>
        {
            var plan = new Plan();
            plan.Step("pay", "pay", options: new StepOptions { Retry = new RetryDelays(0.001, 0.01) });
            return plan;
        },
        OnStep = pay,
    };

    /// <summary>One step, `work`, that gives back the goal's input.</summary>
    public static TestAgent Echo(string name = "echo") => new(name)
    {
        OnPlan = turn =>
        {
            var plan = new Plan();
            plan.Step("work", "echo", turn.Goal.Input);
            return plan;
        },
        OnStep = (turn, _) => Task.FromResult(StepResult.Done(turn.Input)),
    };
}
