using Astra.Kernel.Effects;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Goals;

/// <summary>The effect ledger: what acts on the outside world says so before and after, and what was lost in between waits
/// for a person.</summary>
public sealed class EffectTests
{
    private static readonly byte[] Receipt = "receipt 17"u8.ToArray();

    private readonly World _world = World.With(limits: new KernelLimits { RetryDelayMin = TimeSpan.FromSeconds(1), ExpiryCountMax = 2 });

    [Fact]
    public void A_worker_lost_between_intent_and_outcome_leaves_the_task_waiting_for_a_person()
    {
        var goal = Lose("a", "b after a");
        var task = _world.Task(goal, "a");
        Assert.Equal((TaskState.Pending, FailureKind.UnknownEffect, EffectState.Unknown), (task.State, task.Failure!.Kind, task.Spec.Extras.Effect!.State));
        _world.Worker().CompleteAll();
        _world.Advance(seconds: 3600);
        Assert.Equal((TaskState.Pending, 1), (_world.State(goal, "a"), _world.Task(goal, "a").Attempt));
        Assert.Equal(["a"], Unknown());
        var why = _world.Node.Ask(node => node.WhyAsync(_world.Tenant, task.Id.Value)).Value.Sentence;
        Assert.Contains($"astra effect resolve {task.Id}", why, StringComparison.Ordinal);
    }

    [Fact]
    public void What_was_sent_completes_with_the_output_that_is_given()
    {
        var goal = Lose("a", "b after a");
        Assert.Equal(TaskState.Completed, Resolve(goal, EffectState.Sent).Value.State);
        Assert.Equal(Receipt, _world.Task(goal, "a").Output.ToArray());
        Assert.Equal(TaskState.Ready, _world.State(goal, "b"));
        Assert.Empty(Unknown());
        Assert.True(Resolve(goal, EffectState.Sent).IsOk);
        Assert.Equal(RefusalKind.Conflict, Resolve(goal, EffectState.NotSent).Refusal!.Kind);
    }

    [Fact]
    public void What_was_not_sent_runs_again()
    {
        var goal = Lose("a");
        Assert.Equal(TaskState.Ready, Resolve(goal, EffectState.NotSent).Value.State);
        Assert.Null(_world.Task(goal, "a").Failure);
        var worker = _world.Worker();
        Assert.Equal(EffectState.NotSent, worker["a"].Spec.Extras.Effect!.State);
        Assert.True(Intend(worker, "a").IsOk);
        worker.Complete("a");
        Assert.Equal((GoalState.Completed, EffectState.Sent), (_world.Goal(goal).State, _world.Task(goal, "a").Spec.Extras.Effect!.State));
    }

    [Fact]
    public void An_effect_that_was_sent_is_not_made_again_by_any_later_attempt()
    {
        var goal = _world.Submit("a");
        var first = _world.Worker();
        Intend(first, "a");
        Assert.True(Settle(first, "a", EffectState.Sent).IsOk);
        first.Disconnect();
        _world.RunUntilQuiet();
        var second = _world.Worker();
        Assert.Equal(2, second["a"].Attempt);
        Assert.Equal(Receipt, second["a"].Spec.Extras.Effect!.Output.ToArray());
        Assert.Contains("took place in attempt 1", Intend(second, "a").Refusal!.Reason, StringComparison.Ordinal);
        Assert.True(second.Complete("a").IsOk);
        Assert.Equal(1, _world.CountOf(goal, EventKind.EffectIntended));
    }

