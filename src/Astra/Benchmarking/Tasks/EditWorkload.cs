using System.Diagnostics;
using Astra.Sdk;

namespace Astra.Benchmarking.Tasks;

/// <summary>How long it takes to add a step to a graph of 10,000 tasks of which half have run and half wait.</summary>
internal sealed class EditWorkload(TasksLoad load)
{
    private const int Tasks = 10_000;
    private const int Edits = 200;

    /// <returns>Milliseconds from the request to its answer, which is durable.</returns>
    public async Task<List<double>> RunAsync(CancellationToken cancellationToken)
    {
        var plan = Enumerable.Range(0, Tasks).Select(i => i < Tasks / 2
            ? TasksLoad.Step($"t{i}")
            : TasksLoad.Step($"t{i}", BenchAgent.Later, after: new StepDependency($"t{i - (Tasks / 2)}", OnlyCompleted: true))).ToList();
        var goal = await load.SubmitAsync(plan, cancellationToken);
        while ((await load.Client.GetGoalAsync(goal, cancellationToken)).Tasks.Completed < Tasks / 2)
            await Task.Delay(10, cancellationToken);

        var times = new List<double>();
        for (var i = 0; i < Edits; i++)
        {
            var patch = new PlanPatch([TasksLoad.Step($"more{i}", BenchAgent.Later, after: new StepDependency($"t{Tasks - 1 - i}", OnlyCompleted: true))]);
            var since = Stopwatch.GetTimestamp();
            await load.Client.AmendPlanAsync(goal, patch, cancellationToken: cancellationToken);
            times.Add(Stopwatch.GetElapsedTime(since).TotalMilliseconds);
        }
        await load.Client.CancelGoalAsync(goal, "The benchmark has what it wanted.", cancellationToken);
        return times;
    }
}
