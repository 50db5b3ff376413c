using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Shards;

/// <summary>Goals that the tables refuse: they go on, block nobody, and wait for somebody to look.</summary>
public sealed class QuarantineTests
{
    private readonly World _world = World.With();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_goal_in_quarantine_goes_on_from_its_log_when_its_shard_is_rebuilt(bool isProjectedMeanwhile)
    {
        var goal = Quarantined("a", "b after a", "c after b");
        var other = _world.Submit("x");
        var worker = _world.Worker();
        worker.Complete("a");
        if (isProjectedMeanwhile)
            _world.Advance(seconds: 5);
        worker.Complete("b");
        _world.Node.Restart();
        _world.Advance(seconds: 60);
        Assert.Equal(GoalState.Active, _world.Goal(other).State);
        _world.AssertStates(goal, "a Completed, b Completed, c Running".Replace("Running", _world.State(goal, "c").ToString(), StringComparison.Ordinal));

        _world.Worker().CompleteAll();
        _world.Advance(seconds: 60);
        Assert.Equal((GoalState.Completed, GoalState.Completed), (_world.Goal(goal).State, _world.Goal(other).State));
        // The rows know nothing of its end, and its owner still does, now and after the next start.
        _world.Advance(seconds: 120);
        Assert.Equal(GoalState.Completed, _world.Goal(goal).State);
        _world.Node.Restart();
        Assert.Equal(GoalState.Completed, _world.Goal(goal).State);
        Assert.Equal(3, _world.CountOf(goal, EventKind.TaskCompleted));
    }

    [Fact]
    public void A_goal_that_is_released_has_all_its_rows_and_is_an_ordinary_goal_again()
    {
        var goal = Quarantined("a", "b after a", "c after b");
        var worker = _world.Worker();
        worker.Complete("a");
        _world.Advance(seconds: 1);
        Assert.Equal([goal], Listed());
        Assert.True(_world.Node.Ask(node => node.ReleaseGoalAsync(_world.Caller, goal)).IsOk);
        Assert.Empty(Listed());
        worker.Complete("b");
        _world.Node.Restart();
        _world.Worker().CompleteAll();
        _world.Advance(seconds: 180);
        // Forgotten in memory by now: these are the rows.
        Assert.Equal(GoalState.Completed, _world.Goal(goal).State);
        _world.AssertStates(goal, "a Completed, b Completed, c Completed");
        Assert.Equal(3, _world.CountOf(goal, EventKind.TaskCompleted));
        Assert.Equal(RefusalKind.NotFound, _world.Node.Refused(node => node.ReleaseGoalAsync(_world.Caller, goal)).Kind);
    }

    [Fact]
    public void A_goal_that_the_tables_still_refuse_stays_and_the_answer_says_why()
    {
        var goal = Quarantined("a");
        _world.Node.Rows.Spoils = goal;
        var refusal = _world.Node.Refused(node => node.ReleaseGoalAsync(_world.Caller, goal));
        Assert.Equal(RefusalKind.Conflict, refusal.Kind);
        Assert.Contains("goal_ended_iff_final", refusal.Reason, StringComparison.Ordinal);
        Assert.Equal([goal], Listed());
        _world.Node.Rows.Spoils = null;
        Assert.True(_world.Node.Ask(node => node.ReleaseGoalAsync(_world.Caller, goal)).IsOk);
        Assert.Empty(Listed());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_release_or_a_discard_that_its_server_dies_upon_is_made_by_the_next_one(bool isDiscarded)
    {
        var goal = Quarantined("a");
        _world.Node.Rows.IsDown = true;
        _world.Node.Begin(node => isDiscarded ? node.DiscardGoalAsync(_world.Caller, goal, "not needed") : node.ReleaseGoalAsync(_world.Caller, goal));
        _world.Node.Crash();
        _world.Node.Restart();
        _world.Advance(seconds: 15);
        Assert.Empty(Listed());
        var found = _world.Node.Ask(node => node.GetGoalAsync(_world.Tenant, goal));
        Assert.Equal(isDiscarded ? RefusalKind.NotFound : null, found.Refusal?.Kind);
    }

    [Fact]
    public void A_goal_that_is_given_up_is_cancelled_and_forgotten_and_its_shard_lives_on()
    {
        var goal = Quarantined("a", "b after a");
        var other = _world.Submit("x");
        var worker = _world.Worker();
        Assert.Equal(GoalState.Cancelled, _world.Node.Ask(node => node.DiscardGoalAsync(_world.Caller, goal, "nobody needs it")).Value.State);
        Assert.Contains("a", worker.Revoked);
        Assert.Empty(Listed());
        _world.Advance(seconds: 2);
        Assert.Equal(RefusalKind.NotFound, _world.Node.Refused(node => node.GetGoalAsync(_world.Tenant, goal)).Kind);
        _world.Node.Restart();
        Assert.Equal(GoalState.Active, _world.Goal(other).State);
        Assert.Equal(RefusalKind.NotFound, _world.Node.Refused(node => node.GetGoalAsync(_world.Tenant, goal)).Kind);
    }

    [Fact]
    public void Only_what_is_in_quarantine_is_released_or_given_up_and_only_by_its_tenant()
    {
        var healthy = _world.Submit("a");
        Assert.Equal(RefusalKind.Conflict, _world.Node.Refused(node => node.ReleaseGoalAsync(_world.Caller, healthy)).Kind);
        Assert.Equal(RefusalKind.Conflict, _world.Node.Refused(node => node.DiscardGoalAsync(_world.Caller, healthy, "why not")).Kind);
        var goal = Quarantined("a");
        var stranger = new Caller(new TenantId(new Guid(8, 8, 8, new byte[8])), "eve");
        Assert.Equal(RefusalKind.NotFound, _world.Node.Refused(node => node.ReleaseGoalAsync(stranger, goal)).Kind);
        Assert.Empty(_world.Node.Ask(node => node.ListQuarantinedAsync(stranger.Tenant, 10)).Value);
    }

    private IEnumerable<GoalId> Listed() => _world.Node.Ask(node => node.ListQuarantinedAsync(_world.Tenant, 10)).Value.Select(row => row.Goal);

    /// <summary>A goal that the tables have refused, once; what they would say now is another matter.</summary>
    private GoalId Quarantined(params string[] steps)
    {
        _world.Advance(seconds: 1);
        var pending = _world.Submit(steps);
        _world.Node.Rows.Spoils = pending;
        _world.Advance(seconds: 1);
        _world.Node.Rows.Spoils = null;
        Assert.Contains(_world.Node.Notices, notice => notice is KernelNotice.GoalQuarantined quarantined && quarantined.Goal == pending);
        return pending;
    }
}
