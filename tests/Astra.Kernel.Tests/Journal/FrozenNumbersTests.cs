using System.Text;
using Astra.Kernel.Effects;
using Astra.Kernel.Controls;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Astra.Kernel.Timers;
using Xunit;

namespace Astra.Kernel.Tests.Journal;

/// <summary>
/// Numbers that are on somebody's disk. When a test here fails, put the old number back and give the new thing a new one:
/// a number that changes makes every log written before say something else. A member that is not wanted any more stays,
/// and is no longer written. A new member is added here as it is added there.
/// </summary>
public sealed class FrozenNumbersTests
{
    [Fact]
    public void The_states_of_a_task() => Check<TaskState>("Pending=1 Ready=2 Running=3 Completed=4 Cancelled=5 Dead=6");

    [Fact]
    public void The_commands_of_a_task() => Check<TaskCommand>(
        "Unblock=1 Block=2 Doom=3 Claim=4 Complete=5 Retry=6 Exhaust=7 Expire=8 Suspend=9 Cancel=10 Redrive=11 Resolve=12 Lapse=13");

    [Fact]
    public void The_states_of_a_goal() => Check<GoalState>("Active=1 Completed=2 Failed=3 Cancelled=4");

    [Fact]
    public void The_policies_for_dead_tasks() => Check<DeadTaskPolicy>("Doom=1 Wait=2 Skip=3");

    [Fact]
    public void The_kinds_of_dependencies() => Check<DependencyKind>("Completed=1 Ended=2 Outcome=3 Passed=4");

    [Fact]
    public void The_conditions_between_goals() => Check<GoalCondition>("Completed=1 Ended=2");

    [Fact]
    public void The_policies_between_goals() => Check<CascadePolicy>("Cancel=1 GoOn=2");

    [Fact]
    public void The_kinds_of_failures() => Check<FailureKind>("Transient=1 Permanent=2 Poison=3 UnknownEffect=4");

    [Fact]
    public void The_states_of_an_effect() => Check<EffectState>("Intended=1 Sent=2 NotSent=3 Unknown=4");

    [Fact]
    public void The_keys_of_an_effect() => Check<EffectKeys>("PerTask=1 PerAttempt=2");

    [Fact]
    public void The_kinds_of_events() => Check<EventKind>(
        "GoalSubmitted=1 PlanEdited=2 TaskAdded=3 TaskRemoved=4 TaskRewired=5 TaskPrioritised=6 TaskUnblocked=7 TaskBlocked=8 TaskDoomed=9 TaskClaimed=10 "
        + "TaskCompleted=11 TaskRetried=12 TaskDied=13 TaskExpired=14 TaskSuspended=15 TaskCancelled=16 TaskRedriven=17 "
        + "GoalCompleted=20 GoalFailed=21 GoalCancelled=22 GoalReopened=23 TaskSkipped=30 TaskReplaced=31 TaskExtended=32 GoalPaused=40 GoalResumed=41 "
        + "TaskReleased=50 EffectIntended=51 EffectSettled=52 EffectLost=53 TaskFixed=54 PredecessorEnded=60 GoalDelegated=61 GoalReleased=62 GoalDiscarded=63 ApprovalVoted=64");

    [Fact]
    public void The_id_of_a_goal_that_a_task_submits() => Assert.Equal(
        "0198c5d7-1234-7abc-a7d4-a13cf99aa02c", Delegation.GoalOf(new TaskId(new Guid("0198c5d7-1234-7abc-8def-0123456789ab")), "#1").ToString());

    /// <summary>It stands in a goal's row: a submission that is repeated after an update is still the same.</summary>
    [Fact]
    public void The_digest_of_a_submission()
    {
        var world = World.With();
        var submitted = world.Node.Ask(node => node.SubmitAsync(world.Caller, new GoalRequest
        {
            Agent = "ada", Title = "Größe 🛰", Input = "{}"u8.ToArray(), Priority = -7, DeadTaskPolicy = DeadTaskPolicy.Wait,
            Plan =
            [
                new GraphEdit.Add(new TaskSpec { Name = "fetch", Executor = "agent:ada", Kind = "fetch", Input = Encoding.UTF8.GetBytes($"\"{new string('x', 1_000)}\"") }, []),
                new GraphEdit.Add(new TaskSpec { Name = "count", Executor = "agent:ada", Kind = "count" }, [new NamedDependency("fetch", DependencyKind.Outcome, "much")]),
                new GraphEdit.Add(new TaskSpec { Name = "tell", Executor = "agent:ada", Kind = "tell" }, [new NamedDependency("count", DependencyKind.Ended)]),
            ],
        }));
        Assert.Equal(3527937038980431277UL, submitted.Value.RequestDigest);
    }

    [Fact]
    public void What_limits_are_about() => Check<LimitScope>("Tenant=1 Agent=2 Tool=3 Queue=4");

    [Fact]
    public void The_policies_for_missed_times() => Check<MisfirePolicy>("Skip=1 Once=2 All=3");

    [Fact]
    public void The_number_of_shards_is_inside_every_id() => Assert.Equal(4096, ShardId.Count);

    [Fact]
    public void An_id_carries_its_shard_where_it_always_did() =>
        Assert.Equal(0xabc, ShardId.OfId(new Guid("0198c5d7-1234-7abc-8def-0123456789ab")).Value);

    [Theory]
    [InlineData("", 2084)]
    [InlineData("order-17", 1778)]
    [InlineData("Größe 🛰", 1226)]
    public void A_name_lives_on_the_shard_it_always_did(string name, int shard) =>
        Assert.Equal(shard, ShardId.OfName(new TenantId(new Guid("00000000-0000-0000-0000-000000000007")), name).Value);

    private static void Check<T>(string expected)
        where T : struct, Enum =>
        Assert.Equal(expected, string.Join(' ', Enum.GetValues<T>().Select(value => $"{value}={Convert.ToInt64(value)}")));
}
