using Astra.Sdk;

namespace Astra.Tests.CommandLine;

// Plans as their goals have them; a change is remembered as a call and not made.
public sealed partial class FakeServer
{
    public Task<PlanView> GetPlanAsync(Guid goal, CancellationToken cancellationToken = default) => Task.FromResult(Find(goal).Plan);

    public Task<PlanSteps> GetPlanStepsAsync(Guid goal, CancellationToken cancellationToken = default) => Task.FromResult(
        new PlanSteps(goal, Find(goal).View.Revision, [.. Find(goal).Plan.Tasks.Select(task => new AddStep { Name = task.Name, Executor = task.Executor })], []));

    public Task<PlanView> EditPlanAsync(Guid goal, PlanPatch patch, long? revision, CancellationToken cancellationToken = default)
    {
        Calls.Add($"edit {revision} {string.Join(",", patch.Edits.Select(edit => edit.GetType().Name))} {patch.Reason}");
        return revision is { } expected && expected != Find(goal).View.Revision
            ? throw new AstraException(412, "Precondition Failed", $"The plan is at revision {Find(goal).View.Revision}, not {expected}; look at it again.")
            : GetPlanAsync(goal, cancellationToken);
    }

    public async Task<long> AmendPlanAsync(Guid goal, PlanPatch patch, long? revision = null, CancellationToken cancellationToken = default) =>
        (await EditPlanAsync(goal, patch, revision, cancellationToken)).Revision;

    public Task<PlanView> GetPlanAtAsync(Guid goal, long revision, CancellationToken cancellationToken = default) => GetPlanAsync(goal, cancellationToken);

    public Task<PlanDiff> DiffPlanAsync(Guid goal, long? from = null, long? to = null, CancellationToken cancellationToken = default) =>
        Task.FromResult(new PlanDiff(goal, from ?? 1, to ?? Find(goal).View.Revision, [], [], [new StepChange("report", [new FieldChange("priority", AstraJson.ToElement(0), AstraJson.ToElement(10))])]));

    public Task<PlanChange> ValidatePlanAsync(Guid goal, PlanPatch patch, long? revision = null, CancellationToken cancellationToken = default) =>
        Called($"validate {revision} {string.Join(",", patch.Edits)}", new PlanChange(goal, Find(goal).View.Revision + 1, patch.Edits));

    public Task<PlanChange> ApplyPlanAsync(Guid goal, PlanTarget target, long? revision = null, bool isDryRun = false, CancellationToken cancellationToken = default) =>
        Called($"apply {revision} {string.Join(",", target.Steps.Select(step => step.Name))} dry {isDryRun}", new PlanChange(goal, Find(goal).View.Revision + 1, target.Steps));

    public Task<PlanChange> RollbackPlanAsync(Guid goal, PlanRollback rollback, long? revision = null, bool isDryRun = false, CancellationToken cancellationToken = default) =>
        Called($"rollback {rollback.Revision} {rollback.Reason} dry {isDryRun}", new PlanChange(goal, Find(goal).View.Revision + 1, [new RemoveStep("new")]));
}
