using Astra.Sdk;

// Run `astra run agent hello --input '{"names":["Ada","Alan"]}'` in another terminal.
using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, pressed) => { pressed.Cancel = true; stop.Cancel(); };
await new AstraWorker(new Uri(args[0]), File.ReadAllText(args[1]).Trim()) { Log = Console.WriteLine }.Add(new HelloAgent()).RunAsync(stop.Token);

internal sealed class HelloAgent : Agent
{
    public override string Name => "hello";

    public override ValueTask<Plan> PlanAsync(PlanningTurn turn, CancellationToken cancellationToken)
    {
        var plan = new Plan();
        foreach (var name in turn.Goal.InputAs<Names>().List)
            plan.Step($"greet {name}", "greet", name);
        return ValueTask.FromResult(plan);
    }

    public override ValueTask<StepResult> ExecuteAsync(StepTurn turn, CancellationToken cancellationToken) =>
        ValueTask.FromResult(StepResult.Done($"Hello, {turn.InputAs<string>()}!"));

    private sealed record Names([property: System.Text.Json.Serialization.JsonPropertyName("names")] string[] List);
}
