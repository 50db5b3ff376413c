using Astra.Kernel.Actors;
using Astra.Testing.Time;
using Xunit;

namespace Astra.Kernel.Tests.Actors;

/// <summary>
/// A random tree under random policies, in which everything goes wrong at once. Whatever the seed, nothing is lost
/// without a trace, nothing hangs, and the life-cycle table is never asked what it calls impossible.
/// </summary>
public class ChaosTests
{
    private const int SeedCount = 400;

    private enum Deed
    {
        Work,
        Rest,
        Hang,
        Throw,
        ThrowAfterRest,
        FailStructurally,
        StopSelf,
        Spawn,
        Relay,
    }

    private sealed record Order(int Number, Deed Deed);

    [Fact]
    public void Whatever_goes_wrong_every_message_is_accounted_for_once_and_everything_stops()
    {
        for (ulong seed = 1; seed <= SeedCount; seed++)
        {
            try
            {
                new Run(seed).Play();
            }
            catch (Exception failure)
            {
                throw new InvalidOperationException($"Seed {seed}: {failure.Message}", failure);
            }
        }
    }

    private sealed class Run
    {
        private readonly SeededRandomness _dice;
        private readonly VirtualDispatcher _node;
        private readonly ActorSystem _system;
        private readonly List<ActorRef> _actors = [];
        private readonly Dictionary<int, int> _ends = [];
        private readonly List<LifecycleEvent> _events = [];
        private int _orderCount;
        private int _nameCount;

        public Run(ulong seed)
        {
            _dice = new SeededRandomness(seed);
            _node = new VirtualDispatcher(_dice.Fork());
            _system = new ActorSystem(_node, _node.Clock, _dice.Fork(), new ActorSystemOptions
            {
                TopLevel = Policy(),
                MessagesPerTurn = 1 + _dice.NextInt32(5),
                Observe = _events.Add,
            });
            _system.DeadLetters.Arrived += letter =>
            {
                if (letter is { Message: Order order, Reason: not DeadLetterReason.SenderRevoked })
                    _ends[order.Number] = _ends.GetValueOrDefault(order.Number) + 1;
            };
        }

        public void Play()
        {
            for (int i = 0; i < 3; i++)
                _system.Spawn(Options());
            for (int step = 0; step < 60; step++)
            {
                _node.RunUntilQuiet();
                if (_actors.Count > 0)
                    Send(_actors[_dice.NextInt32(_actors.Count)]);
                if (_dice.NextInt32(4) == 0)
                    _node.Advance(TimeSpan.FromMilliseconds(_dice.NextInt32(3000)));
                if (_dice.NextInt32(30) == 0 && _actors.Count > 0)
                    _system.Stop(_actors[_dice.NextInt32(_actors.Count)]);
            }

            // Long enough for every backoff and every deadline: whoever is left is at work again, or hangs at work.
            _node.Advance(TimeSpan.FromMinutes(30));
            Visit(_system.Inspect(), actor => Assert.True(
                actor.State == ActorState.Running, $"{actor.Path} is left {actor.State}"));

            var stop = _system.StopAsync(TimeSpan.FromMinutes(1)).AsTask();
            _node.Advance(TimeSpan.FromMinutes(30));
            Assert.True(stop.IsCompleted);
            Assert.Empty(_system.Inspect().Children);
            Assert.DoesNotContain(
                _events, told => told is ActorFailed failed && failed.Why.Message.Contains("and was told"));
            Assert.All(Enumerable.Range(0, _orderCount), number => Assert.True(
                _ends.GetValueOrDefault(number) == 1, $"order {number} ended {_ends.GetValueOrDefault(number)} times"));
        }

        private static void Visit(ActorSnapshot actor, Action<ActorSnapshot> look)
        {
            look(actor);
            foreach (var child in actor.Children)
                Visit(child, look);
        }

        private void Send(ActorRef to)
        {
            // Two more kinds of work than of failure, or nobody lives long enough to fail in an interesting state.
            int drawn = _dice.NextInt32(Enum.GetValues<Deed>().Length + 4);
            var deed = drawn < Enum.GetValues<Deed>().Length ? (Deed)drawn : Deed.Work;
            var order = new Order(_orderCount++, deed);
            switch (to.TrySend(order))
            {
                case SendResult.Full:
                    _ends[order.Number] = 1;
                    break;
                case SendResult.Stopped when !_ends.ContainsKey(order.Number):
                    // Sent by what is left of a revoked incarnation.
                    _ends[order.Number] = 1;
                    break;
            }
        }

        private SupervisionPolicy Policy() => new(
            (RestartStrategy)_dice.NextInt32(3),
            failure => (Directive)_dice.NextInt32(failure is StructuralFailureException ? 4 : 3),
            new Backoff(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(2)),
            new RestartIntensity(1 + _dice.NextInt32(4), TimeSpan.FromMinutes(1)));

        private ActorOptions Options(int depth = 0) => ActorWorld.Script(
            $"n{_nameCount++}",
            (message, turn) => Handle((Order)message, turn, depth),
            started: async turn =>
            {
                if (!_actors.Contains(turn.Self))
                    _actors.Add(turn.Self);
                if (_dice.NextInt32(3) == 0)
                    await Rest(100);
                if (_dice.NextInt32(12) == 0)
                    throw new InvalidOperationException("cannot start");
                for (int i = _dice.NextInt32(3); i > 0 && depth < 3; i--)
                    turn.Spawn(Options(depth + 1));
            },
            restarting: async (_, _, _) => await Rest(_dice.NextInt32(50)),
            stopped: async _ => await Rest(_dice.NextInt32(50)),
            children: Policy(),
            capacity: 1 + _dice.NextInt32(20),
            deadline: _dice.NextInt32(4) == 0 ? null : TimeSpan.FromSeconds(1));

        private async ValueTask Handle(Order order, ActorTurn turn, int depth)
        {
            switch (order.Deed)
            {
                case Deed.Rest:
                    await Rest(_dice.NextInt32(2000));
                    break;
                case Deed.Hang:
                    await new TaskCompletionSource().Task;
                    break;
                case Deed.Throw:
                    throw new InvalidOperationException("poison");
                case Deed.ThrowAfterRest:
                    await Rest(_dice.NextInt32(500));
                    throw new InvalidOperationException("slow poison");
                case Deed.FailStructurally:
                    throw new StructuralFailureException("gone");
                case Deed.StopSelf:
                    turn.StopSelf();
                    break;
                case Deed.Spawn when depth < 3:
                    turn.Spawn(Options(depth + 1));
                    break;
                case Deed.Relay:
                    await Rest(_dice.NextInt32(300));
                    Send(_actors[_dice.NextInt32(_actors.Count)]);
                    break;
            }

            // A handler that comes back after it was revoked has been accounted for as a dead letter.
            if (!turn.IsRevoked)
                _ends[order.Number] = _ends.GetValueOrDefault(order.Number) + 1;
        }

        private Task Rest(int milliseconds)
        {
            var rested = new TaskCompletionSource();
            _node.Schedule(TimeSpan.FromMilliseconds(milliseconds), rested.SetResult);
            return rested.Task;
        }
    }
}
