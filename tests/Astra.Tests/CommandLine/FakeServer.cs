using System.Collections.Concurrent;
using Astra.Hosting;
using Astra.Sdk;

namespace Astra.Tests.CommandLine;

/// <summary>A server as the command line sees it: goals in memory, moved by the test. It outlives the commands that
/// start and stop it, as a database does. What it answers is in the files beside this one, by subject.</summary>
public sealed partial class FakeServer : IAstraClient
{
    private readonly ConcurrentDictionary<Guid, Goal> _goals = new();
    private readonly ConcurrentDictionary<string, Guid> _keys = new();
    private int _seq;
    private Action _stop = () => { };
    private Host? _host;

    /// <summary>Runs when a goal is submitted: the test's own agent.</summary>
    public Action<Goal> Agent { get; set; } = goal => goal.Complete();

    public List<GoalSubmission> Submissions { get; } = [];
    public List<string?> IdempotencyKeys { get; } = [];
    public List<string> Calls { get; } = [];
    public string? AcceptedKey { get; set; }
    public bool IsRunning { get; private set; }
    public int StartCount { get; private set; }
    public ServerOptions? Options { get; private set; }
    public bool RefusesToCancel { get; set; }
    public Exception? StartFailure { get; set; }
    public Guid LatestGoal => _goals.Values.MaxBy(goal => goal.Number)!.Id;

    public Goal this[Guid id] => Find(id);

    public IServerHost NewHost(ServerOptions options) => new Host(this, options);

    public IServerLink Connect(Uri address, string key) => new Link(this, key);

    /// <summary>The server gives itself up, as when a part of its node fails beyond repair.</summary>
    public void GiveUp(string why)
    {
        _host!.Failure = why;
        _stop();
    }

    private long NextSeq() => Interlocked.Increment(ref _seq);

    private Goal Find(Guid id) => _goals.TryGetValue(id, out var goal) ? goal : throw NotFound("goal", id);

    private static AstraException NotFound(string what, Guid id) => new(404, "Not Found", $"There is no {what} {id}; `astra goal list` shows what there is.");

    private Task<T> Called<T>(string call, T answer)
    {
        Calls.Add(call);
        return Task.FromResult(answer);
    }

    private sealed class Host(FakeServer server, ServerOptions options) : IServerHost
    {
        private readonly TaskCompletionSource _stopRequested = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Uri Address { get; } = new($"http://127.0.0.1:{(options.Port == 0 ? 41234 : options.Port)}/");

        public Task StopRequested => _stopRequested.Task;

        public string? Failure { get; set; }

        public Task StartAsync(CancellationToken cancellationToken)
        {
            if (server.StartFailure is { } failure)
                throw failure;
            server.StartCount++;
            server.IsRunning = true;
            server.Options = options;
            server._stop = () => _stopRequested.TrySetResult();
            server._host = this;
            return Task.CompletedTask;
        }

        public ValueTask DisposeAsync()
        {
            server.IsRunning = false;
            return ValueTask.CompletedTask;
        }
    }

    private sealed class Link(FakeServer server, string key) : IServerLink
    {
        public IAstraClient Client => server.AcceptedKey is { } accepted && accepted != key
            ? throw new AstraException(401, "Unauthorized", "This key is not known here.")
            : server;

        public Task RequestStopAsync(CancellationToken cancellationToken)
        {
            server._stop();
            return Task.CompletedTask;
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
