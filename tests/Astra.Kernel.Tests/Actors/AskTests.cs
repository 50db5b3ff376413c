using Astra.Kernel.Actors;
using Xunit;

namespace Astra.Kernel.Tests.Actors;

public class AskTests
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    private readonly ActorWorld _world = new();

    private ActorRef Echo(
        Func<object, object>? reply = null, int capacity = 1024) => _world.Spawn("echo", (message, turn) =>
    {
        turn.Reply(reply is null ? message : reply(message));
        return default;
    }, capacity: capacity);

    private Task<T> Ask<T>(ActorRef actor, object message, CancellationToken ct = default) =>
        actor.AskAsync<T>(message, Timeout, ct).AsTask();

    [Fact]
    public void A_question_is_answered_by_the_first_reply()
    {
        var echo = Echo();
        var answers = Enumerable.Range(0, 100).Select(i => Ask<int>(echo, i)).ToList();
        _world.RunUntilQuiet();
        Assert.Equal(Enumerable.Range(0, 100), answers.Select(answer => answer.Result));
    }

    [Fact]
    public void A_question_without_a_reply_times_out_at_its_deadline_and_not_before()
    {
        var silent = _world.Spawn("silent", (_, _) => default);
        var early = Ask<int>(silent, 1);
        _world.Advance(TimeSpan.FromSeconds(2));
        var late = Ask<int>(silent, 2);
        _world.Advance(TimeSpan.FromSeconds(3) - TimeSpan.FromTicks(1));
        Assert.False(early.IsCompleted);
        _world.Advance(TimeSpan.FromTicks(1));
        Assert.IsType<AskTimeoutException>(early.Exception!.InnerException);
        Assert.False(late.IsCompleted);
        _world.Advance(TimeSpan.FromSeconds(2));
        Assert.IsType<AskTimeoutException>(late.Exception!.InnerException);
        Assert.Null(_world.Node.World.NextTimerAt());
    }

    [Fact]
    public void A_reply_that_comes_too_late_is_a_dead_letter_and_not_the_answer_to_the_next_question()
    {
        ActorRef? asker = null;
        var actor = _world.Spawn("a", (message, turn) =>
        {
            if (message is "remember")
                asker = turn.Sender;
            else if (message is "other question")
                asker!.TrySend("stale");
            return default;
        });
        var first = Ask<string>(actor, "remember");
        _world.Advance(Timeout);
        Assert.True(first.IsFaulted);
        var second = Ask<string>(actor, "other question");
        _world.RunUntilQuiet();
        Assert.False(second.IsCompleted);
        Assert.Equal(DeadLetterReason.LateReply, Assert.Single(_world.System.DeadLetters.Recent()).Reason);
    }

    [Fact]
    public void A_second_reply_to_one_question_is_a_dead_letter()
    {
        var actor = _world.Spawn("a", (_, turn) =>
        {
            turn.Reply(1);
            turn.Reply(2);
            return default;
        });
        var answer = Ask<int>(actor, "?");
        _world.RunUntilQuiet();
        Assert.Equal(1, answer.Result);
        Assert.Equal(2, Assert.Single(_world.System.DeadLetters.Recent()).Message);
    }

    [Fact]
    public void A_question_to_a_full_mailbox_fails_at_once()
    {
        var echo = Echo(capacity: 1);
        echo.TrySend("first");
        Assert.IsType<MailboxFullException>(Ask<int>(echo, 2).Exception!.InnerException);
    }

    [Fact]
    public void A_question_to_a_stopped_actor_fails_at_once()
    {
        var echo = Echo();
        _world.System.Stop(echo);
        _world.RunUntilQuiet();
        Assert.IsType<ActorStoppedException>(Ask<int>(echo, 2).Exception!.InnerException);
    }

    [Fact]
    public void A_question_still_in_the_mailbox_when_its_actor_stops_fails_without_waiting_for_the_timeout()
    {
        var echo = Echo();
        var answer = Ask<int>(echo, 2);
        _world.System.Stop(echo);
        _world.RunUntilQuiet();
        Assert.IsType<ActorStoppedException>(answer.Exception!.InnerException);
    }

    [Fact]
    public void A_question_that_makes_the_handler_fail_fails_with_that_failure()
    {
        var cause = new InvalidOperationException("no");
        var answer = Ask<int>(Echo(_ => throw cause), "?");
        _world.RunUntilQuiet();
        Assert.Same(cause, Assert.IsType<MessageFailedException>(answer.Exception!.InnerException).InnerException);
    }

    [Fact]
    public void A_reply_that_is_an_exception_fails_the_question()
    {
        var refusal = new UnauthorizedAccessException();
        var answer = Ask<int>(Echo(_ => refusal), "?");
        _world.RunUntilQuiet();
        Assert.Same(refusal, answer.Exception!.InnerException);
    }

    [Fact]
    public void A_reply_of_another_type_fails_the_question()
    {
        var answer = Ask<int>(Echo(), "a string");
        _world.RunUntilQuiet();
        Assert.IsType<UnexpectedReplyException>(answer.Exception!.InnerException);
    }

    [Fact]
    public void A_cancelled_question_is_over()
    {
        using var cancellation = new CancellationTokenSource();
        var silent = _world.Spawn("silent", (_, _) => default);
        var answer = Ask<int>(silent, "?", cancellation.Token);
        _world.RunUntilQuiet();
        cancellation.Cancel();
        _world.RunUntilQuiet();
        Assert.True(answer.IsCanceled);
    }

    [Fact]
    public void An_actor_that_asks_goes_on_in_its_own_turn()
    {
        var echo = Echo();
        SynchronizationContext? before = null, after = null;
        int answer = 0;
        var asker = _world.Spawn("asker", async (_, _) =>
        {
            before = SynchronizationContext.Current;
            answer = await echo.AskAsync<int>(7, Timeout);
            after = SynchronizationContext.Current;
        });
        _world.Tell(asker, "go");
        Assert.Equal(7, answer);
        Assert.NotNull(before);
        Assert.Same(before, after);
    }

    [Fact]
    public void A_reply_after_the_handler_has_completed_is_not_the_answer_to_the_next_question()
    {
        ActorTurn? kept = null;
        var actor = _world.Spawn("a", (message, turn) =>
        {
            kept = turn;
            if (message is "first")
                turn.Reply("first answer");
            return default;
        });
        var silent = _world.Spawn("silent", (_, _) => default);
        var first = Ask<string>(actor, "first");
        _world.RunUntilQuiet();
        Assert.Equal("first answer", first.Result);

        var second = Ask<string>(silent, "second");
        _world.RunUntilQuiet();
        Assert.Equal(SendResult.Stopped, kept!.Reply("too late"));
        Assert.False(second.IsCompleted);
        Assert.Equal(DeadLetterReason.NoSender, _world.System.DeadLetters.Recent()[^1].Reason);
    }

    [Fact]
    public void A_question_that_one_actor_asks_another_allocates_nothing()
    {
        var thread = new OneThread();
        var system = new ActorSystem(thread, new SystemClock(), new SystemRandomness());
        var echo = system.Spawn(ActorWorld.Script("echo", (message, turn) =>
        {
            turn.Reply(message);
            return default;
        }));
        long allocated = long.MaxValue;
        const int questions = 1_000;
        var asking = system.Spawn(ActorWorld.Script("asking", async (message, _) =>
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < questions; i++)
                await echo.AskAsync<OnlyAskedHere>(message, Timeout);
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }));
        for (int i = 0; i < 3; i++)
        {
            asking.TrySend(new OnlyAskedHere());
            thread.RunAll();
        }

        // The handler's own state machine and its notice are made once, not per question.
        Assert.InRange(allocated, 0, questions);
    }

    // Questions are used again by the type of their answer: those of tests beside this one may not take them.
    private sealed record OnlyAskedHere;

    private sealed class OneThread : IDispatcher
    {
        private readonly Queue<IThreadPoolWorkItem> _turns = new();

        public SynchronizationContext Continuations { get; } = new();

        public void Post(IThreadPoolWorkItem turn) => _turns.Enqueue(turn);

        public IDisposable Schedule(TimeSpan delay, Action callback) => new CancellationTokenSource();

        public void RunAll()
        {
            while (_turns.TryDequeue(out var turn))
                turn.Execute();
        }
    }
}
