using Astra.Kernel.Actors;

namespace Astra.Kernel.Shards;

/// <summary>Has each request answered by the desk it is for, and the answer sent once what it says is durable.</summary>
internal sealed class RequestDesk(ShardGoals goals, ShardLog log, GoalDesk desk, QuarantineDesk quarantine, WorkDesk work, GoalWaits waits)
{
    public void Serve(ShardRequest request, ActorRef? sender)
    {
        switch (request)
        {
            case ShardRequest.Submit submit:
                log.DeferReply(sender, desk.Submit(submit));
                if (goals.Find(submit.Tenant, submit.Goal) is { } submitted)
                    waits.Add(submitted);
                break;
            case ShardRequest.Edit { IsBrief: true } edit:
                log.DeferReply(sender, desk.EditBriefly(edit));
                break;
            case ShardRequest.Edit edit:
                log.DeferReply(sender, desk.Edit(edit));
                break;
            case ShardRequest.ValidateEdit validate:
                log.DeferReply(sender, desk.Validate(validate));
                break;
            case ShardRequest.CancelGoal cancel:
                log.DeferReply(sender, desk.Cancel(cancel));
                break;
            case ShardRequest.PauseGoal pause:
                log.DeferReply(sender, desk.Pause(pause));
                break;
            case ShardRequest.ResumeGoal resume:
                log.DeferReply(sender, desk.Resume(resume));
                break;
            case ShardRequest.ReleaseGoal release:
                log.DeferReply(sender, quarantine.Release(release));
                break;
            case ShardRequest.DiscardGoal discard:
                log.DeferReply(sender, quarantine.Discard(discard));
                break;
            case ShardRequest.Redrive redrive:
                log.DeferReply(sender, desk.Redrive(redrive));
                break;
            case ShardRequest.Discard discard:
                log.DeferReply(sender, desk.Discard(discard));
                break;
            case ShardRequest.Fix fix:
                log.DeferReply(sender, desk.Fix(fix));
                break;
            case ShardRequest.ResolveEffect resolve:
                log.DeferReply(sender, desk.Resolve(resolve));
                break;
            case ShardRequest.Vote vote:
                log.DeferReply(sender, desk.Vote(vote));
                break;
            case ShardRequest.Revive revive:
                if (desk.Revive(revive) is { } refusal)
                    sender?.TrySend(refusal);
                else
                    Serve(revive.Then, sender);
                break;
            // A read answers what it sees now, but not before that is durable.
            case ShardRequest.ReadGoal read:
                log.DeferReply(sender, desk.Read(read));
                break;
            case ShardRequest.ReadPlan read:
                log.DeferReply(sender, desk.Read(read));
                break;
            case ShardRequest.ReadTask read:
                log.DeferReply(sender, desk.Read(read));
                break;
            // Leases are in memory only: there is nothing to wait for.
            case ShardRequest.ReadLease read:
                sender?.TrySend(goals.FindByTask(read.Tenant, read.Task) is not null && work.Standing(read.Task) is { } lease
                    ? lease : new Refusal(RefusalKind.NotFound, $"No attempt at task {read.Task} is running."));
                break;
            default:
                throw new InvalidOperationException($"A shard does not serve {request.GetType().Name}.");
        }
    }
}
