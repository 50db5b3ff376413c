using System.Text.Json;
using Astra.Sdk;
using Astra.Tests.Api;

namespace Astra.Tests.Agents;

public sealed class AgentRunnerTests
{
    [Fact]
    public async Task A_plan_becomes_steps_and_a_reflection_behind_the_last_of_them()
    {
        var edits = (await CompleteAsync(AgentRunner.PlanKind, new TestAgent("a")
        {
            OnPlan = _ =>
            {
                var plan = new Plan();
                var fetch = plan.Step("fetch", "get", 7, options: new StepOptions { Priority = 3, AttemptCountMax = 5, Lease = TimeSpan.FromSeconds(9) });
                plan.Tool("count", "shell@1", new { command = "wc" }, [fetch.Completed]);
                plan.Step("look", "see", after: [fetch.Ended]);
                return plan;
            },
        })).Edits.Cast<AddStep>().ToDictionary(step => step.Name);
        Assert.Equal(("agent:a", "get", 3, 5, 9.0), (edits["fetch"].Executor, edits["fetch"].Kind, edits["fetch"].Priority, edits["fetch"].AttemptCountMax, edits["fetch"].LeaseSeconds));
        Assert.Equal("tool:shell@1", edits["count"].Executor);
        Assert.Equal(new StepDependency("fetch", true), Assert.Single(edits["count"].After));
        Assert.Equal(new StepDependency("fetch", false), Assert.Single(edits["look"].After));
        Assert.Equal([new StepDependency("count", false), new StepDependency("look", false), new StepDependency("step", true)], edits["reflect"].After);
        Assert.Equal(AgentRunner.ReflectKind, edits["reflect"].Kind);
    }

    [Fact]
    public async Task Steps_that_a_step_adds_are_waited_for_by_the_reflection()
    {
        var report = await CompleteAsync("spread", new TestAgent("a")
        {
            OnStep = (_, _) =>
            {
                var more = new Plan();
                var first = more.Step("x", "x");
                more.Step("y", "y", after: [first.Completed]);
                return Task.FromResult(StepResult.Done("out", more));
            },
        });
        Assert.Equal("out", report.Output.GetString());
        Assert.Equal(["x", "y"], report.Edits.OfType<AddStep>().Select(step => step.Name));
        Assert.Equal(new StepDependency("y", false), Assert.Single(Assert.Single(report.Edits.OfType<ReflectAfter>()).After));
    }

    [Theory]
    [InlineData("reflect", "x")]
    [InlineData("reflect-2", "x")]
    [InlineData("plan", "x")]
    [InlineData("fine", "$plan")]
    public async Task A_plan_that_takes_the_systems_names_is_never_tried_again(string name, string kind)
    {
        var failed = await FailAsync(AgentRunner.PlanKind, new TestAgent("a")
        {
            OnPlan = _ =>
            {
                var plan = new Plan();
                plan.Step(name, kind);
                return plan;
            },
        });
        Assert.Equal(FailureKind.Permanent, failed.Kind);
    }

    [Fact]
    public async Task The_kind_of_a_failure_follows_from_what_was_thrown()
    {
        Assert.Equal(FailureKind.Permanent, (await ThrowAsync(new PermanentFailureException("no"))).Kind);
        Assert.Equal(FailureKind.Permanent, (await ThrowAsync(new ToolRefusedException("no"))).Kind);
        Assert.Equal(FailureKind.Transient, (await ThrowAsync(new IOException("disk"))).Kind);
        Assert.Equal(FailureKind.Transient, (await ThrowAsync(new OperationCanceledException("of its own"))).Kind);
        Assert.Equal("first line", (await ThrowAsync(new IOException("first line\nsecond line"))).Reason);
    }

    [Fact]
    public async Task A_revoked_attempt_reports_nothing()
    {
        using var revoked = new CancellationTokenSource();
        var agent = new TestAgent("a")
        {
            OnStep = async (_, ct) =>
            {
                await revoked.CancelAsync();
                ct.ThrowIfCancellationRequested();
                return StepResult.Done();
            },
        };
        Assert.IsType<TaskReport.Dropped>(await RunAsync("x", agent, revoked: revoked.Token));
    }

