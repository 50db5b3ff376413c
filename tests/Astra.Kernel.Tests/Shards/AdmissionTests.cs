using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Shards;

public sealed class AdmissionTests
{
    [Fact]
    public void A_tenant_at_its_limit_of_active_goals_is_told_so_and_when_to_come_back()
    {
        var world = World.With(limits: new KernelLimits { ActiveGoalsPerTenantMax = 2 });
        var first = world.Submit("a");
        world.Submit("b");
        var refusal = world.Node.Refused(node => node.SubmitAsync(world.Caller, World.Request("c")));
        Assert.Equal((RefusalKind.Overloaded, TimeSpan.FromSeconds(5)), (refusal.Kind, refusal.RetryAfter!.Value));
        Assert.Equal("The tenant has 2 active goals (limit 2). Wait for some to end, or cancel some.", refusal.Reason);

        world.Cancel(first);
        world.Submit("c");
        var other = new Caller(new TenantId(new Guid(8, 8, 8, new byte[8])), "bob");
        Assert.True(world.Node.Ask(node => node.SubmitAsync(other, World.Request("d"))).IsOk);
    }

    [Fact]
    public void The_active_goals_are_counted_right_across_refusals_redrives_and_crashes()
    {
        var world = World.With();
        var worker = world.Worker();
        var goal = world.Submit("a");
        world.Submit("x");
        world.Node.Refused(node => node.SubmitAsync(world.Caller, World.Request("a after a")));
        worker.Fail("a");
        Assert.Equal(1, Active());
        world.Redrive(goal, "a");
        Assert.Equal(2, Active());
        world.Node.Journal.LosesNextReply = true;
        worker.Complete("a");
        world.Advance(seconds: 2);
        Assert.Equal(1, Active());
        world.Node.Restart();
        Assert.Equal(1, Active());

        int Active() => world.Node.Do(node => node.SummariseAsync()).GoalsActive;
    }

    [Fact]
    public void When_the_rows_fall_behind_submissions_are_pushed_back()
    {
        var world = World.With(limits: new KernelLimits { ProjectionBacklogMax = 10 });
        world.Node.Rows.IsDown = true;
        for (var i = 0; i < 3; i++)
            world.Submit("a", "b");
        var refusal = world.Node.Refused(node => node.SubmitAsync(world.Caller, World.Request("c")));
        Assert.Equal(RefusalKind.Overloaded, refusal.Kind);
        Assert.Contains("wait to be shown in the tables (limit 10)", refusal.Reason, StringComparison.Ordinal);
        world.Node.Rows.IsDown = false;
        world.Advance(seconds: 1);
        world.Submit("c");
        world.Advance(seconds: 1);
        Assert.Equal(0, world.Node.Do(node => node.SummariseAsync()).Backlog);
    }

    [Theory]
    [InlineData(101, "A priority is between -100 and 100, and 101 is not.")]
    [InlineData(-101, "A priority is between -100 and 100, and -101 is not.")]
    public void A_priority_out_of_range_is_refused(int priority, string reason)
    {
        var world = World.With();
        Assert.Equal(reason, world.Node.Refused(node => node.SubmitAsync(world.Caller, World.Request("a") with { Priority = priority })).Reason);
    }

    [Fact]
    public void Every_limit_is_a_refusal_that_names_it()
    {
        var world = World.With(limits: new KernelLimits { GoalTasksMax = 3, TaskDependenciesMax = 1, PayloadBytesMax = 8, EditsPerRequestMax = 4, NameLengthMax = 12 });
        Check("A goal has at most 3 tasks.", "a", "b", "c", "d");
        Check("A step waits for at most 1 others, and c for 2.", "a", "b", "c after a b");
        Check("A request takes at most 4 edits, and this one has 5. Split it.", "a", "b", "c", "d", "e");
        Check("A step's name has 1 to 12 characters.", "a-name-that-is-too-long");
        CheckSpec("The input of step a has 9 bytes; 8 is the limit. Larger things are artifacts.", spec => spec with { Input = new byte[9] });
        CheckSpec("A step has 1 to 100 attempts; a has 0.", spec => spec with { AttemptCountMax = 0 });
        CheckSpec("A lease lasts one second to one hour; that of step a does not.", spec => spec with { LeaseDuration = TimeSpan.Zero });

        var worker = world.Worker();
        world.Submit("a");
        Assert.Contains("The output of a has 9 bytes; 8 is the limit.", world.Node.Do(_ => worker.Link.CompleteAsync(TestWorker.Attempt(worker["a"]), new byte[9], [])).Refusal!.Reason, StringComparison.Ordinal);

        void Check(string reason, params string[] steps) =>
            Assert.Equal(reason, world.Node.Refused(node => node.SubmitAsync(world.Caller, World.Request(steps))).Reason);

        void CheckSpec(string reason, Func<TaskSpec, TaskSpec> with) =>
            Assert.Equal(reason, world.Node.Refused(node => node.SubmitAsync(world.Caller, World.Request() with { Plan = [Steps.Add("a", with)] })).Reason);
    }
}
