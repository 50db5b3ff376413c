using Astra.Kernel;
using Astra.Kernel.Controls;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Kernel.Workers;

namespace Astra.Simulation;

/// <summary>
/// Holds each entry against the numbers that somebody was promised: attempts and lost workers, delays and deadlines, limits
/// and rates, whose turn it was, and how long somebody has waited. Looks at an entry before the model of its goal takes it in.
/// </summary>
internal sealed class BoundsAudit(Verdict verdict, IClock clock, SimulationOptions options)
{
    // Nodes' calendars are apart and are set, and it takes a moment until a commit is through.
    private static readonly TimeSpan CalendarSlack = TimeSpan.FromSeconds(10);

    // A claim that met a shard without its lease is offered again a moment later, and others go first meanwhile. It does not
    // happen to one task again and again.
    private const int OvertakingsMax = 2;
    private static readonly TimeSpan OvertakingsApart = TimeSpan.FromSeconds(0.3);

    private readonly Dictionary<TaskId, TaskTerms> _terms = [];
    private readonly Dictionary<GoalId, GoalTerms> _goals = [];
    private readonly Dictionary<WorkerId, IReadOnlyCollection<string>> _offers = [];
    private readonly Dictionary<(ShardId, TenantId), Queue<DateTimeOffset>> _submissions = [];
    private readonly WaitAudit _waits = new(verdict, clock, options);

    /// <summary>Nothing but edits and cancellations ever ends what runs: then limits are exact, task by task.</summary>
    private readonly bool _countsRunning = options is { NodeCount: 1, ShardCount: 1 } && options.IsCalm;

    public void Joined(WorkerId worker, WorkerOffer offer)
    {
        _offers[worker] = offer.Executors;
        _waits.Joined(offer);
    }

    public void Asked(TenantId tenant, ControlChange change)
    {
        if (change is ControlChange.SetLimit { Limit.Scope: LimitScope.Tenant })
            _waits.Limited(tenant);
    }

    public void Take(IEnumerable<GoalModel> goals, GoalModel goal, Epoch epoch, JournalEntry entry)
    {
        switch (entry.Event)
        {
            case KernelEvent.GoalSubmitted submitted:
                _goals[entry.Goal] = new GoalTerms(submitted.Agent, submitted.Priority);
                Submit(entry);
                break;
            case KernelEvent.GoalPaused:
                _goals[entry.Goal].IsPaused = true;
                break;
            case KernelEvent.GoalResumed:
                _goals[entry.Goal].IsPaused = false;
                foreach (var ready in goal.Tasks.Values.Where(task => task.State == TaskState.Ready))
                    _terms[ready.Id].Wait(epoch, entry, clock.Elapsed);
                break;
            case KernelEvent.TaskAdded added:
                _terms[entry.Task!.Value] = new TaskTerms(added.Spec);
                break;
            case KernelEvent.TaskReplaced replaced:
                _terms[entry.Task!.Value] = new TaskTerms(replaced.Spec);
                break;
        }
        if (entry.Task is { } id && goal.Find(id) is { } task)
            TakeTask(goals, goal, task, _terms[id], entry);
        if (entry.To == TaskState.Ready || entry.Kind is EventKind.TaskPrioritised or EventKind.TaskReplaced)
            _terms[entry.Task!.Value].Wait(epoch, entry, clock.Elapsed);
    }

    /// <summary>When all is quiet: whatever had a deadline has met it, one way or the other.</summary>
    public void CheckDeadlines(IEnumerable<GoalModel> goals, DateTimeOffset now)
    {
        foreach (var goal in goals.Where(goal => goal.State == GoalState.Active))
            foreach (var task in goal.Tasks.Values.Where(task => !task.State.IsFinal() && !task.AwaitsResolution))
                verdict.Check(!(_terms[task.Id].Deadline < now - CalendarSlack), $"Task {task.Name} of goal {goal.Id} is {task.State}, and its deadline was {_terms[task.Id].Deadline}.");
    }

