using Astra.Kernel;
using Astra.Kernel.Approvals;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;

namespace Astra.Agents.Replaying;

/// <summary>
/// A goal once more from one of its tasks on. That task, what waits for it and what these added is run; everything else ends as
/// it did, from what is recorded of it, and costs nothing.
/// </summary>
public static class GoalFork
{
    private const int EventsAtOnce = 1_000;

    /// <param name="at">The task's id, or the name of its step.</param>
    public static async ValueTask<Answer<GoalRequest>> OfAsync(KernelNode node, TenantId tenant, GoalId goal, string at)
    {
        var source = await node.GetPlanAsync(tenant, goal);
        if (source.Refusal is { } unknown)
            return unknown;
        var adders = await ReadAddersAsync(node, tenant, goal);
        return adders.Refusal is { } refusal ? refusal : Of(source.Value, adders.Value, at);
    }

    private static Answer<GoalRequest> Of(GoalSnapshot source, IReadOnlyDictionary<TaskId, string> adders, string at)
    {
        if (source.Tasks.FirstOrDefault(task => task.Spec.Name == at || Guid.TryParse(at, out var id) && task.Id.Value == id) is not { } first)
            return new Refusal(RefusalKind.NotFound, $"Goal {source.Goal.Id.Value} has no step '{at}' to fork it at; `astra goal show` lists its steps.");
        var again = RunAgain(source, adders, first, out var added);
        if (source.Tasks.FirstOrDefault(task => !again.Contains(task.Id) && task.State is not (TaskState.Completed or TaskState.Dead or TaskState.Cancelled)) is { } open)
            return new Refusal(RefusalKind.Conflict, $"Step {open.Spec.Name} has not ended, and a fork at {first.Spec.Name} needs what it came to; wait for it, or fork at a step before it.");
        var names = source.Tasks.ToDictionary(task => task.Id, task => task.Spec.Name);
        var edits = new List<GraphEdit>();
        foreach (var task in source.Tasks.Where(task => !added.Contains(task.Id)))
        {
            var after = task.After.Where(dependency => !added.Contains(dependency.On) && names.ContainsKey(dependency.On))
                .Select(dependency => new NamedDependency(names[dependency.On], dependency.Kind, dependency.Outcome)).ToList();
            edits.Add(new GraphEdit.Add(again.Contains(task.Id) ? Fresh(task.Spec) : Recorded(task), after));
        }
        return new GoalRequest
        {
            Agent = source.Goal.Agent,
            Title = source.Goal.Title,
            Input = source.Goal.Input,
            Priority = source.Goal.Priority,
            DeadTaskPolicy = source.Goal.DeadTaskPolicy,
            Extras = new GoalExtras { RetriesMax = source.Goal.Extras.RetriesMax },
            Plan = edits,
        };
    }

    /// <summary>Which step has added which task, as the log says it. What a person or the submission has added is not there.</summary>
    private static async ValueTask<Answer<Dictionary<TaskId, string>>> ReadAddersAsync(KernelNode node, TenantId tenant, GoalId goal)
    {
        var adders = new Dictionary<TaskId, string>();
        string? adder = null;
        for (long after = 0; ;)
        {
            var read = await node.ReadEventsAsync(tenant, goal, after, EventsAtOnce);
            if (read.Refusal is { } refusal)
                return refusal;
            foreach (var entry in read.Value)
            {
                if (entry.Kind == EventKind.PlanEdited)
                    adder = entry.Event is KernelEvent.PlanEdited edit && edit.By.StartsWith(GraphEdit.ByTask, StringComparison.Ordinal) ? edit.By[GraphEdit.ByTask.Length..] : null;
                else if (entry is { Kind: EventKind.TaskAdded, Task: { } task } && adder is not null)
                    adders[task] = adder;
            }
            if (read.Value.Count < EventsAtOnce)
                return adders;
            after = read.Value[^1].Seq;
        }
    }

    /// <summary>The task, whatever waits for one of these, and whatever one of these added: that comes back by itself when its adder
    /// is run.</summary>
    private static HashSet<TaskId> RunAgain(GoalSnapshot source, IReadOnlyDictionary<TaskId, string> adders, TaskRow first, out HashSet<TaskId> added)
    {
        var again = new HashSet<TaskId> { first.Id };
        var names = new HashSet<string>(StringComparer.Ordinal) { first.Spec.Name };
        added = [];
        var grows = true;
        while (grows)
        {
            grows = false;
            foreach (var task in source.Tasks)
            {
                var isAdded = adders.TryGetValue(task.Id, out var adder) && adder != task.Spec.Name && names.Contains(adder);
                if (isAdded)
                    grows |= added.Add(task.Id);
                if (isAdded || task.After.Any(dependency => again.Contains(dependency.On)))
                {
                    grows |= again.Add(task.Id);
                    names.Add(task.Spec.Name);
                }
            }
        }
        return again;
    }

    /// <summary>As it was asked for, without what became of it.</summary>
    private static TaskSpec Fresh(TaskSpec spec) => spec with
    {
        Extras = spec.Extras with
        {
            Approval = spec.Extras.Approval is { } asked ? new Approval(asked.VotesNeeded) : null,
            Outcome = null, IsSkipped = false, WantedOutcomes = null, Effect = null, FixCount = 0, Delegations = null, NotBefore = null, Deadline = null,
        },
    };

    private static TaskSpec Recorded(TaskRow task) => new()
    {
        Name = task.Spec.Name,
        Executor = RecordedStep.Executor,
        Kind = task.Spec.Kind,
        Input = RecordedStep.InputOf(task),
        AttemptCountMax = 1,
        Extras = TaskExtras.None with { Group = task.Spec.Extras.Group },
    };
}
