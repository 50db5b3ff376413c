using Astra.Kernel;
using Astra.Kernel.InMemory;
using Astra.Kernel.Tasks;
using Astra.Testing.Time;

namespace Astra.Simulation;

/// <param name="Finding">The invariant that did not hold, or null.</param>
/// <param name="Fingerprint">The same for two runs of one seed.</param>
/// <param name="BusAnswerCount">Questions of one node that another answered.</param>
public sealed record SimulationReport(SimulationOptions Options, string? Finding, ulong Fingerprint, long StepCount, int EntryCount, int GoalCount, TimeSpan Simulated,
    long BusAnswerCount)
{
    public required FaultCounts Faults { get; init; }
    public required Coverage Coverage { get; init; }
}

/// <summary>
/// One world from one seed: nodes with the real kernel on one thread and in virtual time, sharing a store, with clients
/// and workers. First everything goes wrong that the options allow; then nothing does, and everything accepted must end.
/// </summary>
public sealed class SimulationRun
{
    // Retries, leases and patience are seconds; what has not ended after this never will.
    private static readonly TimeSpan LivenessMax = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan Slice = TimeSpan.FromSeconds(1);

    // Shards may have just changed hands, and the rows of each wait for its new owner.
    private static readonly TimeSpan CatchUpMax = TimeSpan.FromSeconds(20);

    // A clock that somebody has set wrong; also what is waited for at most because of it.
    private static readonly TimeSpan ClockErrorMax = TimeSpan.FromSeconds(8);

    private SimulationRun(SimulationOptions options, Action<string>? write, StoreTrace? recording)
    {
        Recording = recording;
        Options = options;
        Dice = new SeededRandomness(options.Seed ^ 0x5EED);
        World = new VirtualWorld(Dice.Fork());
        Chaos = World.Node();
        Trace = new Trace(World, write);
        Bounds = new BoundsAudit(Verdict, World.Clock, options);
        Leases = new LeaseAudit(Verdict, World.Clock);
        Journal = new JournalAudit(Verdict, Trace, Coverage, Bounds);
        Agents = new AgentAudit(Verdict);
        Replies = new ReplyAudit(Verdict, Journal);
        Store = new FaultyStore(World.Node(), new InMemoryStore(World.Clock, SimulationOptions.ShardLease, FewShards.Of(options.ShardCount)), () => HasFaults ? Options.Store : Calm, Faults, Dice.Fork());
        Network = new Network(World.Node(), Dice.Fork(), Verdict);
        Plans = new PlanDice(options);
        Nodes = [.. Enumerable.Range(0, options.NodeCount).Select(number => new SimulatedNode(this, $"node-{(char)('a' + number)}", Dice.Fork()))];
        Clients = [.. Enumerable.Range(0, options.ClientCount).Select(number => new SimulatedClient(this, $"client-{number}", PlanDice.Tenants[number % PlanDice.Tenants.Count], Dice.Fork()))];
        Bus = new FaultyBus(World.Node(), () => HasFaults ? Options.Bus : CalmBus, Faults, Dice.Fork(), Verdict);
    }

    private static readonly StoreFaults Calm = new(TimeSpan.FromMilliseconds(2), 0, 0, 0);
    private static readonly BusFaults CalmBus = new(TimeSpan.FromMilliseconds(2), 0, 0, 0);

    internal SimulationOptions Options { get; }
    internal SeededRandomness Dice { get; }
    internal VirtualWorld World { get; }

    /// <summary>What breaks things is not a node and never breaks.</summary>
    internal VirtualDispatcher Chaos { get; }

    internal Trace Trace { get; }

    /// <summary>Null when nobody wants to do it all again.</summary>
    internal StoreTrace? Recording { get; }

    internal Verdict Verdict { get; } = new();
    internal FaultCounts Faults { get; } = new();
    internal Coverage Coverage { get; } = new();
    internal BoundsAudit Bounds { get; }
    internal LeaseAudit Leases { get; }
    internal JournalAudit Journal { get; }
    internal AgentAudit Agents { get; }
    internal ReplyAudit Replies { get; }
    internal FaultyStore Store { get; }
    internal FaultyBus Bus { get; }
    internal Network Network { get; }
    internal PlanDice Plans { get; }
    internal IReadOnlyList<SimulatedNode> Nodes { get; }
    internal IReadOnlyList<SimulatedClient> Clients { get; }

    internal bool HasFaults { get; private set; } = true;

    public static SimulationReport Run(ulong seed, Action<string>? write = null, StoreTrace? trace = null) => Run(SimulationOptions.Draw(seed), write, trace);

    public static SimulationReport Run(SimulationOptions options, Action<string>? write = null, StoreTrace? trace = null)
    {
        var run = new SimulationRun(options, write, trace);
        try
        {
            run.RunToTheEnd();
        }
        catch (InvariantViolatedException)
        {
            // The verdict has it.
        }
        finally
        {
            foreach (var node in run.Nodes)
                node.Process.Crash();
        }
        return new SimulationReport(
            run.Options, run.Verdict.Finding, run.Trace.Fingerprint, run.World.StepCount, run.Journal.EntryCount, run.Journal.Goals.Count, run.World.Clock.Elapsed,
            run.Bus.AnswerCount)
        {
            Faults = run.Faults, Coverage = run.Coverage,
        };
    }