    private void TakeTask(IEnumerable<GoalModel> goals, GoalModel goal, TaskModel task, TaskTerms terms, JournalEntry entry)
    {
        if (entry.From == TaskState.Running)
            _waits.Ended(goal.Tenant, task.Id);
        switch (entry.Event)
        {
            case KernelEvent.TaskClaimed claimed:
                Claim(goals, goal, task, terms, claimed.Worker, entry);
                break;
            case KernelEvent.TaskRetried retried:
                verdict.Check(task.FailureCount + 1 < terms.Spec.AttemptCountMax, $"Task {task.Name} is tried again after {task.FailureCount + 1} failures; it may fail {terms.Spec.AttemptCountMax} times.");
                verdict.Check(retried.Failure.Kind == FailureKind.Transient, $"Task {task.Name} is tried again after a failure that was {retried.Failure.Kind}.");
                var delayMin = (terms.Spec.Extras.Retry ?? SimulationOptions.Limits.Retry).DelayMin / 2;
                verdict.Check(retried.DueAt >= entry.At + delayMin, $"Task {task.Name} is tried again {(retried.DueAt - entry.At).TotalSeconds} s after it failed; {delayMin.TotalSeconds} s is the least.");
                break;
            case KernelEvent.TaskExpired:
                var lostMax = terms.Spec.Extras.WorkersLostMax ?? SimulationOptions.Limits.ExpiryCountMax;
                verdict.Check(task.ExpiryCount + 1 < lostMax, $"Task {task.Name} has lost {task.ExpiryCount + 1} workers and is no dead letter; {lostMax} make it poison.");
                break;
            case KernelEvent.TaskPrioritised prioritised:
                terms.Spec = terms.Spec with { Priority = prioritised.Priority };
                break;
            case KernelEvent.TaskFixed made:
                terms.Spec = terms.Spec with { Executor = made.Executor ?? terms.Spec.Executor };
                break;
            // Whoever asks for it again wants it, late as it is.
            case KernelEvent.TaskRedriven when terms.Deadline <= entry.At:
                terms.Deadline = null;
                break;
        }
    }

    private void Claim(IEnumerable<GoalModel> goals, GoalModel goal, TaskModel task, TaskTerms terms, WorkerId worker, JournalEntry entry)
    {
        verdict.Check(!_goals[goal.Id].IsPaused, $"Task {task.Name} of goal {goal.Id} is handed out, and the goal is paused.");
        verdict.Check(_offers.TryGetValue(worker, out var executors) && executors.Contains(terms.Spec.Executor), $"Task {task.Name} for {terms.Spec.Executor} is handed to worker {worker}, which does not offer that.");
        verdict.Check(!(entry.At < terms.Spec.Extras.NotBefore - CalendarSlack), $"Task {task.Name} is handed out at {entry.At}, and it was not to begin before {terms.Spec.Extras.NotBefore}.");
        if (_countsRunning)
        {
            var running = goals.Where(other => other.Tenant == goal.Tenant).Select(other => (Goal: other, Count: other.Count(TaskState.Running))).ToList();
            var agent = _goals[goal.Id].Agent;
            verdict.Check(running.Sum(one => one.Count) < SimulationOptions.Limits.RunningTasksPerTenantMax, $"Tenant {goal.Tenant} runs more than {SimulationOptions.Limits.RunningTasksPerTenantMax} tasks.");
            verdict.Check(running.Where(one => _goals[one.Goal.Id].Agent == agent).Sum(one => one.Count) < SimulationOptions.Limits.RunningTasksPerAgentMax,
                $"Agent {agent ?? "(none)"} of tenant {goal.Tenant} runs more than {SimulationOptions.Limits.RunningTasksPerAgentMax} tasks.");
        }
        CheckTurn(goals, goal, task, terms, entry);
        _waits.Claimed(goal.Tenant, task, terms.Spec.Executor, terms.ReadySince);
    }

