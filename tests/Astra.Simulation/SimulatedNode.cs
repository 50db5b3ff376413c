using Astra.Kernel;
using Astra.Kernel.Actors;
using Astra.Kernel.Tasks;
using Astra.Testing.Time;

namespace Astra.Simulation;

/// <summary>A server that is started again whenever it is gone, each time as a new incarnation.</summary>
internal sealed class SimulatedNode
{
    private static readonly TimeSpan RestartDelayMax = TimeSpan.FromSeconds(2);

    // The last turns of a process that dies are anybody's guess: up to this many happen, of whichever nodes.
    private const int TurnsBeforeCrashMax = 12;

    private readonly SimulationRun _run;
    private readonly IRandomness _dice;
    private readonly NodeId _id;
    private readonly LateRenewals _lateRenewals;
    private TimeSpan _calendarError;

    public SimulatedNode(SimulationRun run, string name, IRandomness dice)
    {
        (_run, _dice, _id, _lateRenewals) = (run, dice, new NodeId(name), new LateRenewals(run, name));
        _calendarError = (run.Options.Nodes.ClockSkewMax / 2) * (2 * dice.NextDouble() - 1);
        Process = new SimulatedProcess(run.World);
        Process.Crash();
    }

    public string Name => _id.Value;

    public SimulatedProcess Process { get; private set; }

    public KernelNode Kernel { get; private set; } = null!;

    /// <summary>Its shards are loaded and it takes requests.</summary>
    public bool IsUp { get; private set; }

    public void Start()
    {
        var process = new SimulatedProcess(_run.World);
        Process = process;
        var dice = _run.Dice.Fork();
        var clock = new MachineClock(_run.World.Clock, dice.Between(TimeSpan.Zero, TimeSpan.FromDays(400)), () => _calendarError);
        var ids = new IdSource(clock, dice);
        var self = new NodeRegistration(_id, $"http://{Name}", ids.NewId(default));
        void CrashSender() => CrashSoon(process);
        var ports = new KernelPorts(
            clock, dice, ids, process,
            new FaultyJournal(_run.Store, CrashSender, (appends, outcomes) => _run.Appended(this, appends, outcomes)),
            new FaultyProjection(_run.Store, CrashSender, _run.Projected),
            _lateRenewals.For(process, new FaultyLeases(_run.Store, _run.Leases.Watch(_run.Store.Store.Leases), CrashSender, _run.Journal.Granted)),
            _run.Bus.For(process, CrashSender),
            new FaultyAgentStore(_run.Store, CrashSender))
        {
            Controls = new FaultyControls(_run.Store, CrashSender), Schedules = new FaultySchedules(_run.Store, CrashSender),
            ReadSubmission = (title, _) => new(new GoalRequest { Title = System.Text.Encoding.UTF8.GetString(title.Span), Plan = [new GraphEdit.Add(new TaskSpec { Name = "fired", Executor = SimulatedWorker.Executors[0] }, [])] }),
        };
        _run.Trace.Note(Name, "starts");
        process.Post(() => _run.Verdict.Watch(() =>
        {
            var kernel = new KernelNode(ports, _run.Options.NodeLimits, self);
            (Kernel, process.Died) = (kernel, kernel.Metrics.Dispose);
            return StartAsync(process, kernel);
        }));
    }

    private async Task StartAsync(SimulatedProcess process, KernelNode kernel)
    {
        kernel.OnNotice = notice => _run.Trace.Note(Name, $"{notice}");
        try
        {
            await kernel.StartAsync();
        }
        catch (JournalUnavailableException)
        {
            Crash(process);
            return;
        }
        IsUp = true;
        for (var i = 0; i < _run.Options.WorkersPerNode; i++)
            _ = new SimulatedWorker(_run, process, kernel, $"{Name}-worker-{i}", isInProcess: i == 1, _dice);
    }

    /// <summary>The process dies within its next few turns.</summary>
    public void CrashSoon() => CrashSoon(Process);

    private void CrashSoon(SimulatedProcess process)
    {
        if (!_run.HasFaults)
            return;
        var turnsLeft = _dice.NextInt32(TurnsBeforeCrashMax);
        _run.Chaos.Post(Countdown);

        void Countdown()
        {
            if (turnsLeft-- > 0)
                _run.Chaos.Post(Countdown);
            else
                Crash(process);
        }
    }

    public void Pause(TimeSpan duration)
    {
        var process = Process;
        if (process.IsPaused)
            return;
        _run.Trace.Note(Name, $"is paused for {duration.TotalSeconds:0.0} s");
        if (duration > SimulationOptions.ShardLease)
            _run.Faults.Strike(Fault.PauseBeyondLease);
        process.Pause();
        _run.Chaos.Schedule(duration, process.Resume);
    }

    /// <summary>Somebody sets the clock of its machine, or sets it right.</summary>
    public void SetClock(TimeSpan error)
    {
        _run.Trace.Note(Name, $"has a calendar that is {error.TotalSeconds:0.0} s wrong");
        _run.Faults.Strike(Fault.ClockJump);
        _calendarError = error;
    }

    /// <summary>Stopped in good order, and started again.</summary>
    public void StopCleanly()
    {
        if (!IsUp)
            return;
        var (process, kernel) = (Process, Kernel);
        IsUp = false;
        _run.Trace.Note(Name, "stops");
        _run.Faults.Strike(Fault.CleanStop);
        process.Post(() => _run.Verdict.Watch(async () =>
        {
            await kernel.DisposeAsync();
            Crash(process);
        }));
    }

    /// <summary>Whether every actor of it failed of nothing but the loss of its shard, or of the code of its agent.</summary>
    public void CheckActors()
    {
        if (!IsUp)
            return;
        var open = new Stack<ActorSnapshot>([Kernel.InspectActors()]);
        while (open.TryPop(out var actor))
        {
            _run.Verdict.Check(actor.LastFailure?.GetType().Name is null or "ShardLostException" or "AgentFailedException", $"{Name}{actor.Path} failed: {actor.LastFailure}");
            foreach (var child in actor.Children)
                open.Push(child);
        }
    }

    private void Crash(SimulatedProcess process)
    {
        if (process.HasCrashed)
            return;
        _run.Trace.Note(Name, "crashes");
        if (process == Process)
            CheckActors();
        process.Crash();
        IsUp = false;
        _run.Chaos.Schedule(RestartDelayMax * _dice.NextDouble(), Start);
    }
}