    internal void Appended(SimulatedNode node, IReadOnlyList<ShardAppend> appends, IReadOnlyList<AppendOutcome> outcomes)
    {
        Recording?.Appended(appends, outcomes);
        foreach (var outcome in outcomes)
            if (outcome == AppendOutcome.Fenced)
                Faults.Strike(Fault.FencedCommit);
        Journal.Appended(node.Name, appends, outcomes);
    }

    /// <summary>Rows are held against the log the moment they are written.</summary>
    internal void Projected(IReadOnlyList<ShardProjection> batch, IReadOnlyList<ProjectionOutcome> outcomes)
    {
        Recording?.Projected(batch, outcomes);
        for (var i = 0; i < batch.Count; i++)
            if (!outcomes[i].IsFenced)
                foreach (var row in batch[i].Goals)
                    Replies.Projected(row);
    }

    private void RunToTheEnd()
    {
        if (Options.HasAgents)
            foreach (var tenant in PlanDice.Tenants)
                Verdict.Watch(async () => await Store.Store.Agents.CreateAsync(tenant, [.. Plans.AgentsOf(tenant).Select(name => new AgentDefinition(name, "writer"))], CancellationToken.None));
        foreach (var node in Nodes)
            Chaos.Schedule(Dice.Between(TimeSpan.Zero, Slice), node.Start);
        foreach (var client in Clients)
            Chaos.Post(() => Verdict.Watch(client.RunAsync));
        PlanFaults();
        while (World.Clock.Elapsed < Options.FaultsDuration)
            Advance();

        Trace.Note("", "---- no more faults ----");
        HasFaults = false;
        Store.DownUntil = TimeSpan.Zero;
        foreach (var node in Nodes)
            node.Process.Resume();
        var deadline = World.Clock.Elapsed + LivenessMax;
        while (!IsAtRest)
        {
            Advance();
            if (World.Clock.Elapsed >= deadline && Trace.IsRead)
                AskWhy();
            Verdict.Check(World.Clock.Elapsed < deadline, $"Not everything ended: {DescribeUnrest()}");
        }

        // A few rounds of the projector, and the rows must be what the log is.
        var rows = new RowsAudit(this);
        for (var patience = CatchUpMax; patience > TimeSpan.Zero && !rows.HaveCaughtUp(); patience -= Slice)
            Advance();
        rows.Check();
        Bounds.CheckDeadlines(Journal.Goals.Values, World.Clock.UtcNow);
        if (Verdict.Finding is { } finding)
            throw new InvariantViolatedException(finding);
    }

    private bool IsAtRest => Clients.All(client => client.IsDone) && Journal.Goals.Values.All(goal => goal.IsAtRest) && Nodes.All(node => node.IsUp);

    private void Advance()
    {
        World.Advance(Slice);
        foreach (var node in Nodes)
            node.CheckActors();
        if (Verdict.Finding is { } finding)
            throw new InvariantViolatedException(finding);
    }

    /// <summary>The kernel's own word for what has not ended, for whoever reads the trace.</summary>
    private void AskWhy()
    {
        foreach (var node in Nodes)
            foreach (var goal in Journal.Goals.Values.Where(goal => !goal.IsAtRest))
                foreach (var task in goal.Tasks.Values.Where(task => !task.State.IsFinal()))
                    node.Process.Post(() => Verdict.Watch(async () =>
                        Trace.Note(node.Name, $"says of {task.Name} of {Trace.Short(goal.Id.Value)}: {(await node.Kernel.WhyAsync(goal.Tenant, task.Id.Value) is { IsOk: true } why ? why.Value.Sentence : "nothing")}")));
        World.RunUntilQuiet();
        World.Advance(Slice);
    }

    private string DescribeUnrest()
    {
        var unrest = Clients.Where(client => !client.IsDone).Select(_ => "a client still waits for its goal")
            .Concat(Nodes.Where(node => !node.IsUp).Select(node => $"{node.Name} is down"))
            .Concat(Journal.Goals.Values.Where(goal => !goal.IsAtRest).Select(goal =>
                $"goal {goal.Id} on shard {goal.Id.Shard} has {goal.Counts}: {string.Join(", ", goal.Tasks.Values.Where(task => !task.State.IsFinal()).Select(task => $"{task.Name} is {task.State} at attempt {task.Attempt}"))}"));
        return string.Join("; ", unrest);
    }

    // ---- Trouble --------------------------------------------------------------------------------------------------

    private void PlanFaults()
    {
        var faults = Options.Nodes;
        Repeat(faults.CrashEvery, () =>
        {
            Dice.Pick(Nodes).CrashSoon();
            Faults.Strike(Fault.Crash);
        });
        Repeat(faults.PauseEvery, () => Dice.Pick(Nodes).Pause(Dice.Between(SimulationOptions.ShardLease / 10, SimulationOptions.ShardLease * 3)));
        Repeat(faults.CleanStopEvery, () => Dice.Pick(Nodes).StopCleanly());
        Repeat(faults.ClockJumpEvery, () => Dice.Pick(Nodes).SetClock(ClockErrorMax * (2 * Dice.NextDouble() - 1)));
        Repeat(faults.OutageEvery, () =>
        {
            Store.DownUntil = World.Clock.Elapsed + Dice.Between(TimeSpan.Zero, SimulationOptions.ShardLease * 2);
            Faults.Strike(Fault.Outage);
        });
    }

    private void Repeat(TimeSpan? every, Action trouble)
    {
        if (every is not { } mean)
            return;
        Chaos.Schedule(mean * 2 * Dice.NextDouble(), () =>
        {
            if (!HasFaults)
                return;
            trouble();
            Repeat(every, trouble);
        });
    }
}
