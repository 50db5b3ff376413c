using Astra.Kernel.Actors;
using Xunit;

namespace Astra.Kernel.Tests.Actors;

/// <summary>
/// An exception between any two steps of a turn that run somebody else's code, while real threads keep sending:
/// whatever it is, no message is lost without a trace or handled twice, and everything stops in good order.
/// </summary>
public sealed class TurnFailureTests
{
    private const int ProducerCount = 3;
    private const int EachCount = 2_000;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>Where a turn calls what is not its own.</summary>
    public enum Place
    {
        Handler,
        HandlerAfterAnAwait,
        HandlerThatReturnsAFailedTask,
        Factory,
        Started,
        StartedAfterAnAwait,
        Restarting,
        RestartingAfterAnAwait,
        Stopped,
        StoppedAfterAnAwait,
        Policy,
        PolicyThatAnswersNonsense,
        Observer,
        DeadLetterSubscriber,
        CallbackOfTheEndingToken,
        ChildThatCannotStart,
    }

    public static TheoryData<Place> Places => [.. Enum.GetValues<Place>()];

    [Theory]
    [MemberData(nameof(Places))]
    public async Task A_turn_that_is_broken_off_anywhere_loses_nothing_and_does_nothing_twice(Place place)
    {
        var run = new Run(place);
        await run.PlayAsync();
    }

    private sealed class Run(Place place)
    {
        private readonly int[] _ends = new int[ProducerCount * EachCount];
        private int _callCount;
        private int _injectedCount;

        public async Task PlayAsync()
        {
            using var dispatcher = new ThreadPoolDispatcher();
            var system = new ActorSystem(dispatcher, new SystemClock(), new SystemRandomness(), new ActorSystemOptions
            {
                TopLevel = new SupervisionPolicy(
                    decide: Decide, backoff: new Backoff(TimeSpan.FromTicks(1), TimeSpan.FromTicks(1)),
                    intensity: new RestartIntensity(1_000_000, TimeSpan.FromHours(1))),
                Observe = _ => Perhaps(Place.Observer),
            });
            system.DeadLetters.Arrived += letter =>
            {
                if (letter.Message is int number)
                    Interlocked.Increment(ref _ends[number]);
                Perhaps(Place.DeadLetterSubscriber);
            };

            await Task.WhenAll(Enumerable.Range(0, ProducerCount).Select(producer => Task.Run(async () =>
            {
                for (int i = 0; i < EachCount; i++)
                    await SendAsync(system, (producer * EachCount) + i);
            }))).WaitAsync(Patience);
            await Eventually(() => _ends.All(ends => ends > 0), () => $"{_ends.Count(ends => ends == 0)} messages are lost");
            Assert.All(_ends, ends => Assert.Equal(1, ends));
            // A child may be stopped before its first turn has come; that of the last victim is not.
            await Eventually(() => Volatile.Read(ref _injectedCount) > 0, () => $"nothing was ever injected at {place}");

            var report = await system.StopAsync(TimeSpan.FromSeconds(30)).AsTask().WaitAsync(Patience);
            Assert.Empty(report.Abandoned);
            Assert.Equal(0, system.LostThreadCount);
        }

        private readonly Lock _spawning = new();
        private ActorRef? _actor;

        private async Task SendAsync(ActorSystem system, int number)
        {
            ActorRef? actor;
            while ((actor = Living(system)) is null)
                await Task.Yield();
            if (await actor.SendAsync(number) == SendResult.Stopped)
                Interlocked.CompareExchange(ref _actor, null, actor);
        }

        // Some of the injected failures end the actor; then the next one takes over its name as soon as it is free.
        private ActorRef? Living(ActorSystem system)
        {
            lock (_spawning)
            {
                try
                {
                    return _actor ??= system.Spawn(Victim());
                }
                catch (ActorNameTakenException)
                {
                    return null;
                }
            }
        }

        private ActorOptions Victim() => new()
        {
            Name = "victim",
            MailboxCapacityMax = 16,
            Create = () =>
            {
                Perhaps(Place.Factory);
                return new ScriptedActor(HandleAsync, StartAsync, RestartAsync, StopAsync);
            },
        };

        private ValueTask HandleAsync(object message, ActorTurn turn)
        {
            int number = (int)message;
            if (IsDue(Place.HandlerAfterAnAwait))
                return FailLaterAsync();
            if (IsDue(Place.HandlerThatReturnsAFailedTask))
                return ValueTask.FromException(Injected());
            Perhaps(Place.Handler);
            // What the other places are between: restarts and stops, every so often.
            if (number % 50 == 7)
            {
                Interlocked.Increment(ref _ends[number]);
                turn.StopSelf();
                return default;
            }

            if (number % 20 == 3)
                throw new InvalidOperationException("ordinary");
            if (number % 20 == 13 && place == Place.CallbackOfTheEndingToken)
            {
                turn.Ending.Register(() => throw Injected());
                Interlocked.Increment(ref _injectedCount);
            }

            Interlocked.Increment(ref _ends[number]);
            return default;
        }

        private ValueTask StartAsync(ActorTurn turn)
        {
            if (IsDue(Place.StartedAfterAnAwait))
                return FailLaterAsync();
            Perhaps(Place.Started);
            if (place == Place.ChildThatCannotStart)
            {
                turn.Spawn(ActorWorld.Script("child", (_, _) => default, started: _ =>
                {
                    Perhaps(Place.ChildThatCannotStart);
                    return default;
                }, children: SupervisionPolicy.Default));
            }

            return default;
        }

        private ValueTask RestartAsync(Exception why, object? message, ActorTurn turn)
        {
            if (IsDue(Place.RestartingAfterAnAwait))
                return FailLaterAsync();
            Perhaps(Place.Restarting);
            return default;
        }

        private ValueTask StopAsync(ActorTurn turn)
        {
            if (IsDue(Place.StoppedAfterAnAwait))
                return FailLaterAsync();
            Perhaps(Place.Stopped);
            return default;
        }

        private Directive Decide(Exception failure)
        {
            Perhaps(Place.Policy);
            return IsDue(Place.PolicyThatAnswersNonsense) ? (Directive)77 : Directive.Restart;
        }

        private static async ValueTask FailLaterAsync()
        {
            await Task.Yield();
            throw Injected();
        }

        private void Perhaps(Place here)
        {
            if (IsDue(here))
                throw Injected();
        }

        private bool IsDue(Place here)
        {
            if (here != place || Interlocked.Increment(ref _callCount) % 3 != 1)
                return false;
            Interlocked.Increment(ref _injectedCount);
            return true;
        }

        private static NotSupportedException Injected() => new("injected");

        private async Task Eventually(Func<bool> isSo, Func<string> otherwise)
        {
            using var patience = new CancellationTokenSource(Patience);
            while (!isSo())
            {
                Assert.False(patience.IsCancellationRequested, otherwise());
                await Task.Yield();
            }
        }
    }
}
