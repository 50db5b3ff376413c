using System.Runtime.CompilerServices;
using Astra.Sdk;

namespace Astra.Tests.CommandLine;

// Goals, their tasks and what happens to them.
public sealed partial class FakeServer
{
    public Task<GoalView> SubmitAsync(GoalSubmission submission, string? idempotencyKey = null, CancellationToken cancellationToken = default)
    {
        Submissions.Add(submission);
        IdempotencyKeys.Add(idempotencyKey);
        if (idempotencyKey is not null && _keys.TryGetValue(idempotencyKey, out var known))
            return Task.FromResult(Find(known).View);
        var goal = new Goal(this, submission, _goals.Count);
        _goals[goal.Id] = goal;
        if (idempotencyKey is not null)
            _keys[idempotencyKey] = goal.Id;
        Agent(goal);
        return Task.FromResult(goal.View);
    }

    public Task<GoalView> GetGoalAsync(Guid goal, CancellationToken cancellationToken = default) => Task.FromResult(Find(goal).View);

    public Task<Page<GoalView>> ListChildrenAsync(
        Guid parent, GoalState? state = null, string? cursor = null, int limit = 50, CancellationToken cancellationToken = default)
    {
        Calls.Add($"children {parent} {state} {cursor} {limit}");
        var children = _goals.Values.Select(goal => goal.View).Where(goal => goal.Parent == parent && (state is null || goal.State == state)).ToList();
        return Task.FromResult(new Page<GoalView>(children, null));
    }

    public Task<Page<GoalView>> ListGoalsAsync(
        GoalState? state = null, string? agent = null, string? cursor = null, int limit = 50, CancellationToken cancellationToken = default)
    {
        Calls.Add($"list {state} {agent} {cursor} {limit}");
        var goals = _goals.Values.Select(goal => goal.View).Where(goal => state is null || goal.State == state).ToList();
        return Task.FromResult(new Page<GoalView>(goals, null));
    }

    public Task<GoalView> CancelGoalAsync(Guid goal, string? reason = null, CancellationToken cancellationToken = default)
    {
        if (RefusesToCancel)
            throw new AstraException(503, "Service Unavailable", "Not now.");
        Find(goal).End(GoalState.Cancelled, reason: reason);
        return GetGoalAsync(goal, cancellationToken);
    }

    public Task<IReadOnlyList<QuarantinedGoalView>> ListQuarantinedAsync(CancellationToken cancellationToken = default) =>
        Task.FromResult<IReadOnlyList<QuarantinedGoalView>>([.. _goals.Values.Select(goal => new QuarantinedGoalView(goal.Id, goal.View.Title, "goal_ended_iff_final", DateTimeOffset.UnixEpoch))]);

    public Task<GoalView> ReleaseGoalAsync(Guid goal, CancellationToken cancellationToken = default)
    {
        Calls.Add($"release {goal}");
        return GetGoalAsync(goal, cancellationToken);
    }

    public Task<GoalView> DiscardGoalAsync(Guid goal, string reason, CancellationToken cancellationToken = default)
    {
        Calls.Add($"discard goal {goal} {reason}");
        return GetGoalAsync(goal, cancellationToken);
    }

    public Task<TaskView> GetTaskAsync(Guid task, CancellationToken cancellationToken = default) =>
        Task.FromResult(_goals.Values.SelectMany(goal => goal.Plan.Tasks).FirstOrDefault(view => view.Id == task) ?? throw NotFound("task", task));

    public Task<WhyView> WhyAsync(Guid id, CancellationToken cancellationToken = default) => Task.FromResult(
        new WhyView(id, "goal", "waiting: tenant slots 4/4", new Dictionary<string, string> { ["running"] = "4" }));

    public async IAsyncEnumerable<EventView> FollowAsync(Guid goal, long after = 0, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (var happened in Find(goal).Events(cancellationToken))
        {
            if (happened.Seq > after)
                yield return happened;
        }
    }

    /// <summary>Completes when a command has begun to follow a goal.</summary>
    public TaskCompletionSource<Goal> Followed { get; set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
}
