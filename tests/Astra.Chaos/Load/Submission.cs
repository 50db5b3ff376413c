using System.Text.Json.Serialization;
using Astra.Chaos.Worker;
using Astra.Sdk;

namespace Astra.Chaos.Load;

/// <summary>What a goal is about. A run draws them in the proportions of <see cref="Shapes"/>.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Shape>))]
internal enum Shape { Single, Diamond, FanIn, Flaky, Permanent, Exhaust, Poison, WorkerDeath, Effect, EffectDeath, Edited, Cancelled, Python, Hog, Probe }

/// <summary>How a step ends when nobody cancels it.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Fate>))]
internal enum Fate { Completes, Dies, Cancelled }

/// <param name="After">Names of steps that complete first.</param>
internal sealed record PlannedStep(string Name, string Kind, Fate Fate, string[] After, int Milliseconds = 0, int Times = 0)
{
    /// <summary>Short, so that a pause of three leases is over soon.</summary>
    public const double LeaseSeconds = 2;

    public const string PythonKind = "upper";

    public AddStep ToEdit() => new()
    {
        Name = Name,
        Kind = Kind,
        Executor = Kind == PythonKind ? "agent:python" : AgentRunner.ExecutorOf(ChaosAgent.AgentName),
        Input = Kind == PythonKind ? AstraJson.ToElement(Name) : AstraJson.ToElement(new StepOrder(Milliseconds, Times)),
        After = [.. After.Select(step => new StepDependency(step, OnlyCompleted: true))],
        LeaseSeconds = LeaseSeconds,
        // A storm of faults uses up attempts of steps that have done nothing wrong.
        AttemptCountMax = Kind == ChaosAgent.Exhaust ? 2 : 50,
        WorkersLostMax = Kind == ChaosAgent.Dies && Times > 10 ? 2 : 100,
        Retry = new RetryDelays(0.1, 1),
    };
}

/// <summary>The plans of each shape, drawn from dice.</summary>
internal static class Shapes
{
    private const int Always = 1_000;

    /// <summary>In a hundred goals.</summary>
    private static readonly (Shape Shape, int Weight)[] Weights =
    [
        (Shape.Single, 30), (Shape.Diamond, 16), (Shape.FanIn, 12), (Shape.Flaky, 8), (Shape.Permanent, 4), (Shape.Exhaust, 3), (Shape.Effect, 10),
        (Shape.Edited, 9), (Shape.Cancelled, 6), (Shape.Python, 2),
    ];

    /// <summary>Each of these takes workers down, which costs seconds of everything they had in hand; so they come by the clock.</summary>
    public static readonly IReadOnlyList<Shape> Deadly = [Shape.WorkerDeath, Shape.Poison, Shape.EffectDeath];

    public static Shape Draw(Random dice, bool hasPython)
    {
        var point = dice.Next(Weights.Sum(one => one.Weight));
        foreach (var (shape, weight) in Weights)
        {
            point -= weight;
            if (point < 0)
                return shape == Shape.Python && !hasPython ? Shape.Single : shape;
        }
        return Shape.Single;
    }

    public static PlannedStep[] PlanOf(Shape shape, Random dice)
    {
        switch (shape)
        {
            case Shape.Diamond:
                return [Step("a"), Step("b", after: ["a"]), Step("c", after: ["a"]), Step("d", after: ["a"]), Step("e", after: ["b", "c", "d"])];
            case Shape.FanIn:
                var parents = Enumerable.Range(0, 4 + dice.Next(6)).Select(i => $"p{i}").ToArray();
                return [.. parents.Select(name => Step(name)), Step("join", after: parents)];
            case Shape.Flaky:
                return [Step("try", ChaosAgent.Flaky, times: 1 + dice.Next(3)), Step("then", after: ["try"])];
            case Shape.Permanent:
                return [Step("fail", ChaosAgent.Permanent, Fate.Dies), Step("never", ChaosAgent.Work, Fate.Cancelled, after: ["fail"])];
            case Shape.Exhaust:
                return [Step("fail", ChaosAgent.Exhaust, Fate.Dies)];
            case Shape.Poison:
                return [Step("poison", ChaosAgent.Dies, Fate.Dies, times: Always)];
            case Shape.WorkerDeath:
                return [Step("die", ChaosAgent.Dies, times: 1), Step("then", after: ["die"])];
            case Shape.Effect:
                return [Step("act", ChaosAgent.Effect), Step("then", after: ["act"])];
            case Shape.EffectDeath:
                return [Step("act", dice.Next(2) == 0 ? ChaosAgent.EffectDiesBefore : ChaosAgent.EffectDiesAfter, times: 1), Step("then", after: ["act"])];
            case Shape.Edited:
                return [Step("gate", milliseconds: 300 + dice.Next(400)), Step("join", after: ["gate"])];
            case Shape.Cancelled:
                return [.. Enumerable.Range(0, 3).Select(i => Step($"slow{i}", milliseconds: 500 + dice.Next(1_500))), Step("end", after: ["slow0", "slow1", "slow2"])];
            case Shape.Python:
                return [Step("one", PlannedStep.PythonKind), Step("two", PlannedStep.PythonKind, after: ["one"])];
            case Shape.Hog:
                return [Step("hog", ChaosAgent.Hog, times: 1), Step("then", after: ["hog"])];
            default:
                return [Step("one")];
        }

        PlannedStep Step(string name, string kind = ChaosAgent.Work, Fate fate = Fate.Completes, int? milliseconds = null, int times = 0, params string[] after) =>
            new(name, kind, fate, after, milliseconds ?? (dice.Next(4) == 0 ? dice.Next(80) : 0), times);
    }
}