    /// <summary>More urgent tasks of the same kind that were ready before on the same shard, in the same life of its owner, are
    /// not left behind again and again.</summary>
    private void CheckTurn(IEnumerable<GoalModel> goals, GoalModel goal, TaskModel task, TaskTerms terms, JournalEntry entry)
    {
        var mine = _goals[goal.Id];
        foreach (var other in goals.Where(other => other.Tenant == goal.Tenant && other.Id.Shard == goal.Id.Shard && other.Count(TaskState.Ready) > 0 && _goals[other.Id] is { IsPaused: false } theirs && theirs.Agent == mine.Agent))
            foreach (var waiting in other.Tasks.Values.Where(one => one.State == TaskState.Ready && one != task))
                if (_terms[waiting.Id].IsAheadOf(terms, _goals[other.Id].Priority - mine.Priority) && _terms[waiting.Id].Overtaken(entry.At, OvertakingsApart) > OvertakingsMax)
                    verdict.Check(false, $"Task {waiting.Name} of goal {other.Id} has waited longer than {task.Name}, is more urgent, and is left behind again and again.");
    }

    private void Submit(JournalEntry entry)
    {
        if (!_submissions.TryGetValue((entry.Shard, entry.Tenant), out var lately))
            _submissions[(entry.Shard, entry.Tenant)] = lately = new Queue<DateTimeOffset>();
        // A calendar was set back, and says nothing of how long ago the others were.
        if (lately.Count > 0 && lately.Last() > entry.At)
            lately.Clear();
        lately.Enqueue(entry.At);
        while (lately.Peek() <= entry.At - TimeSpan.FromSeconds(1))
            lately.Dequeue();
        // A full bucket, what flows in meanwhile, and a calendar that was set.
        var countMax = 3 * SimulationOptions.Limits.SubmissionsPerSecondPerTenantMax;
        verdict.Check(lately.Count <= countMax, $"Shard {entry.Shard} has taken {lately.Count} submissions of tenant {entry.Tenant} within a second; {countMax} is the most.");
    }

    private sealed class GoalTerms(string? agent, int priority)
    {
        public string? Agent => agent;
        public int Priority => priority;
        public bool IsPaused { get; set; }
    }

    /// <summary>What a task was promised, and what has become of its place in the queue.</summary>
    private sealed class TaskTerms(TaskSpec spec)
    {
        private (Epoch Epoch, long Seq, DateTimeOffset Due)? _waiting;
        private DateTimeOffset _overtakenAt;
        private int _overtakings;

        public TaskSpec Spec { get; set; } = spec;
        public DateTimeOffset? Deadline { get; set; } = spec.Extras.Deadline;

        /// <summary>Null when it was not to begin at once.</summary>
        public TimeSpan? ReadySince { get; private set; }

        private (string, string?, string?) Kind => (Spec.Executor, Spec.Extras.Queue, Spec.Extras.Requires);

        /// <summary>It is ready, or has changed while it was: it takes its place anew.</summary>
        public void Wait(Epoch epoch, JournalEntry entry, TimeSpan now)
        {
            var due = entry.Event is KernelEvent.TaskRetried retried ? retried.DueAt : entry.At;
            _waiting = (epoch, entry.Seq, Spec.Extras.NotBefore > due ? Spec.Extras.NotBefore.Value : due);
            ReadySince = entry.Event is KernelEvent.TaskRetried || Spec.Extras.NotBefore is not null ? null : now;
            _overtakings = 0;
        }

        /// <param name="headStart">What its goal's priority is above the other's.</param>
        public bool IsAheadOf(TaskTerms other, int headStart) =>
            _waiting is { } mine && other._waiting is { } theirs && mine.Epoch == theirs.Epoch && Kind == other.Kind
            && mine.Seq < theirs.Seq && mine.Due <= theirs.Due && Spec.Priority + headStart > other.Spec.Priority;

        /// <returns>How often that has happened by now, at moments that lie apart.</returns>
        public int Overtaken(DateTimeOffset at, TimeSpan apart)
        {
            if (_overtakings == 0 || at - _overtakenAt >= apart)
                (_overtakings, _overtakenAt) = (_overtakings + 1, at);
            return _overtakings;
        }
    }
}
