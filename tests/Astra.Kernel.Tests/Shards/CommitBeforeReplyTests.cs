using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Shards;

/// <summary>Journal first, then everything else.</summary>
public sealed class CommitBeforeReplyTests
{
    private readonly World _world = World.With();

    private HeldJournal Journal => _world.Node.Journal;

    [Fact]
    public void A_submission_is_not_acknowledged_before_it_is_durable()
    {
        Journal.Hold();
        var submission = _world.Node.Begin(node => node.SubmitAsync(_world.Caller, World.Request("a")));
        _world.Advance(seconds: 5);
        Assert.False(submission.IsAnswered);
        Journal.Release();
        _world.RunUntilQuiet();
        Assert.True(submission.Answer.IsOk);
    }

    [Fact]
    public void A_worker_hears_of_a_task_when_its_claim_is_durable()
    {
        var goal = _world.Submit("a");
        Journal.Hold();
        var worker = _world.Worker();
        _world.Advance(seconds: 1);
        Assert.Equal(1, Journal.HeldCount);
        Assert.Empty(worker.Given);
        Journal.Release();
        _world.RunUntilQuiet();
        Assert.Equal(["a"], worker.Given);
        Assert.Equal(TaskState.Running, _world.State(goal, "a"));
    }

    [Fact]
    public void What_is_decided_during_a_commit_is_in_the_next_one()
    {
        var (one, other) = (_world.Submit("a"), _world.Submit("a"));
        while (other.Shard == one.Shard)
            other = _world.Submit("a");
        Journal.Hold();
        foreach (var (goal, step) in new[] { (one, "b"), (other, "b"), (one, "c"), (one, "d") })
            _ = _world.Node.Begin(node => node.EditPlanAsync(_world.Caller, goal, null, [Steps.Add(step)], null));
        Journal.Asked.Clear();
        Journal.Release();
        _world.RunUntilQuiet();
        Assert.Equal([one.Shard, other.Shard], Assert.Single(Journal.Asked).Select(append => append.Shard).Order());
        _world.AssertStates(one, "a Ready, b Ready, c Ready, d Ready");
    }

    [Fact]
    public void A_step_is_claimed_behind_its_submission_and_handed_out_when_both_are_durable()
    {
        var worker = _world.Worker();
        Journal.Hold();
        var submission = _world.Node.Begin(node => node.SubmitAsync(_world.Caller, World.Request("a")));
        _world.Advance(seconds: 1);
        Assert.Empty(worker.Given);
        Journal.Asked.Clear();
        Journal.Release();
        _world.RunUntilQuiet();
        Assert.Equal(["a"], worker.Given);
        Assert.Equal(EventKind.TaskClaimed, Assert.Single(Assert.Single(Assert.Single(Journal.Asked)).Entries).Kind);
        Assert.True(submission.Answer.IsOk);
    }

    [Fact]
    public void Behind_entries_that_were_lost_nothing_more_of_their_shard_is_sent()
    {
        var worker = _world.Worker();
        Journal.Hold();
        var submission = _world.Node.Begin(node => node.SubmitAsync(_world.Caller, World.Request("a")));
        Journal.LosesNextReply = true;
        Journal.Asked.Clear();
        Journal.Release();
        _world.RunUntilQuiet();
        Assert.Equal(RefusalKind.Unavailable, submission.Answer.Refusal!.Kind);
        Assert.DoesNotContain(Journal.Asked, appends => appends.Count > 0);
        Assert.Empty(worker.Given);
        // The submission had taken effect, and its step is claimed once, under the shard's new epoch.
        _world.Advance(seconds: 1);
        Assert.Equal(["a"], worker.Given);
        Assert.Equal(1, worker["a"].Attempt);
        Assert.Single(_world.Node.Notices, notice => notice is KernelNotice.ShardLost);
    }

    [Fact]
    public void A_step_that_is_ready_again_before_it_is_durable_that_it_was_not_is_handed_out()
    {
        var goal = _world.Submit("a after b", "b after c", "c");
        Journal.Hold();
        foreach (var edit in new[] { Steps.Rewire("a"), Steps.Rewire("a after c"), Steps.Rewire("a") })
            _ = _world.Node.Begin(node => node.EditPlanAsync(_world.Caller, goal, null, [edit], null));
        Journal.Release();
        _world.RunUntilQuiet();
        Assert.Equal(["a", "c"], _world.Worker().Given.Order());
    }

    [Fact]
    public void A_worker_is_handed_what_a_task_waited_for_as_it_was_when_it_was_claimed()
    {
        var first = _world.Worker();
        var goal = _world.Submit(DeadTaskPolicy.Wait, "a", "b ended a");
        first.Fail("a");
        var dead = _world.Task(goal, "a").Id;
        first.Disconnect();
        Journal.Hold();
        var worker = _world.Worker(slots: 1);
        _ = _world.Node.Begin(node => node.RedriveAsync(_world.Caller, dead));
        Journal.Release();
        _world.RunUntilQuiet();
        Assert.Equal(TaskState.Dead, Assert.Single(worker["b"].Dependencies).State);
    }

    [Fact]
    public void A_subscriber_hears_of_an_event_when_it_is_durable()
    {
        var goal = _world.Submit("a");
        using var subscription = _world.Node.Do(node => ValueTask.FromResult(node.Subscribe(_world.Tenant, goal)));
        Journal.Hold();
        var edit = _world.Node.Begin(node => node.EditPlanAsync(_world.Caller, goal, null, [Steps.Add("b")], null));
        _world.Advance(seconds: 1);
        Assert.False(edit.IsAnswered);
        Assert.False(subscription.Entries.TryRead(out _));
        Journal.Release();
        _world.RunUntilQuiet();
        Assert.True(subscription.Entries.TryRead(out var entry));
        Assert.Equal(EventKind.PlanEdited, entry.Kind);
    }

