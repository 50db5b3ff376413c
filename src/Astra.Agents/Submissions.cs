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
    /// <param name="classOf">Whose code runs an agent, by its name.</param>
    public async ValueTask<Answer<GoalRequest>> ReadAsync(ReadOnlyMemory<byte> json, Func<string, ValueTask<Answer<string>>> classOf)
    {
        GoalSubmission submission;
        try
        {
            submission = AstraJson.Read<GoalSubmission>(json.Span);
        }
        catch (JsonException e)
        {
            return Invalid($"The goal is not the JSON expected here: {FailureCause.Sentence(e)}");
        }
        return await ReadAsync(submission, classOf);
    }

    /// <inheritdoc cref="ReadAsync(ReadOnlyMemory{byte}, Func{string, ValueTask{Answer{string}}})"/>
    public async ValueTask<Answer<GoalRequest>> ReadAsync(GoalSubmission submission, Func<string, ValueTask<Answer<string>>> classOf)
    {
        if (Check(submission) is { } refusal)
            return refusal;
        string? agentClass = null;
        if (submission.Agent is { } named)
        {
            // The code of the agent's class does the work; its turn among the others stays the agent's own.
            var found = await classOf(named);
            if (found.Refusal is { } unknown)
                return unknown;
            agentClass = found.Value;
        }
        var plan = PlanEditing.ToGraph(InitialPlan(submission, agentClass));
        return plan.Refusal ?? (Answer<GoalRequest>)new GoalRequest
        {
            Agent = submission.Agent,
            Title = submission.Title ?? (submission.Agent is { } agent ? $"A goal for {agent}" : "A plan"),
            Input = WorkMapping.ToBytes(submission.Input),
            Priority = submission.Priority,
            DeadTaskPolicy = submission.OnDeadTask switch
            {
                WirePolicy.Wait => KernelPolicy.Wait,
                WirePolicy.Skip => KernelPolicy.Skip,
                _ => KernelPolicy.Doom,
            },
            Extras = (submission.RetriesMax is { } retries ? new GoalExtras { RetriesMax = retries } : GoalExtras.None).With(submission),
            Plan = plan.Value,
        };
    }

    private Refusal? Check(GoalSubmission submission)
    {
        if (submission.Agent is null && submission.Plan is not { Count: > 0 })
            return Invalid("A goal needs an agent that plans it, or a plan of its own; this one has neither.");
        if (submission.Agent is { } agent && !AgentRunner.IsName(agent))
            return Invalid($"'{Clean(agent)}' cannot be an agent's name; names are lower-case letters, digits and dashes.");
        if (submission.Title is { } title && title.Any(char.IsControl))
            return Invalid("A title is one line, without control characters.");
        if (submission.Priority is < -100 or > 100)
            return Invalid($"A priority is between -100 and 100, and {submission.Priority} is not.");
        if (GoalRelations.Refuse(submission) is { } unrelated)
            return Invalid(unrelated);
        if (submission.Plan?.FirstOrDefault(edit => edit is not AddStep) is not null)
            return Invalid("The plan of a new goal only adds steps; there is nothing else to edit yet.");
        foreach (var step in (submission.Plan?.OfType<AddStep>() ?? []).SelectMany(WithParts))
            if (UnknownTool(step) is { } tool)
                return Invalid($"Step {step.Name} calls the tool '{tool}', and this server has none of that name; `astra tool list` shows what there is.");
        return null;
    }

    /// <summary>Tools run on the server, so one that it does not know would be waited for in vain. An agent may yet come.</summary>
    private string? UnknownTool(AddStep step) =>
        step.Executor.StartsWith("tool:", StringComparison.Ordinal) && step.Executor["tool:".Length..] is var tool && catalog.Find(tool) is null
            ? Clean(tool) : null;

    private static IEnumerable<AddStep> WithParts(AddStep step) => [step, .. (step.FanOut ?? []).Where(part => part?.Step is not null).SelectMany(part => WithParts(part.Step))];

    /// <summary>What an agent has to do first: plan, or, when the plan is given, only reflect on it at the end.</summary>
    private static IReadOnlyList<PlanEdit> InitialPlan(GoalSubmission submission, string? agentClass)
    {
        var steps = (submission.Plan ?? []).OfType<AddStep>().ToList();
        return agentClass switch
        {
            null => steps,
            var label when steps.Count == 0 =>
                [new AddStep { Name = AgentRunner.PlanStep, Executor = AgentRunner.ExecutorOf(label), Kind = AgentRunner.PlanKind }],
            var label => [.. steps, AgentRunner.Reflection(label, steps)],
        };
    }

    // What comes from outside is repeated without whatever could drive a terminal.
    private static string Clean(string text) => string.Concat(text.Select(letter => char.IsControl(letter) ? ' ' : letter));

    private static Refusal Invalid(string reason) => new(RefusalKind.Invalid, reason);
}
