using Astra.Kernel;
using Astra.Kernel.Actors;
using BenchmarkDotNet.Attributes;

namespace Astra.Benchmarks;

/// <summary>One operation of the actor runtime at a time, on the dispatcher that the server uses, with its defaults.</summary>
[MemoryDiagnoser]
public class ActorBenchmarks : IAsyncDisposable
{
    private const int MessageCount = 100_000;
    private const int ActorCount = 10_000;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly object _message = new();
    private ThreadPoolDispatcher _dispatcher = null!;
    private ActorSystem _actors = null!;
    private Counter _counter = null!;
    private ActorRef _receiver = null!;
    private ActorRef _player = null!;
    private ActorRef _asking = null!;
    private ActorRef _spawning = null!;

    [GlobalSetup]
    public void SetUp()
    {
        _dispatcher = new ThreadPoolDispatcher();
        _actors = new ActorSystem(_dispatcher, new SystemClock(), new SystemRandomness());
        _counter = new Counter();
        _receiver = _actors.Spawn(new ActorOptions { Create = () => new Receiver(_counter) });
        var wall = _actors.Spawn(new ActorOptions { Create = () => new Wall() });
        _player = _actors.Spawn(new ActorOptions { Create = () => new Player(wall, _counter) });
        _asking = _actors.Spawn(new ActorOptions { Create = () => new Asking(wall) });
        _spawning = _actors.Spawn(new ActorOptions { Create = () => new Spawning(_counter) });
    }

    [GlobalCleanup]
    public Task CleanUpAsync() => DisposeAsync().AsTask();

    public async ValueTask DisposeAsync()
    {
        await _actors.DisposeAsync();
        _dispatcher.Dispose();
        GC.SuppressFinalize(this);
    }

    [Benchmark(OperationsPerInvoke = MessageCount)]
    public async Task Tell()
    {
        var done = _counter.Expect(MessageCount);
        for (var i = 0; i < MessageCount; i++)
        {
            var sending = _receiver.SendAsync(_message);
            if (!sending.IsCompletedSuccessfully)
                await sending;
        }
        await done;
    }

    [Benchmark(OperationsPerInvoke = MessageCount)]
    public Task PingPong()
    {
        var done = _counter.Expect(MessageCount);
        _player.TrySend(_message);
        return done;
    }

    [Benchmark(OperationsPerInvoke = MessageCount)]
    public async Task Ask() => await _asking.AskAsync<object>(_message, Patience);

    [Benchmark(OperationsPerInvoke = ActorCount)]
    public Task SpawnAndStop()
    {
        var done = _counter.Expect(ActorCount);
        _spawning.TrySend(_message);
        return done;
    }

    private sealed class Counter
    {
        private TaskCompletionSource _done = new();
        private int _left;

        public Task Expect(int count)
        {
            _done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Volatile.Write(ref _left, count);
            return _done.Task;
        }

        /// <summary>For one actor alone.</summary>
        public bool Count()
        {
            if (--_left > 0)
                return true;
            _done.SetResult();
            return false;
        }

        public void CountShared()
        {
            if (Interlocked.Decrement(ref _left) == 0)
                _done.SetResult();
        }
    }

    private sealed class Receiver(Counter counter) : Actor
    {
        protected override ValueTask ReceiveAsync(object message, ActorTurn turn)
        {
            counter.Count();
            return default;
        }
    }

    private sealed class Wall : Actor
    {
        protected override ValueTask ReceiveAsync(object message, ActorTurn turn)
        {
            turn.Reply(message);
            return default;
        }
    }

    private sealed class Player(ActorRef wall, Counter counter) : Actor
    {
        protected override ValueTask ReceiveAsync(object message, ActorTurn turn)
        {
            if (turn.Sender is null || counter.Count())
                wall.TrySend(message, turn.Self);
            return default;
        }
    }

    private sealed class Asking(ActorRef wall) : Actor
    {
        protected override async ValueTask ReceiveAsync(object message, ActorTurn turn)
        {
            for (var i = 0; i < MessageCount; i++)
                await wall.AskAsync<object>(message, Patience);
            turn.Reply(message);
        }
    }

    private sealed class Spawning(Counter counter) : Actor
    {
        protected override ValueTask ReceiveAsync(object message, ActorTurn turn)
        {
            var child = new ActorOptions { Create = () => new Mayfly(counter) };
            for (var i = 0; i < ActorCount; i++)
                turn.Spawn(child);
            return default;
        }
    }

    private sealed class Mayfly(Counter counter) : Actor
    {
        protected override ValueTask StartedAsync(ActorTurn turn)
        {
            turn.StopSelf();
            return default;
        }

        protected override ValueTask StoppedAsync(ActorTurn turn)
        {
            counter.CountShared();
            return default;
        }

        protected override ValueTask ReceiveAsync(object message, ActorTurn turn) => default;
    }
}