    [Theory]
    [InlineData(FailureKind.Transient)]
    [InlineData(FailureKind.Permanent)]
    public void A_failure_between_intent_and_outcome_is_neither_tried_again_nor_a_dead_letter(FailureKind kind)
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a");
        Intend(worker, "a");
        Assert.Equal(TaskState.Pending, worker.Fail("a", kind, "the line was cut").Value);
        Assert.Contains("the line was cut", _world.Task(goal, "a").Failure!.Reason, StringComparison.Ordinal);
        Assert.Equal(["a"], Unknown());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_step_that_is_suspended_between_intent_and_outcome_waits_for_a_person_and_for_what_was_put_in_front_of_it(bool byItself)
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a");
        Intend(worker, "a");
        if (byItself)
            Assert.Equal(TaskState.Pending, worker.Suspend("a", "after first", Steps.Add("first")).Value);
        else
            Assert.True(_world.Edit(goal, Steps.Add("first"), new GraphEdit.Suspend("a", Steps.After("after first"))).IsOk);
        Assert.Equal(["a"], Unknown());
        _world.Node.Restart();
        Assert.Equal(["a"], Unknown());
        Assert.Equal(TaskState.Pending, Resolve(goal, EffectState.NotSent).Value.State);
        // Who ran it did not come back.
        _world.Advance(seconds: 31);
        _world.Worker().Complete("first");
        Assert.Equal((TaskState.Running, 2), (_world.State(goal, "a"), _world.Task(goal, "a").Attempt));
    }

    [Fact]
    public void A_silent_worker_that_wakes_with_an_outcome_is_late()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a");
        Intend(worker, "a");
        var attempt = TestWorker.Attempt(worker["a"]);
        _world.Advance(seconds: 31);
        Assert.Equal(RefusalKind.Late, _world.Node.Do(_ => worker.Link.SettleAsync(attempt, EffectState.Sent, Receipt)).Refusal!.Kind);
        Assert.Equal(EffectState.Unknown, _world.Task(goal, "a").Spec.Extras.Effect!.State);
    }

    /// <summary>Found by the simulation: the report was taken for the one that had ended the task, and what it brought was nowhere.</summary>
    [Fact]
    public void A_silent_worker_that_wakes_after_a_person_has_settled_its_effect_is_late()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a");
        Intend(worker, "a");
        var assignment = worker["a"];
        worker.IsHung = true;
        _world.Advance(seconds: 31);
        Assert.Equal(TaskState.Completed, Resolve(goal, EffectState.Sent).Value.State);
        Assert.Equal(RefusalKind.Late, worker.Complete(assignment).Refusal?.Kind);
        Assert.Equal(Receipt, _world.Task(goal, "a").Output.ToArray());
    }

    [Fact]
    public void An_unknown_effect_is_unknown_after_a_restart()
    {
        var goal = Lose("a", "b after a");
        _world.Node.Restart();
        Assert.Equal((TaskState.Pending, EffectState.Unknown), (_world.State(goal, "a"), _world.Task(goal, "a").Spec.Extras.Effect!.State));
        _world.Worker();
        _world.Advance(seconds: 60);
        Assert.Equal(TaskState.Pending, _world.State(goal, "a"));
        Assert.Equal(TaskState.Completed, Resolve(goal, EffectState.Sent).Value.State);
    }

    [Fact]
    public void A_server_that_dies_with_an_effect_under_way_leaves_it_unknown()
    {
        var worker = _world.Worker(isInProcess: true);
        var goal = _world.Submit("a");
        Intend(worker, "a");
        _world.Node.Restart();
        Assert.Equal(EffectState.Unknown, _world.Task(goal, "a").Spec.Extras.Effect!.State);
    }

    [Fact]
    public void An_outcome_without_an_intent_is_refused()
    {
        var worker = _world.Worker();
        _world.Submit("a");
        Assert.Contains("the intent comes first", Settle(worker, "a", EffectState.Sent).Refusal!.Reason, StringComparison.Ordinal);
        Assert.Equal(["a"], worker.Holds);
    }

    [Fact]
    public void An_intent_and_an_outcome_that_are_delivered_twice_are_recorded_once()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a");
        Assert.True(Intend(worker, "a").IsOk && Intend(worker, "a").IsOk);
        Assert.True(Settle(worker, "a", EffectState.Sent).IsOk && Settle(worker, "a", EffectState.Sent).IsOk);
        Assert.Contains("already said that its effect was sent", Settle(worker, "a", EffectState.NotSent).Refusal!.Reason, StringComparison.Ordinal);
        Assert.Equal((1, 1), (_world.CountOf(goal, EventKind.EffectIntended), _world.CountOf(goal, EventKind.EffectSettled)));
    }

    /// <summary>Found by the simulation.</summary>
    [Fact]
    public void An_intent_that_arrives_again_after_its_outcome_begins_nothing()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a");
        Assert.True(Intend(worker, "a").IsOk && Settle(worker, "a", EffectState.NotSent).IsOk);
        Assert.Contains("already said that its effect was not sent", Intend(worker, "a").Refusal!.Reason, StringComparison.Ordinal);
        Assert.Equal(1, _world.CountOf(goal, EventKind.EffectIntended));
    }

    [Fact]
    public void The_key_is_the_same_for_all_attempts_or_another_for_each()
    {
        var task = new TaskId(Guid.Parse("0198c5d7-1234-7abc-8def-0123456789ab"));
        Assert.Equal(EffectRecord.KeyOf(task, 1, EffectKeys.PerTask), EffectRecord.KeyOf(task, 2, EffectKeys.PerTask));
        Assert.NotEqual(EffectRecord.KeyOf(task, 1, EffectKeys.PerAttempt), EffectRecord.KeyOf(task, 2, EffectKeys.PerAttempt));
    }

    /// <summary>The first of these steps has begun its effect when its worker is lost.</summary>
    private GoalId Lose(params string[] steps)
    {
        var goal = _world.Submit(steps);
        var worker = _world.Worker();
        Assert.True(Intend(worker, "a").IsOk);
        worker.Disconnect();
        _world.RunUntilQuiet();
        return goal;
    }

    private Answer<TaskState> Intend(TestWorker worker, string step) =>
        _world.Node.Do(_ => worker.Link.IntendAsync(TestWorker.Attempt(worker[step]), "pays the invoice"));

    private Answer<TaskState> Settle(TestWorker worker, string step, EffectState outcome) =>
        _world.Node.Do(_ => worker.Link.SettleAsync(TestWorker.Attempt(worker[step]), outcome, outcome == EffectState.Sent ? Receipt : default));

    private Answer<TaskRow> Resolve(GoalId goal, EffectState outcome)
    {
        var task = _world.Task(goal, "a").Id;
        return _world.Node.Ask(node => node.ResolveEffectAsync(_world.Caller, task, outcome, outcome == EffectState.Sent ? Receipt : default));
    }

    private IEnumerable<string> Unknown() => _world.Node.Ask(node => node.ListUnknownEffectsAsync(_world.Tenant, null, 10)).Value.Select(listed => listed.Task.Spec.Name);
}
