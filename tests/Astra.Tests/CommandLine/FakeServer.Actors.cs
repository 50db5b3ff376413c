using Astra.Sdk;

namespace Astra.Tests.CommandLine;

// The node from the inside: actors, vitals, status.
public sealed partial class FakeServer
{
    public Task<ActorTreeView> GetActorsAsync(string under = "/", int depth = 2, int limit = 20, string? node = null, CancellationToken cancellationToken = default) =>
        Called($"actors {under} {depth} {limit} {node}", new ActorTreeView(node ?? "node-1", Actors));

    public Task<ActorView> RestartActorAsync(string path, string? node = null, CancellationToken cancellationToken = default) =>
        Called($"restart {path} {node}", Actors with { Path = path });

    public Task<ActorView> StopActorAsync(string path, string? node = null, CancellationToken cancellationToken = default)
    {
        Calls.Add($"stop {path} {node}");
        return path == "/scheduler" ? throw new AstraException(409, "Conflict", "/scheduler cannot be stopped: this node does nothing without it.") : Task.FromResult(Actors with { Path = path });
    }

    public Task<VitalsView> GetVitalsAsync(string? node = null, CancellationToken cancellationToken = default) => Task.FromResult(Vitals(VitalsAsked++));

    public ActorView Actors { get; set; } = NewActor("/");
    public int VitalsAsked { get; private set; }

    /// <summary>Answers the n-th question for vitals, from 0.</summary>
    public Func<int, VitalsView> Vitals { get; set; } = NewVitals;

    public static ActorView NewActor(string path) => new()
    {
        Path = path, State = "running", MailboxDepth = 0, MailboxCapacity = 1024, Processed = 0, Restarts = 0, ChildCount = 0, Children = [],
    };

    /// <summary>Ten of everything a second.</summary>
    public static VitalsView NewVitals(int second) => new()
    {
        NodeId = "node-1", Version = "0.1.0", StartedAt = DateTimeOffset.UnixEpoch, ClockSeconds = 100 + second,
        Counters = new VitalCounters(10 * second, 10 * second, 10 * second, 10 * second, 0, 0, 0, 10 * second, 40 * second, 0.02 * second),
        GoalsActive = 3, TasksReady = 1_234, TasksRunning = 8, TasksNotDue = 0, TasksWithoutWorker = 0, ShardsOwned = 4096, NodesAlive = 1, ProjectionBacklog = 0, ProjectionLagSeconds = 0.12,
        DeadLettersLastHour = 5, ResidentBytes = 100 << 20, Tenants = [new TenantVitals(Guid.Empty, 1_200, 8), new TenantVitals(null, 34, 0)], WorkersConnected = 1, Slots = 8, SlotsTaken = 8,
        Workers = [new WorkerVitals("worker-1", 8, 8)], Actors = new ActorTotalsView(4_100, 0, 7, 100_000, 0), MailboxDepthMax = 7, ActorDeadLetters = 0,
        BusiestActors = [NewActor("/scheduler") with { Processed = 1_000 + (50 * second) }, NewActor("/shards/shard-3") with { MailboxDepth = 7, Processed = 20 }],
    };

    public Task<StatusView> GetStatusAsync(CancellationToken cancellationToken = default) => Task.FromResult(new StatusView
    {
        Version = "0.1.0", NodeId = "node-1", StartedAt = DateTimeOffset.UnixEpoch, Database = "private", ShardsOwned = 4096, ShardsTotal = 4096,
        Nodes = [], GoalsActive = 0, TasksReady = 0, TasksRunning = 0, WorkersConnected = 0, SandboxTier = "bubblewrap", ResidentBytes = 100 << 20,
    });
}
