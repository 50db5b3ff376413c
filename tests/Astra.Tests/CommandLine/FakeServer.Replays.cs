using Astra.Sdk;

namespace Astra.Tests.CommandLine;

// Replays: one that comes out as told; a fork is the goal under another id.
public sealed partial class FakeServer
{
    public bool ReplaysAreSame { get; set; } = true;

    public Task<ReplayView> ReplayGoalAsync(Guid id, CancellationToken cancellationToken = default)
    {
        var (then, now) = (new string('a', 64), new string(ReplaysAreSame ? 'a' : 'b', 64));
        return Called($"replay {id}", new ReplayView(
            id, then, now, ReplaysAreSame, [new ReplayedStepView("draft", then, then, ReplaysAreSame ? then : null, true, ReplaysAreSame ? null : "it failed now")],
            ReplaysAreSame ? [] : ["Step draft: it failed now"]));
    }

    public Task<GoalView> ForkGoalAsync(Guid id, string at, CancellationToken cancellationToken = default) => Called($"fork {id} at {at}", new GoalView
    {
        Id = Guid.NewGuid(), Title = "a fork", State = GoalState.Active, Priority = 0, Revision = 1, LastSeq = 1, CreatedAt = DateTimeOffset.UnixEpoch, Tasks = new TaskCounts(1, 0, 0, 0, 0, 0),
    });
}
