using Astra.Kernel;
using Astra.Kernel.Tasks;

namespace Astra.Agents.Replaying;

/// <summary>
/// A goal once more from one of its tasks on. That task, what waits for it and what these added is run; everything else ends as
/// it did, from what is recorded of it, and costs nothing.
/// </summary>
public static class GoalFork
{
    /// <param name="at">The task's id, or the name of its step.</param>
    public static Answer<GoalRequest> Of(GoalSnapshot source, string at)
    {
        if (source.Tasks.FirstOrDefault(task => task.Spec.Name == at || Guid.TryParse(at, out var id) && task.Id.Value == id) is not { } first)
            return new Refusal(RefusalKind.NotFound, $"Goal {source.Goal.Id.Value} has no step '{at}' to fork it at; `astra goal show` lists its steps.");
        var again = RunAgain(source, first, out var added);
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

    /// <summary>The task, whatever waits for one of these, and whatever one of these added: that was in the commit that ended it, so it
    /// has its time. What was added comes back by itself when whoever added it is run.</summary>
    private static HashSet<TaskId> RunAgain(GoalSnapshot source, TaskRow first, out HashSet<TaskId> added)
    {
        var again = new HashSet<TaskId> { first.Id };
        added = [];
        var grows = true;
        while (grows)
        {
            grows = false;
            foreach (var task in source.Tasks)
            {
                // Steps of the goal's own beginning were added by nobody.
                var isAdded = task.CreatedAt > source.Goal.CreatedAt && source.Tasks.Any(by => again.Contains(by.Id) && by.Id != task.Id && by.EndedAt == task.CreatedAt);
                if (isAdded)
                    grows |= added.Add(task.Id);
                if (isAdded || task.After.Any(dependency => again.Contains(dependency.On)))
                    grows |= again.Add(task.Id);
            }
        }
        return again;
    }

    /// <summary>As it was asked for, without what became of it.</summary>
    private static TaskSpec Fresh(TaskSpec spec) => spec with
    {
        Extras = spec.Extras with { Outcome = null, IsSkipped = false, WantedOutcomes = null, Effect = null, FixCount = 0, Delegations = null, NotBefore = null, Deadline = null },
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
