using Astra.Kernel.Controls;
using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Scheduling;

/// <summary>What a fleet starts under one rate while nodes come and go.</summary>
public sealed class RateShareTests
{
    private const int PerSecond = 12;
    private const int GoalCount = 400;

    private readonly World _world = World.With(nodes: 3);
    private readonly List<TimeSpan> _starts = [];
    private readonly TestWorker?[] _workers = new TestWorker?[3];
    private readonly int[] _seen = new int[3];

    [Fact]
    public void Nodes_that_join_and_leave_add_nothing_to_the_rate()
    {
        _world.Set(LimitScope.Tenant, "", perSecond: PerSecond);
        foreach (var number in (int[])[1, 2])
            _world.Nodes[number].Crash();
        _world.Advance(seconds: 20);
        Join(0);
        for (var i = 0; i < GoalCount; i++)
            _world.Submit("a");
        Run(seconds: 4);

        foreach (var number in (int[])[1, 2, 1, 2])
        {
            _world.Nodes[number].Restart();
            Join(number);
            Run(seconds: 8);
            if (_workers.All(worker => worker is not null))
                Leave(number == 1 ? 2 : 1);
            Run(seconds: 13);
        }

        Assert.True(_workers.Count(worker => worker is not null) > 1 && _starts.Count > 250);
        for (var from = 0; from < _starts.Count; from++)
            for (var to = from; to < _starts.Count; to++)
            {
                var stretch = (_starts[to] - _starts[from]).TotalSeconds;
                Assert.True(to - from + 1 <= PerSecond * (1 + stretch) + 1, $"{to - from + 1} starts within {stretch:0.00} s, from {_starts[from]} on.");
            }
    }

    [Fact]
    public void What_was_used_of_a_minute_stays_used_when_the_share_changes()
    {
        _world.Set(LimitScope.Tenant, "", perMinute: 9);
        Join(0);
        for (var i = 0; i < 20; i++)
            _world.Submit("a");
        Run(seconds: 0.1);
        Assert.Equal(3, _starts.Count);
        // Two of three nodes leave: the one that stays has three times the rate, and what it has used it has used.
        foreach (var number in (int[])[1, 2])
            _world.Nodes[number].Crash();
        Run(seconds: 13);
        Assert.InRange(_starts.Count, 3, 5);
    }

    private void Join(int number)
    {
        _workers[number] = _world.Nodes[number].Worker(slots: 100).CompleteAll();
        _seen[number] = 0;
    }

    private void Leave(int number)
    {
        _world.Nodes[number].Crash();
        _workers[number] = null;
    }

    private void Run(double seconds)
    {
        for (var until = _world.Virtual.Clock.Elapsed + TimeSpan.FromSeconds(seconds); _world.Virtual.Clock.Elapsed < until; _world.Advance(seconds: 0.02))
            for (var number = 0; number < _workers.Length; number++)
                for (; _workers[number] is { } worker && _seen[number] < worker.Given.Count; _seen[number]++)
                    _starts.Add(_world.Virtual.Clock.Elapsed);
    }
}