    [Fact]
    public void A_read_waits_for_what_it_would_show()
    {
        var goal = _world.Submit("a");
        Journal.Hold();
        _ = _world.Node.Begin(node => node.CancelGoalAsync(_world.Caller, goal, "no"));
        var read = _world.Node.Begin(node => node.GetGoalAsync(_world.Tenant, goal));
        _world.Advance(seconds: 1);
        Assert.False(read.IsAnswered);
        Journal.Release();
        _world.RunUntilQuiet();
        Assert.Equal(GoalState.Cancelled, read.Answer.Value.State);
    }

    [Fact]
    public void A_lost_reply_crashes_the_shard_which_is_rebuilt_under_a_new_epoch()
    {
        var goal = _world.Submit("a");
        Journal.LosesNextReply = true;
        var refusal = _world.Node.Refused(node => node.CancelGoalAsync(_world.Caller, goal, "no"));
        Assert.Equal(RefusalKind.Unavailable, refusal.Kind);
        _world.Advance(seconds: 1);
        Assert.Contains(_world.Node.Notices, notice => notice is KernelNotice.ShardLost lost && lost.Shard == goal.Shard);
        // The commit had taken effect, and now everybody can see it.
        Assert.Equal(GoalState.Cancelled, _world.Goal(goal).State);
    }

    [Fact]
    public void A_commit_that_the_log_refuses_leaves_no_trace()
    {
        var goal = _world.Submit("a");
        Journal.Refused = EventKind.GoalCancelled;
        Assert.Equal(RefusalKind.Unavailable, _world.Node.Refused(node => node.CancelGoalAsync(_world.Caller, goal, "no")).Kind);
        Journal.Refused = null;
        _world.Advance(seconds: 1);
        Assert.Equal(GoalState.Active, _world.Goal(goal).State);
        _world.AssertStates(goal, "a Ready");
    }

    [Fact]
    public void A_claim_that_was_lost_with_its_shard_gives_its_slot_back()
    {
        var goal = _world.Submit("a");
        Journal.Refused = EventKind.TaskClaimed;
        var worker = _world.Worker(slots: 1);
        Assert.Empty(worker.Given);
        Journal.Refused = null;
        _world.Advance(seconds: 2);
        Assert.Equal(["a"], worker.Given);
        worker.Complete("a");
        Assert.Equal(GoalState.Completed, _world.Goal(goal).State);
    }

    [Fact]
    public void A_lease_that_ended_in_a_commit_nobody_heard_of_gives_its_slot_back()
    {
        var silent = _world.Worker(slots: 1);
        var goal = _world.Submit("a");
        _world.Advance(seconds: 29);
        Journal.LosesNextReply = true;
        _world.Advance(seconds: 5);
        Assert.Equal(["a"], silent.Revoked);
        Assert.Equal(["a", "a"], silent.Given);
        Assert.Equal(2, _world.Task(goal, "a").Attempt);
    }

    [Fact]
    public void A_request_that_meets_a_crashing_shard_is_told_to_ask_again()
    {
        var goal = _world.Submit("a");
        Journal.Hold();
        var cancel = _world.Node.Begin(node => node.CancelGoalAsync(_world.Caller, goal, "no"));
        Journal.LosesNextReply = true;
        Journal.Release();
        var read = _world.Node.Begin(node => node.GetGoalAsync(_world.Tenant, goal));
        _world.Advance(seconds: 1);
        Assert.All(new[] { cancel.Answer, read.Answer }, answer => Assert.Equal(RefusalKind.Unavailable, answer.Refusal!.Kind));
    }

    [Fact]
    public void While_the_database_is_away_everything_is_a_refusal_and_nothing_an_exception()
    {
        var goal = _world.Submit("a");
        (Journal.IsDown, _world.Node.Rows.IsDown) = (true, true);
        var key = _world.Key("key");
        Assert.Equal(RefusalKind.Unavailable, _world.Node.Refused(node => node.SubmitAsync(_world.Caller, World.Request("b") with { IdempotencyKey = key })).Kind);
        Assert.Equal(RefusalKind.Unavailable, _world.Node.Refused(node => node.CancelGoalAsync(_world.Caller, goal, "no")).Kind);
        Assert.Equal(RefusalKind.Unavailable, _world.Node.Refused(node => node.ReadEventsAsync(_world.Tenant, goal, 0, 10)).Kind);
        Assert.Equal(RefusalKind.Unavailable, _world.Node.Refused(node => node.ListGoalsAsync(_world.Tenant, null, null, null, 10)).Kind);
        (Journal.IsDown, _world.Node.Rows.IsDown) = (false, false);
        _world.Advance(seconds: 5);
        Assert.Equal(GoalState.Active, _world.Goal(goal).State);
    }

    [Fact]
    public void A_node_whose_shard_cannot_live_starts_all_its_shards_anew_and_goes_on()
    {
        var goal = _world.Submit("a");
        Journal.Refused = EventKind.TaskClaimed;
        var worker = _world.Worker();
        _world.Advance(seconds: 200);
        Journal.Refused = null;
        _world.Advance(seconds: 60);
        worker.CompleteAll();
        _world.Advance(seconds: 5);
        Assert.Contains(_world.Node.Notices, notice => notice is KernelNotice.ShardLost lost && lost.Reason.StartsWith("All shards", StringComparison.Ordinal));
        Assert.Equal(GoalState.Completed, _world.Goal(goal).State);
    }
}
