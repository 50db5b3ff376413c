using Astra.Kernel.Controls;
using Astra.Kernel.InMemory;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Kernel.Workers;
using Astra.Simulation;
using Astra.Testing.Time;
using Xunit;

namespace Astra.Kernel.Tests.Simulation;

/// <summary>
/// A small world for the kernel's tests: nodes in virtual time over one store, with a few shards and no luck involved.
/// Nothing sleeps: time moves when a test says so, or while it waits for an answer.
/// </summary>
internal sealed class World
{
    private const int ShardCount = 4;

    public static readonly TimeSpan ShardLease = TimeSpan.FromSeconds(9);

    private World(int nodes, KernelLimits limits, int shards)
    {
        Limits = limits;
        Store = new InMemoryStore(Virtual.Clock, ShardLease, FewShards.Of(shards));
        Nodes = [.. Enumerable.Range(1, nodes).Select(number => new TestNode(this, $"node-{number}"))];
    }

    public static World With(int nodes = 1, KernelLimits? limits = null, int shards = ShardCount)
    {
        var world = new World(nodes, limits ?? new KernelLimits(), shards);
        foreach (var node in world.Nodes)
            node.Start();
        // A node that was alone gives up what is too much with its next renewals.
        if (nodes > 1)
            world.Advance(seconds: 10);
        return world;
    }

    public VirtualWorld Virtual { get; } = new();
    public SeededRandomness Dice { get; } = new(1);
    public KernelLimits Limits { get; }
    public InMemoryStore Store { get; }
    public HeardBus Bus { get; } = new();
    public IReadOnlyList<TestNode> Nodes { get; }
    public TestNode Node => Nodes[0];
    public TenantId Tenant { get; } = new(new Guid(7, 7, 7, new byte[8]));
    public Caller Caller => new(Tenant, "ada");
    public DateTimeOffset Now => Virtual.Clock.UtcNow;

    public static IReadOnlyList<ShardId> Shards => FewShards.Of(ShardCount);

    public void Advance(double seconds) => Virtual.Advance(TimeSpan.FromSeconds(seconds));

    public void RunUntilQuiet() => Virtual.RunUntilQuiet();

    // ---- Verbs on the first node ----------------------------------------------------------------------------------

    public TestWorker Worker(int slots = 8, TenantId? tenant = null, bool isInProcess = false, params string[] executors) =>
        Node.Worker(slots, tenant, isInProcess, executors);

    /// <summary>Submits a goal whose steps are written as in <see cref="Steps"/>.</summary>
    public GoalId Submit(params string[] steps) => Submit(DeadTaskPolicy.Doom, steps);

    public GoalId Submit(DeadTaskPolicy policy, params string[] steps) =>
        Node.Ask(node => node.SubmitAsync(Caller, Request(steps) with { DeadTaskPolicy = policy })).Value.Id;

    public static GoalRequest Request(params string[] steps) => new() { Title = "A goal", Plan = Steps.Of(steps) };

    /// <summary>Submits one task, made as the test wants it.</summary>
    public GoalId Submit(string step, Func<TaskSpec, TaskSpec> with, string? agent = null, TenantId? tenant = null) => Node.Ask(node => node.SubmitAsync(
        new Caller(tenant ?? Tenant, "ada"), Request() with { Agent = agent, Plan = [Steps.Add(step, with)] })).Value.Id;

    public TenantControls Set(LimitScope scope, string name, int? concurrency = null, int? perSecond = null, int? perMinute = null) =>
        Change(new ControlChange.SetLimit(new Limit(scope, name, concurrency, perSecond, perMinute)));

    public TenantControls Change(ControlChange change, TenantId? tenant = null) => Node.Ask(node => node.ChangeControlsAsync(tenant ?? Tenant, change)).Value;

    public GoalRow Goal(GoalId goal) => Node.Ask(node => node.GetGoalAsync(Tenant, goal)).Value;

    public GoalSnapshot Plan(GoalId goal) => Node.Ask(node => node.GetPlanAsync(Tenant, goal)).Value;

    public TaskRow Task(GoalId goal, string name) => Plan(goal).Tasks.Single(task => task.Spec.Name == name);

    public TaskState State(GoalId goal, string name) => Task(goal, name).State;

    public Answer<GoalSnapshot> Edit(GoalId goal, params GraphEdit[] edits) =>
        Node.Ask(node => node.EditPlanAsync(Caller, goal, null, edits, "a test"));

    public Answer<TaskRow> Redrive(GoalId goal, string name) => On(Task(goal, name).Id, (node, task) => node.RedriveAsync(Caller, task));

    public Answer<TaskRow> Discard(GoalId goal, string name) => On(Task(goal, name).Id, (node, task) => node.DiscardAsync(Caller, task, "not needed"));

    public Answer<GoalRow> Cancel(GoalId goal) => Node.Ask(node => node.CancelGoalAsync(Caller, goal, "changed my mind"));

    public string Why(GoalId goal) => Node.Ask(node => node.WhyAsync(Tenant, goal.Value)).Value.Sentence;

    public string Why(GoalId goal, string name) => On(Task(goal, name).Id, (node, task) => node.WhyAsync(Tenant, task.Value)).Value.Sentence;

    private Answer<T> On<T>(TaskId task, Func<KernelNode, TaskId, ValueTask<Answer<T>>> ask) => Node.Ask(node => ask(node, task));

    public IReadOnlyList<JournalEntry> Events(GoalId goal) => Node.Ask(node => node.ReadEventsAsync(Tenant, goal, 0, int.MaxValue)).Value;

    /// <summary>How often a kind of event stands in a goal's history.</summary>
    public int CountOf(GoalId goal, EventKind kind) => Events(goal).Count(entry => entry.Kind == kind);

    public void AssertStates(GoalId goal, string expected) =>
        Assert.Equal(expected, string.Join(", ", Plan(goal).Tasks.OrderBy(task => task.Spec.Name, StringComparer.Ordinal).Select(task => $"{task.Spec.Name} {task.State}")));

    /// <summary>An idempotency key decides its shard, and only a few are open here.</summary>
    public string Key(string prefix) => Enumerable.Range(0, int.MaxValue).Select(number => $"{prefix}-{number}")
        .First(key => FewShards.Contains(ShardCount, ShardId.OfName(Tenant, key)));
}
