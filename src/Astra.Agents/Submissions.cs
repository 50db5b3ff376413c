using System.Text.Json;
using Astra.Kernel;
using Astra.Kernel.Tasks;
using Astra.Sdk;
using Astra.Tools.Catalog;
using KernelPolicy = Astra.Kernel.Tasks.DeadTaskPolicy;
using WirePolicy = Astra.Sdk.DeadTaskPolicy;

namespace Astra.Agents;

/// <summary>A submission as it is sent, turned into the goal it asks for. Those of schedules are kept as they were sent and
/// read again at every firing.</summary>
public sealed class Submissions(ToolCatalog catalog)
{
    public Answer<GoalRequest> Read(ReadOnlyMemory<byte> json)
    {
        try
        {
            return Read(AstraJson.Read<GoalSubmission>(json.Span));
        }
        catch (JsonException e)
        {
            return Invalid($"The goal is not the JSON expected here: {FailureCause.Sentence(e)}");
        }
    }

    public Answer<GoalRequest> Read(GoalSubmission submission)
    {
        if (Check(submission) is { } refusal)
            return refusal;
        var plan = PlanEditing.ToGraph(InitialPlan(submission));
        return plan.Refusal ?? (Answer<GoalRequest>)new GoalRequest
        {
            Agent = submission.Agent,
            Title = submission.Title ?? (submission.Agent is { } agent ? $"A goal for {agent}" : "A plan"),
            Input = WorkMapping.ToBytes(submission.Input),
            Priority = submission.Priority,
            DeadTaskPolicy = submission.OnDeadTask == WirePolicy.Wait ? KernelPolicy.Wait : KernelPolicy.Doom,
            Plan = plan.Value,
        };
    }

    private Refusal? Check(GoalSubmission submission)
    {
        if (submission.Agent is null && submission.Plan is not { Count: > 0 })
            return Invalid("A goal needs an agent that plans it, or a plan of its own; this one has neither.");
        if (submission.Agent is { } agent && !AgentRunner.IsName(agent))
            return Invalid("This cannot be an agent's name; names are lower-case letters, digits and dashes.");
        if (submission.Title is { } title && title.Any(char.IsControl))
            return Invalid("A title is one line, without control characters.");
        if (submission.Priority is < -100 or > 100)
            return Invalid($"A priority is between -100 and 100, and {submission.Priority} is not.");
        if (submission.Plan?.FirstOrDefault(edit => edit is not AddStep) is not null)
            return Invalid("The plan of a new goal only adds steps; there is nothing else to edit yet.");
        foreach (var step in submission.Plan?.OfType<AddStep>() ?? [])
            if (UnknownTool(step) is { } tool)
                return Invalid($"Step {step.Name} calls the tool '{tool}', and this server has none of that name; `astra tool list` shows what there is.");
        return null;
    }

    /// <summary>Tools run on the server, so one that it does not know would be waited for in vain. An agent may yet come.</summary>
    private string? UnknownTool(AddStep step) =>
        step.Executor.StartsWith("tool:", StringComparison.Ordinal) && step.Executor["tool:".Length..] is var tool && catalog.Find(tool) is null
            ? string.Concat(tool.Select(letter => char.IsControl(letter) ? ' ' : letter)) : null;

    /// <summary>What an agent has to do first: plan, or, when the plan is given, only reflect on it at the end.</summary>
    private static IReadOnlyList<PlanEdit> InitialPlan(GoalSubmission submission)
    {
        var steps = (submission.Plan ?? []).OfType<AddStep>().ToList();
        return submission.Agent switch
        {
            null => steps,
            var agent when steps.Count == 0 =>
                [new AddStep { Name = AgentRunner.PlanStep, Executor = AgentRunner.ExecutorOf(agent), Kind = AgentRunner.PlanKind }],
            var agent => [.. steps, AgentRunner.Reflection(agent, steps)],
        };
    }

    private static Refusal Invalid(string reason) => new(RefusalKind.Invalid, reason);
}