    [Fact]
    public async Task Dice_ids_and_clock_are_the_same_when_an_attempt_is_replayed()
    {
        var seen = new List<(int Dice, Guid Id, Guid Next, DateTimeOffset Now)>();
        var agent = new TestAgent("a")
        {
            OnStep = (turn, _) =>
            {
                seen.Add((turn.Random.Next(), turn.NewId(), turn.NewId(), turn.Clock.GetUtcNow()));
                return Task.FromResult(StepResult.Done());
            },
        };
        await RunAsync("x", agent);
        await RunAsync("x", agent);
        await RunAsync("x", agent, attempt: 2);
        Assert.Equal(seen[0].Dice, seen[1].Dice);
        Assert.NotEqual(seen[0].Dice, seen[2].Dice);
        Assert.Equal((seen[0].Id, seen[0].Next), (seen[2].Id, seen[2].Next));
        Assert.NotEqual(seen[0].Id, seen[0].Next);
        Assert.All(seen, one => Assert.InRange(one.Now, Now, Now.AddMinutes(1)));
    }

    [Theory]
    [InlineData("npm/left-pad@1.3.0 exited with 3", "npm/right-pad@2.0.0 exited with 17")]
    [InlineData("Could not find file '/tmp/a'.", "Could not find file '/var/x y z'.")]
    [InlineData("task 019aa000-0000-7000-8000-000000000000 is gone", "task 019bb000-0000-7000-8000-000000000001 is gone")]
    public void Failures_with_one_cause_have_one_fingerprint(string one, string other) =>
        Assert.Equal(FailureCause.Fingerprint(new IOException(one)), FailureCause.Fingerprint(new IOException(other)));

    [Fact]
    public void Failures_with_different_causes_do_not()
    {
        Assert.NotEqual(FailureCause.Fingerprint(new IOException("disk full")), FailureCause.Fingerprint(new IOException("connection reset")));
        Assert.NotEqual(FailureCause.Fingerprint(new IOException("x")), FailureCause.Fingerprint(new TimeoutException("x")));
        Assert.Contains("don't", FailureCause.Fingerprint(new IOException("we don't know what isn't there")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, FailureKind.Transient)]
    [InlineData(false, FailureKind.Permanent)]
    public async Task An_effect_that_nobody_could_write_down_is_tried_again_and_one_that_is_refused_for_good_is_not(bool isPassing, FailureKind expected) =>
        Assert.Equal(expected, (await ThrowAsync(new EffectRefusedException("The ledger is away.", isPassing))).Kind);

    private static readonly DateTimeOffset Now = new(2030, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private static async Task<TaskReport.Completed> CompleteAsync(string kind, Agent agent) => Assert.IsType<TaskReport.Completed>(await RunAsync(kind, agent));

    private static async Task<TaskReport.Failed> FailAsync(string kind, Agent agent) => Assert.IsType<TaskReport.Failed>(await RunAsync(kind, agent));

    private static Task<TaskReport.Failed> ThrowAsync(Exception exception) => FailAsync("x", new TestAgent("a") { OnStep = (_, _) => throw exception });

    private static async Task<TaskReport> RunAsync(string kind, Agent agent, int attempt = 1, CancellationToken? revoked = null) =>
        await new AgentRunner([agent]).RunAsync(
            new TaskAssignment
            {
                TaskId = new Guid("019aa000-0000-7000-8000-000000000000"), GoalId = Guid.NewGuid(), Attempt = attempt, Name = "step", Executor = "agent:a", Kind = kind,
                Input = AstraJson.ToElement(null), GoalInput = AstraJson.ToElement(null), Dependencies = [], LeaseSeconds = 30, Now = Now,
            },
            null!, null!, null!, _ => { }, revoked ?? TestContext.Current.CancellationToken);
}
