using System.Text;
using Astra.Kernel.Tasks;
using Astra.Kernel.Workers;
using Astra.Testing.Time;
using Xunit;

namespace Astra.Kernel.Tests.Simulation;

/// <summary>A server of a <see cref="World"/>: it can crash, stop in good order, and come back.</summary>
internal sealed class TestNode
{
    /// <summary>The one executor whose steps ask a person, whoever plans them.</summary>
    public const string NeedsPerson = "tool:deploy@1";

    // Longer than any patience inside the kernel.
    private static readonly TimeSpan AnswerMax = TimeSpan.FromSeconds(60);

    private readonly World _world;
    private readonly string _name;
    private int _incarnation;

    public TestNode(World world, string name)
    {
        (_world, _name) = (world, name);
        Journal = new HeldJournal(world.Store.Journal);
        Rows = new SlowProjection(world.Store.Projection);
        Process = world.Virtual.Node();
    }

    public HeldJournal Journal { get; private set; }

    public SlowProjection Rows { get; private set; }

    public VirtualDispatcher Process { get; private set; }

    public KernelNode Kernel { get; private set; } = null!;

    public List<KernelNotice> Notices { get; } = [];

    public void Start()
    {
        Boot();
        Do(async node =>
        {
            await node.StartAsync();
            return true;
        });
    }

    /// <summary>Started, and its shards are not loaded until the rows are released.</summary>
    public void StartWithSlowRows()
    {
        Boot();
        Rows.HoldsReads = true;
        Begin(async node =>
        {
            await node.StartAsync();
            return true;
        });
    }

    private void Boot()
    {
        Process = _world.Virtual.Node();
        Journal = new HeldJournal(_world.Store.Journal);
        Rows = new SlowProjection(_world.Store.Projection);
        var clock = _world.Virtual.Clock;
        var ports = new KernelPorts(clock, _world.Dice, new IdSource(clock, _world.Dice), Process, Journal, Rows, _world.Store.Leases, _world.Bus, _world.Store.Agents)
        {
            Controls = _world.Store.Controls, Schedules = _world.Store.Schedules, VotesNeeded = executor => executor == NeedsPerson ? 1 : 0,
            // A schedule's goal is its steps, one a line.
            ReadSubmission = (steps, _) => new(World.Request(Encoding.UTF8.GetString(steps.Span).Split('\n'))),
        };
        Run(() =>
        {
            Kernel = new KernelNode(ports, _world.Limits, new NodeRegistration(new NodeId(_name), $"http://{_name}", new Guid(++_incarnation, 0, 0, new byte[8])));
            Kernel.OnNotice = Notices.Add;
        });
    }

    public void Crash()
    {
        Process.Crash();
        _world.RunUntilQuiet();
    }

    public void Restart()
    {
        if (!Process.HasCrashed)
            Crash();
        Start();
        _world.RunUntilQuiet();
    }

    public void StopCleanly() => Do(async node =>
    {
        await node.DisposeAsync();
        return true;
    });

    public int ShardsOwned => Do(node => node.SummariseAsync()).ShardsOwned;

    public TestWorker Worker(int slots = 8, TenantId? tenant = null, bool isInProcess = false, params string[] executors) =>
        Worker(slots, tenant, isInProcess, [], executors);

    public TestWorker Worker(int slots, TenantId? tenant, bool isInProcess, string[] capabilities, string[] executors)
    {
        var worker = new TestWorker(this, slots, tenant, isInProcess, executors.Length == 0 ? [Steps.Executor] : executors, capabilities);
        _world.RunUntilQuiet();
        return worker;
    }

    /// <summary>Asks and waits for the answer, moving time if need be.</summary>
    public Answer<T> Ask<T>(Func<KernelNode, ValueTask<Answer<T>>> ask) => Do(ask);

    /// <summary>The refusal that must come.</summary>
    public Refusal Refused<T>(Func<KernelNode, ValueTask<Answer<T>>> ask)
    {
        var answer = Ask(ask);
        Assert.NotNull(answer.Refusal);
        return answer.Refusal;
    }

    public T Do<T>(Func<KernelNode, ValueTask<T>> ask)
    {
        var pending = Begin(ask);
        var until = _world.Virtual.Clock.Elapsed + AnswerMax;
        while (!pending.IsAnswered && _world.Virtual.Clock.Elapsed < until)
            _world.Virtual.AdvanceToNextTimer();
        return pending.Answer;
    }

    /// <summary>Asks, and lets the test go on before there is an answer.</summary>
    public Pending<T> Begin<T>(Func<KernelNode, ValueTask<T>> ask)
    {
        var pending = new Pending<T>();
        Run(() => pending.Watch(ask(Kernel)));
        return pending;
    }

    /// <summary>As a turn of the node, with whatever follows from it.</summary>
    private void Run(Action action)
    {
        Process.Post(action);
        _world.RunUntilQuiet();
    }
}

/// <summary>A question that may not have been answered yet.</summary>
internal sealed class Pending<T>
{
    private Task<T>? _task;

    public bool IsAnswered => _task is { IsCompleted: true };

    public T Answer
    {
        get
        {
            Assert.True(IsAnswered, "There is no answer yet.");
#pragma warning disable VSTHRD002 // It has completed: nothing is waited for.
            return _task!.GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
        }
    }

    public void Watch(ValueTask<T> asked) => _task = asked.AsTask();
}
