using Astra.Kernel;
using Astra.Kernel.Actors;
using BenchmarkDotNet.Attributes;

namespace Astra.Benchmarks;

/// <summary>
/// The mailbox and the turn that reads it, alone on one thread: what a message costs before any other core, the thread
/// pool or a wake-up comes into it.
/// </summary>
[MemoryDiagnoser]
public class MailboxBenchmarks
{
    private const int MessageCount = 1024;

    private readonly object _message = new();
    private readonly OneThread _dispatcher = new();
    private ActorRef _actor = null!;

    [GlobalSetup]
    public void SetUp()
    {
        var actors = new ActorSystem(_dispatcher, new SystemClock(), new SystemRandomness());
        _actor = actors.Spawn(new ActorOptions { Create = () => new Idler() });
        _dispatcher.Run();
    }

    [Benchmark(OperationsPerInvoke = MessageCount)]
    public void MailboxAlone()
    {
        for (var i = 0; i < MessageCount; i++)
            _actor.TrySend(_message);
        _dispatcher.Run();
    }

    [Benchmark]
    public void OneMessageToAnIdleActor()
    {
        _actor.TrySend(_message);
        _dispatcher.Run();
    }

    private sealed class Idler : Actor
    {
        protected override ValueTask ReceiveAsync(object message, ActorTurn turn) => default;
    }

    private sealed class OneThread : IDispatcher
    {
        private readonly Queue<IThreadPoolWorkItem> _posted = new();

        public SynchronizationContext Continuations { get; } = new();

        public void Post(IThreadPoolWorkItem turn) => _posted.Enqueue(turn);

        // A ring that has grown asks to be looked at seconds later; here it stays as it is.
        public IDisposable Schedule(TimeSpan delay, Action callback) => Never.Instance;

        public void Run()
        {
            while (_posted.TryDequeue(out var turn))
                turn.Execute();
        }
    }

    private sealed class Never : IDisposable
    {
        public static readonly Never Instance = new();

        public void Dispose()
        {
        }
    }
}
