using Astra.Kernel.Actors;
using Xunit;

namespace Astra.Kernel.Tests.Actors;

/// <summary>
/// What actors cost in memory. The heap is everybody's, so nothing else runs meanwhile; allocations are counted on one
/// thread, on which everything happens.
/// </summary>
[Collection(nameof(Alone))]
public sealed class FootprintTests
{
    // What an actor at rest may weigh, its mailbox, place in the tree and place among its siblings included. 320 bytes
    // were measured (248 among a million, whose table of siblings happens to be fuller); 450 is what was promised. The
    // slack is a word or two for another version of the runtime, and less than a field for every feature.
    private const int BytesPerActorMax = 340;

    // The address for the reply is used again. What is left is the pool of addresses, divided by many questions.
    private const int BytesPerAskMax = 1;

    // A handler that suspends is a method that has to be kept: the box that the compiler makes for it, and what notices
    // its end. 328 bytes were measured, 384 without optimisation; once for a message, however often the handler waits.
    private const int BytesPerSuspendedHandlerMax = 400;

    [Fact]
    public void A_send_to_an_actor_at_work_allocates_nothing_at_all()
    {
        var dispatcher = new InlineDispatcher();
        var system = new ActorSystem(dispatcher, new SystemClock(), new SystemRandomness());
        var actor = system.Spawn(ActorWorld.Script("a", (_, _) => default, capacity: 4096));
        object message = new();
        for (int round = 0; round < 3; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 4096; i++)
                actor.TrySend(message);
            long sent = GC.GetAllocatedBytesForCurrentThread() - before;
            dispatcher.Run();
            long handled = GC.GetAllocatedBytesForCurrentThread() - before - sent;
            // The first rounds make the ring.
            if (round == 2)
                Assert.Equal((0, 0), (sent, handled));
        }
    }

    [Fact]
    public void A_question_and_its_answer_allocate_nothing()
    {
        var dispatcher = new InlineDispatcher();
        var system = new ActorSystem(dispatcher, new SystemClock(), new SystemRandomness());
        object answer = new();
        var actor = system.Spawn(ActorWorld.Script("a", (_, turn) =>
        {
            turn.Reply(answer);
            return default;
        }));
        Ask(1_000);
        const int count = 100_000;
        long before = GC.GetAllocatedBytesForCurrentThread();
        Ask(count);
        double each = (GC.GetAllocatedBytesForCurrentThread() - before) / (double)count;
        Assert.InRange(each, 0, BytesPerAskMax);

        void Ask(int questions)
        {
            var timeout = TimeSpan.FromMinutes(10);
            for (int i = 0; i < questions; i++)
            {
                var asked = actor.AskAsync<object>(answer, timeout);
                dispatcher.Run();
                Assert.True(asked.IsCompleted);
#pragma warning disable VSTHRD002 // It has completed.
                _ = asked.GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
            }
        }
    }

    [Fact]
    public void A_handler_that_waits_for_answers_is_kept_once_and_each_answer_costs_nothing()
    {
        var once = BytesPerMessage(questions: 1);
        var often = BytesPerMessage(questions: 11);
        Assert.InRange(once, 1, BytesPerSuspendedHandlerMax);
        Assert.InRange((often - once) / 10, 0, BytesPerAskMax);
    }

    private static double BytesPerMessage(int questions)
    {
        const int count = 10_000;
        var dispatcher = new InlineDispatcher();
        var system = new ActorSystem(dispatcher, new SystemClock(), new SystemRandomness());
        object answer = new();
        var suspensions = 0;
        var echo = system.Spawn(ActorWorld.Script("echo", (_, turn) =>
        {
            turn.Reply(answer);
            return default;
        }));
        var asking = system.Spawn(ActorWorld.Script("asking", async (message, _) =>
        {
            for (int i = 0; i < questions; i++)
            {
                var asked = echo.AskAsync<object>(message, TimeSpan.FromMinutes(10));
                suspensions += asked.IsCompleted ? 0 : 1;
                await asked;
            }
        }));
        Ask();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Ask();
        double each = (GC.GetAllocatedBytesForCurrentThread() - before) / (double)count;
        Assert.Equal(2 * count * questions, suspensions);
        return each;

        void Ask()
        {
            for (int i = 0; i < count; i++)
            {
                asking.TrySend(answer);
                dispatcher.Run();
            }
        }
    }

    [Fact]
    public void A_hundred_thousand_actors_at_rest_weigh_what_was_promised()
    {
        const int count = 100_000;
        var dispatcher = new InlineDispatcher();
        var system = new ActorSystem(dispatcher, new SystemClock(), new SystemRandomness());
        var actors = new ActorRef[count];
        dispatcher.Run();
        system.Spawn(new ActorOptions { Create = () => new Leaf() });
        long before = GC.GetTotalMemory(forceFullCollection: true);
        for (int i = 0; i < count; i++)
        {
            actors[i] = system.Spawn(new ActorOptions { Create = static () => new Leaf() });
            dispatcher.Run();
        }

        double each = (GC.GetTotalMemory(forceFullCollection: true) - before) / (double)count;
        Assert.Equal(SendResult.Ok, actors[^1].TrySend("alive"));
        Assert.InRange(each, 0, BytesPerActorMax);
    }

    private sealed class Leaf : Actor
    {
        protected override ValueTask ReceiveAsync(object message, ActorTurn turn) => default;
    }

    /// <summary>Everything on the thread that says so, in the order in which it was posted, and nothing allocated.</summary>
    private sealed class InlineDispatcher : IDispatcher
    {
        private readonly Queue<IThreadPoolWorkItem> _posted = new(capacity: 1024);

        public SynchronizationContext Continuations { get; } = new();

        public void Post(IThreadPoolWorkItem turn) => _posted.Enqueue(turn);

        // Nothing here lasts long enough for a deadline.
        public IDisposable Schedule(TimeSpan delay, Action callback) => new MemoryStream();

        public void Run()
        {
            while (_posted.TryDequeue(out var turn))
                turn.Execute();
        }
    }
}

/// <summary>Tests that measure the process, and so must have it for themselves.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public static class Alone;
