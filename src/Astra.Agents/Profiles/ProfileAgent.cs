using System.Text.Json;
using Astra.Kernel.Tasks;
using Astra.Kernel.Workers;
using Astra.Sdk;
using Astra.Tools.Catalog;

namespace Astra.Agents;

/// <summary>What agents without code are run with.</summary>
/// <param name="Models">Null where there are none.</param>
public sealed record ProfileParts(IProfileStore Profiles, IModels? Models);

/// <summary>The input of a step that is a loop. In a plan file it names the agent; a planned one names the profile it was planned with.</summary>
internal sealed record LoopInput
{
    public string? Agent { get; init; }
    public string? Profile { get; init; }
    public JsonElement? Task { get; init; }
}

/// <summary>
/// Every agent that is a profile, for one attempt at one task. Its plan holds the digest of the profile as it was then: steps do
/// not change their minds when somebody edits it meanwhile. What its tools may do is looked up at every call.
/// </summary>
internal sealed class ProfileAgent(ProfileParts parts, ToolCatalog catalog, Assignment assignment) : Agent
{
    public const string LoopKind = "loop";

    private const string WorkStep = "work";

    public override string Name => AgentProfile.Class;

    /// <summary>The digest that a plan which is made once more was made with; null takes the profile as it is now.</summary>
    public string? PlannedWith { get; init; }

    /// <summary>Whose profile it is; null where nobody is named.</summary>
    public static string? AgentOf(Assignment assignment) => InputOf(assignment.Spec)?.Agent ?? assignment.Agent;

    /// <summary>The profile that the steps of a goal were planned with; null where nobody says.</summary>
    public static string? PlannedWithOf(IEnumerable<TaskRow> tasks) =>
        tasks.Where(task => task.Spec.Kind == LoopKind && task.Spec.Executor == AgentRunner.ExecutorOf(AgentProfile.Class)).Select(task => InputOf(task.Spec)?.Profile).FirstOrDefault(digest => digest is not null);

    public override async ValueTask<Plan> PlanAsync(PlanningTurn turn, CancellationToken cancellationToken)
    {
        var (stored, profile) = await FindAsync(PlannedWith, cancellationToken);
        if (profile.Planner == ProfilePlanner.Model)
            return await new ModelPlanner(LoopParts(profile), stored.Digest).PlanAsync(turn, cancellationToken);
        var plan = new Plan();
        plan.Step(WorkStep, LoopKind, new LoopInput { Profile = stored.Digest });
        return plan;
    }

    public override async ValueTask<StepResult> ExecuteAsync(StepTurn turn, CancellationToken cancellationToken)
    {
        var input = InputOf(assignment.Spec) ?? throw new PermanentFailureException(
            $"The input of a step for {AgentProfile.Class} is an object such as {{\"agent\": \"writer\", \"task\": \"what to do\"}}.");
        var (_, profile) = await FindAsync(input.Profile, cancellationToken);
        return await new AgentLoop(LoopParts(profile)).RunAsync(turn, Conversation.Words(input.Task ?? turn.Goal.Input), cancellationToken);
    }

    /// <summary>Nobody wrote code that could make something of a step that did not complete: the goal fails, for that step's reason.</summary>
    public override ValueTask<StepResult> ReflectAsync(ReflectionTurn turn, CancellationToken cancellationToken) =>
        turn.Steps.Values.OrderBy(step => step.Name, StringComparer.Ordinal).FirstOrDefault(step => step.State != StepState.Completed) is { } open
            ? throw new PermanentFailureException($"Step {open.Name} did not complete: {open.Failure ?? "it was cancelled."}")
            : base.ReflectAsync(turn, cancellationToken);

    private LoopParts LoopParts(AgentProfile profile) => new(
        parts.Models ?? throw new PermanentFailureException("This server has no models; an agent that is a profile needs one."),
        new ModelPayer(assignment.Tenant, profile.Name, assignment.Goal, assignment.Task, assignment.Attempt), profile, catalog, WorkMapping.EffectOf(assignment),
        assignment.Spec.Extras.Effect?.Attempt == assignment.Attempt);

    private async ValueTask<(StoredProfile, AgentProfile)> FindAsync(string? digest, CancellationToken cancellationToken)
    {
        var agent = AgentOf(assignment) ?? throw new PermanentFailureException(
            $"Nobody says whose profile it is: a step for {AgentProfile.Class} names the agent in its input, as in {{\"agent\": \"writer\"}}.");
        var stored = await parts.Profiles.FindAsync(assignment.Tenant, agent, digest, cancellationToken) ?? throw new PermanentFailureException(digest is null
            ? StoredProfile.NoneOf(agent)
            : $"The profile of {agent} that this step was planned with is gone; submit the goal again.");
        return (stored, stored.Read());
    }

    private static LoopInput? InputOf(TaskSpec spec)
    {
        try
        {
            return spec.Input.IsEmpty ? null : AstraJson.Read<LoopInput>(spec.Input.Span);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
