using Astra.Kernel.Tests.Simulation;
using Astra.Kernel.Workers;

namespace Astra.Kernel.Tests.Scheduling;

/// <summary>Tenants with tasks of a known length, and a worker that takes just that long.</summary>
internal sealed class ServedWorld : IWorker
{
    private readonly Func<int, TimeSpan> _lengthOf;
    private readonly WorkerLink _link;
    private readonly Dictionary<GoalId, TimeSpan> _waitingGoals = [];
    private readonly HashSet<GoalId> _startedGoals = [];
    private readonly Dictionary<int, int> _served = [];
    private readonly Dictionary<string, int> _servedByAgent = new(StringComparer.Ordinal);
    private int _quietServed;

    public ServedWorld(int slots, Func<int, TimeSpan> lengthOf)
    {
        _lengthOf = lengthOf;
        World = World.With();
        _link = World.Node.Kernel.Connect(new WorkerOffer("served", null, [Steps.Executor], slots), this);
        World.RunUntilQuiet();
    }

    public World World { get; }

    /// <summary>Of a tenant that submitted a single task.</summary>
    public TimeSpan WorstWait { get; private set; }

    public static TenantId Tenant(int number) => new(new Guid(number, 5, 5, new byte[8]));

    public int ServedOf(int tenant) => _served.GetValueOrDefault(tenant);

    public int ServedOf(string agent) => _servedByAgent.GetValueOrDefault(agent);

    public void Submit(int tenant, int count, string? agent = null)
    {
        var since = World.Virtual.Clock.Elapsed;
        var request = World.Request([.. Enumerable.Range(0, count).Select(number => $"t{number}")]) with { Agent = agent };
        var pending = World.Node.Begin(node => node.SubmitAsync(new Caller(Tenant(tenant), "ada"), request));
        if (count > 1)
            return;
        var goal = pending.Answer.Value.Id;
        // It may have been handed out in the very turn that made it.
        if (!_startedGoals.Remove(goal))
            _waitingGoals[goal] = since;
        else
            _quietServed++;
    }

    public void Run(TimeSpan duration) => World.Virtual.Advance(duration);

    public void RunUntilServed(int quiet)
    {
        while (_quietServed < quiet && World.Virtual.Clock.Elapsed < TimeSpan.FromMinutes(10))
            World.Virtual.Advance(TimeSpan.FromMilliseconds(1));
    }

    public void Assign(Assignment assignment)
    {
        var tenant = assignment.Tenant.Value.ToByteArray()[0];
        _served[tenant] = ServedOf(tenant) + 1;
        if (assignment.Agent is { } agent)
            _servedByAgent[agent] = ServedOf(agent) + 1;
        if (_waitingGoals.Remove(assignment.Goal, out var since))
        {
            _quietServed++;
            var waited = World.Virtual.Clock.Elapsed - since;
            WorstWait = waited > WorstWait ? waited : WorstWait;
        }
        else
            _startedGoals.Add(assignment.Goal);
        World.Node.Process.Schedule(_lengthOf(tenant), () => World.Node.Process.Post(() => _ = _link.CompleteAsync(TestWorker.Attempt(assignment), TestWorker.Output(assignment), []).AsTask()));
    }

    public void Revoke(TaskId task, int attempt, string reason)
    {
    }
}
