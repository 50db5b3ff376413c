using Astra.Kernel.Actors;
using Astra.Kernel.Journal;
using Astra.Kernel.Scheduling;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Shards;

/// <summary>
/// What a shard works with: its goals in memory, its end of the log, and the desks around them, kept in step with every
/// entry, replayed or decided. Rebuilt from the rows and the log beyond them.
/// </summary>
internal sealed class ShardDesks
{
    private readonly ShardId _id;
    private readonly NodeParts _node;

    public ShardDesks(ShardId id, NodeParts node)
    {
        (_id, _node) = (id, node);
        Log = new ShardLog(id, node.Clock, node.Writer);
        var decisions = new GoalDecisions(Log, node.Limits);
        var submissions = new SubmissionDesk(Goals, Log, decisions, node);
        Work = new WorkDesk(id, Goals, Log, decisions, new DelegationDesk(Goals, decisions, submissions, node), node);
        Waits = new GoalWaits(id, Goals, new GoalCascades(Log, decisions, node.Limits), node);
        Quarantine = new QuarantineDesk(Goals, Log, decisions);
        Deadlines = new DeadlineDesk(Goals, decisions, node.Clock);
        Projection = new ProjectionDesk(id, Goals, Log, Quarantine, node);
        Requests = new RequestDesk(Goals, Log, new GoalDesk(Goals, Log, decisions, submissions, node), Quarantine, Work, Waits);
        (Log.Recorded, Log.Committed) = (OnRecorded, node.Events.Publish);
    }

    public ShardGoals Goals { get; } = new();
    public ShardLog Log { get; }
    public WorkDesk Work { get; }
    public GoalWaits Waits { get; }
    public QuarantineDesk Quarantine { get; }
    public DeadlineDesk Deadlines { get; }
    public ProjectionDesk Projection { get; }
    public RequestDesk Requests { get; }

    /// <summary>The goals as the owner before left them, before anything is opened.</summary>
    public void Restore(ActivateShard activate)
    {
        foreach (var snapshot in activate.Snapshot.Goals)
            Add(Goal.Restore(snapshot));
        foreach (var goal in Quarantine.Restore(activate))
            Add(goal);
        foreach (var entry in Mutants.TakeoverWithoutReplay ? [] : activate.Tail)
            Replay(entry, activate.Snapshot);
    }

    /// <param name="lastSeq">The latest entry of the log.</param>
    /// <param name="watermark">The latest entry that the rows show.</param>
    /// <param name="since">When the rows and the log were told; nothing has left this memory unnoticed since.</param>
    public void Open(ActorRef self, Epoch epoch, long lastSeq, long watermark, TimeSpan since)
    {
        Log.Open(epoch, lastSeq);
        Projection.Open(epoch, watermark);
        Goals.Open(since);
        Work.Open(self, epoch);
    }

    /// <summary>Takes up the work where the owner before left it.</summary>
    public void Adopt(IReadOnlySet<Guid> livingProcesses)
    {
        var active = Goals.All.Where(goal => goal.State == GoalState.Active).OrderBy(goal => goal.Id.Value).ToList();
        var running =
            from goal in active
            from node in goal.Graph.Tasks
            where node.State == TaskState.Running
            orderby node.Id.Value
            select new RunningTask(Work.ToReady(goal, node, node.Attempt - 1), node.Worker!.Value);
        _node.Scheduler.TrySend(new ShardAdopted(_id, [.. running]));
        foreach (var goal in active)
            Waits.Add(goal);
        foreach (var goal in active)
            foreach (var node in goal.Graph.Tasks.OrderBy(node => node.Order).ToList())
            {
                Work.Adopt(goal, node, livingProcesses);
                Deadlines.Watch(node);
            }
    }

    /// <summary>Takes back what the node was told of these goals.</summary>
    /// <param name="epoch">Of the shard, which may have failed before anything was opened here.</param>
    public void Close(Epoch epoch)
    {
        foreach (var goal in Goals.All)
            if (goal.State == GoalState.Active)
                _node.Load.RemoveActive(goal.Tenant);
        _node.Scheduler.TrySend(new ForgetShard(_id, HasLeft: false));
        Projection.Close(epoch);
    }

    /// <summary>Goals have left: what was needed for more than are here now is not kept.</summary>
    public void GiveBackRoom()
    {
        Goals.GiveBackRoom();
        Log.GiveBackRoom();
        Work.GiveBackRoom();
        Waits.GiveBackRoom();
        Deadlines.GiveBackRoom();
    }

    private void Replay(JournalEntry entry, ShardSnapshot snapshot)
    {
        if (Quarantine.IsGivenUp(entry))
            return;
        var kernelEvent = entry.Event;
        if (kernelEvent is KernelEvent.GoalSubmitted submitted)
        {
            var begun = Goal.Begin(entry, submitted);
            QuarantineDesk.Mark(begun, snapshot);
            Add(begun);
            return;
        }
        var goal = Goals.Find(entry.Tenant, entry.Goal)
            ?? throw new InvalidDataException($"Entry {entry.Seq} of shard {_id} is about goal {entry.Goal}, which no snapshot and no entry before it holds.");
        goal.Apply(entry, kernelEvent);
        Follow(goal, entry);
    }

    private void Add(Goal goal)
    {
        Goals.Add(goal);
        if (goal.State == GoalState.Active)
            _node.Load.AddActive(goal.Tenant);
    }

    private void Follow(Goal goal, JournalEntry entry)
    {
        Goals.Follow(goal, entry);
        if (entry.Kind is EventKind.GoalCompleted or EventKind.GoalFailed or EventKind.GoalCancelled)
            _node.Load.RemoveActive(goal.Tenant);
        else if (entry.Kind == EventKind.GoalReopened)
            _node.Load.AddActive(goal.Tenant);
    }

    private Action? OnRecorded(Goal goal, TaskNode? node, JournalEntry entry)
    {
        Follow(goal, entry);
        if (entry.Kind is EventKind.TaskAdded or EventKind.TaskReplaced or EventKind.TaskRedriven or EventKind.EffectSettled)
            Deadlines.Touch(node!);
        return node is not null ? Work.EffectOf(goal, node, entry)
            : entry.Kind is EventKind.GoalPaused or EventKind.GoalResumed ? Work.EffectOfPause(goal) : Waits.EffectOf(goal, entry);
    }
}
