using Astra.Kernel.Actors;
using Astra.Kernel.Agents;
using Astra.Kernel.Controls;
using Astra.Kernel.Journal;
using Astra.Kernel.Metrics;
using Astra.Kernel.Projecting;
using Astra.Kernel.Scheduling;
using Astra.Kernel.Shards;
using Astra.Kernel.Tasks;
using Astra.Kernel.Timers;
using Astra.Kernel.Workers;

namespace Astra.Kernel;

/// <summary>The actors at the top of a node: how they are wired, how they stand to each other, and what becomes of the
/// node when one of them cannot be mended.</summary>
internal sealed class NodeActors
{
    // The actors every shard talks to. What they are sent is bounded by what exists: shards, tasks, slots.
    private const int MailboxCapacityMax = 1 << 20;

    // Below the patience of the node that asks for it over the bus.
    private static readonly TimeSpan LookTimeout = TimeSpan.FromSeconds(3);

    private int _isUnfit;

    /// <summary>
    /// Spawned in this order: the journal writer, the projector, the scheduler, the shards, who watches goals for them, what
    /// saves the states of agents, the agents, and those who mind limits, schedules and the calendar. Each knows things that
    /// those after it have told it and will not tell again, so that when one is replaced, those after it begin anew too: the
    /// shards are read from the database under new epochs, offer what is ready, and announce what is not projected.
    /// </summary>
    /// <param name="fire">Submits the goal of a schedule, under a key or without one.</param>
    public NodeActors(KernelPorts ports, KernelLimits limits, NodeRegistration self, Func<Schedule, string?, ValueTask<Answer<GoalRow>>> fire)
    {
        var metrics = new KernelMetrics();
        (Notices, Projected) = (new KernelNotices(metrics), new ProjectionProgress(ports.Clock));
        var writer = new JournalWriter(ports.Journal, limits, ports.Clock, metrics, Commits);
        Parts = new NodeParts
        {
            Clock = ports.Clock, Randomness = ports.Randomness, Ids = ports.Ids, Limits = limits, VotesNeeded = ports.VotesNeeded, Self = self, Writer = writer,
            Events = new EventHub(), Ownership = new NodeOwnership(ports.Clock), Load = new NodeLoad(ports.Clock),
            Messages = new MessageDesk(ports.Dispatcher, limits),
            Metrics = metrics, Roster = new WorkerRoster(), AgentGoals = new AgentGoalRates(ports.Clock, limits),
        };
        System = new ActorSystem(ports.Dispatcher, ports.Clock, ports.Randomness, new ActorSystemOptions
        {
            TopLevel = new SupervisionPolicy(RestartStrategy.RestForOne), Observe = Observe, StopRefusal = WhyNotStop,
        });
        System.Operator.Commanded = (path, command, by) => Notices.Publish(new KernelNotice.ActorCommanded(path, command, by));
        var line = new BusLine(ports.Bus, ports.Dispatcher);
        Door = new ShardDoor(Map, self.Node, line, ports.Dispatcher);
        Lookup = new GoalLookup(Door, ports.Projection);
        Messages = new MessageService(Parts.Messages, ports.Dispatcher, ports.Clock);

        writer.Attach(Spawn("journal-writer", () => writer));
        Parts.Projector = Spawn("projector", () => new Projector(ports.Projection, limits, Notices, Projected));
        Parts.Scheduler = Spawn("scheduler", () => new Scheduler(ports.Clock, limits, Door, Parts.Load, Parts.Roster, metrics, () => Map.WorkingNodes));
        Parts.Region = Spawn("shards", () => new ShardRegion(Parts, Map, ports.Leases, ports.Journal, ports.Projection, Notices), ShardRegion.ShardSupervision);
        Parts.GoalWatch = Spawn("goal-watch", () => new GoalWatch(Lookup, Door));
        var saver = new AgentSaver(ports.Agents, limits);
        saver.Attach(Spawn("agent-states", () => saver));
        var route = new MessageRoute(Parts, Map, new WorkerSearch(Map, self.Node, line, ports), line, ports.Dispatcher);
        Parts.Agents = Spawn("agents", () => new AgentRegion(new AgentParts(Parts, Map, ports.Agents, saver, route)), AgentRegion.AgentSupervision);
        Controls = Spawn("controls", () => new ControlsKeeper(ports.Controls, Parts.Scheduler, limits, Notices));
        Door.ControlsChanged = () => Controls.TrySend(ReadControls.Instance);
        Door.LooksAtLeases = LookAtLeasesAsync;
        var schedules = Spawn("schedules", () => new ScheduleRunner(ports.Schedules, Map, Parts.Ownership, ports.Clock, Notices, fire));
        Spawn("calendar", () => new CalendarWatch(ports.Clock, Map, [Parts.Scheduler, schedules]));
    }

    public ActorSystem System { get; }
    public NodeParts Parts { get; }

    /// <summary>Where the shards are: here, or with which other node.</summary>
    public ShardMap Map { get; } = new();

    public ShardDoor Door { get; }
    public GoalLookup Lookup { get; }

    /// <summary>Answers other nodes that bring messages for the workers of this one.</summary>
    public MessageService Messages { get; }

    public ActorRef Controls { get; }
    public KernelNotices Notices { get; }
    public CommitFeed Commits { get; } = new();
    public ProjectionProgress Projected { get; }

    /// <summary>Ends when this node has looked, or is too busy to.</summary>
    public async ValueTask LookAtLeasesAsync()
    {
        try
        {
            await Parts.Region.AskAsync<LeasesSeen>(LookAtLeases.Instance, LookTimeout);
        }
        catch (Exception e) when (e is AskTimeoutException or ActorStoppedException or MessageFailedException)
        {
            // It looks again by itself.
        }
    }

    private ActorRef Spawn(string name, Func<Actor> create, SupervisionPolicy? children = null) => System.Spawn(new ActorOptions
    {
        Name = name, Create = create, MailboxCapacityMax = MailboxCapacityMax, Children = children ?? SupervisionPolicy.Default,
    });

    private static string? WhyNotStop(string path) => path switch
    {
        "/journal-writer" or "/projector" or "/scheduler" or "/shards" => "this node does nothing without it; restart it, or stop the server.",
        _ when path.StartsWith("/shards/", StringComparison.Ordinal) => "it owns goals, and its region keeps it; restart it instead.",
        _ => null,
    };

    private void Observe(LifecycleEvent happened)
    {
        switch (happened)
        {
            case ActorStarted { Incarnation: > 1 }:
                Parts.Metrics.ActorRestarted();
                break;
            case ActorFailed:
                Parts.Metrics.ActorFailed();
                break;
            case NodeFailed failed:
                GiveUp(failed);
                break;
        }
    }

    // Nothing is promised any more: what is asked from here on is refused, as on a node that stops.
    private void GiveUp(NodeFailed failed)
    {
        if (Interlocked.Exchange(ref _isUnfit, 1) == 1)
            return;
        Parts.Ownership.End();
        Notices.Publish(new KernelNotice.NodeFailed(failed.Actor.ToString() ?? "", failed.Why.Message));
    }
}
