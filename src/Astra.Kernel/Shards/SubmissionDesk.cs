using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Shards;

/// <summary>Where goals begin: the entry that begins one and the edits that make its first plan, or neither.</summary>
internal sealed class SubmissionDesk(ShardGoals goals, ShardLog log, GoalDecisions decisions, NodeParts parts)
{
    public Answer<Goal> Begin(GoalId id, TenantId tenant, GoalRequest goods, ulong digest, string by)
    {
        if (goods.Plan.Count == 0)
            return new Refusal(RefusalKind.Invalid, "A goal needs at least one step: name an agent that plans it, or send a plan.");
        var submitted = new KernelEvent.GoalSubmitted
        {
            Agent = goods.Agent, Title = goods.Title, Input = goods.Input, Priority = goods.Priority, DeadTaskPolicy = goods.DeadTaskPolicy,
            IdempotencyKey = goods.IdempotencyKey, RequestDigest = digest, SubmittedBy = by, Extras = goods.Extras,
        };
        var beginning = log.RecordSubmission(id, tenant, submitted);
        var goal = Goal.Begin(beginning, submitted);
        var editor = new GraphEditor(goal, decisions, log, parts);
        var refusal = editor.Apply(goods.Plan, by, reason: null);
        parts.Load.AddGraphVisits(editor.VisitCount);
        if (refusal is not null)
        {
            // A refused plan has recorded nothing, so the submission is still the last entry, and nobody has seen it.
            log.Retract(beginning);
            return refusal;
        }
        goals.Add(goal);
        parts.Load.AddActive(goal.Tenant);
        return goal;
    }
}
