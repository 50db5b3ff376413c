using Astra.Kernel.InMemory;
using Astra.Kernel.Tasks;
using Astra.Kernel.Workers;
using Xunit;

namespace Astra.Kernel.Tests.Goals;

public sealed class GoalTests
{
    [Fact]
    public async Task A_goal_whose_tasks_complete_is_completed()
    {
        var clock = new SystemClock();
        var store = new InMemoryStore(clock, TimeSpan.FromSeconds(9));
        using var dispatcher = new ThreadPoolDispatcher();
        var randomness = new SystemRandomness();
        await using var node = new KernelNode(
            new KernelPorts(clock, randomness, new IdSource(clock, randomness), dispatcher, store.Journal, store.Projection, store.Leases),
            new KernelLimits(), new NodeRegistration(new NodeId("a"), "http://localhost", Guid.NewGuid()));
        await node.StartAsync();
        var worker = new Echo();
        worker.Link = node.Connect(new WorkerOffer("echo", null, ["echo"], 4, IsInProcess: true), worker);
        var tenant = new TenantId(Guid.NewGuid());
        GraphEdit Add(string name, params string[] after) => new GraphEdit.Add(new TaskSpec { Name = name, Executor = "echo" }, [.. after.Select(a => new NamedDependency(a, DependencyKind.Completed))]);
        var goal = await node.SubmitAsync(new Caller(tenant, "me"), new GoalRequest { Title = "t", Plan = [Add("d", "b", "c"), Add("a"), Add("b", "a"), Add("c", "a")] });
        Assert.True(goal.IsOk, goal.Refusal?.Reason);
        for (var i = 0; i < 500; i++)
        {
            var row = await node.GetGoalAsync(tenant, goal.Value.Id);
            if (row.Value.State != GoalState.Active) { Assert.Equal(GoalState.Completed, row.Value.State); break; }
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }
        var list = await node.ListGoalsAsync(tenant, null, null, null, 10);
        Assert.Equal(GoalState.Completed, Assert.Single(list.Value).State);
        var why = await node.WhyAsync(tenant, goal.Value.Id.Value);
        Assert.Equal("The goal is completed.", why.Value.Sentence);
    }

    private sealed class Echo : IWorker
    {
        public WorkerLink? Link;
        public void Assign(Assignment assignment) => _ = Link!.CompleteAsync(new AttemptId(assignment.Task, assignment.Attempt), assignment.Spec.Input, []).AsTask();
        public void Revoke(TaskId task, int attempt, string reason) { }
    }
}
