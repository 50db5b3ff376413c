using System.Diagnostics;
using System.Net.WebSockets;
using Astra.Sdk;

namespace Astra.Benchmarking.Tasks;

/// <summary>
/// How long the task of a dead worker waits for another one: from the last that was heard of the worker to the moment
/// the next worker has the task. Half of the workers lose their connection, half fall silent with theirs open.
/// </summary>
internal sealed class TakeoverWorkload(IAstraClient client, Uri address, string key, Action<string> progress)
{
    public const string Name = "takeover";

    private const string Agent = "bench-takeover";
    private const int Victims = 60;
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(2);

    public async Task<IReadOnlyList<Figure>> RunAsync(int runCount, CancellationToken cancellationToken)
    {
        var (p50, p99) = (new List<double>(), new List<double>());
        for (var run = 1; run <= runCount; run++)
        {
            progress($"{Name}: run {run} of {runCount}, {Victims} takeovers");
            var waits = await MeasureAsync(cancellationToken);
            p50.Add(waits[waits.Count / 2]);
            p99.Add(waits[(int)(waits.Count * 0.99)]);
        }
        return [new Figure(TasksSuite.Name, Name, "p50", "leases", p50), new Figure(TasksSuite.Name, Name, "p99", "leases", p99)];
    }

    private async Task<List<double>> MeasureAsync(CancellationToken cancellationToken)
    {
        var victims = new List<Connection>();
        try
        {
            for (var i = 0; i < Victims; i++)
                victims.Add(await Connection.OpenAsync(address, key, slots: 1, cancellationToken));
            var plan = Enumerable.Range(0, Victims).Select(i => (PlanEdit)new AddStep
            {
                Name = $"t{i}", Executor = AgentRunner.ExecutorOf(Agent), Kind = "hold", LeaseSeconds = Lease.TotalSeconds,
            }).ToList();
            var goal = await client.SubmitAsync(new GoalSubmission { Title = "bench", Plan = plan }, cancellationToken: cancellationToken);
            foreach (var victim in victims)
                victim.Held = await victim.NextTaskAsync(cancellationToken);

            await using var rescuer = await Connection.OpenAsync(address, key, slots: Victims, cancellationToken);
            var lastHeard = new Dictionary<Guid, long>();
            for (var i = 0; i < victims.Count; i++)
            {
                var (victim, held) = (victims[i], victims[i].Held!);
                lastHeard[held.TaskId] = Stopwatch.GetTimestamp();
                if (i % 2 == 0)
                    victim.Abort();
                else
                    victim.Send(new WorkerFrame.Heartbeat([new TaskAttempt(held.TaskId, held.Attempt)]));
            }

            var waits = new List<double>();
            while (waits.Count < Victims)
            {
                var task = await rescuer.NextTaskAsync(cancellationToken);
                waits.Add(Stopwatch.GetElapsedTime(lastHeard[task.TaskId]) / Lease);
                rescuer.Send(new WorkerFrame.Complete(task.TaskId, task.Attempt, AstraJson.ToElement(null), null));
            }
            // A connection that is cut with reports on their way would leave tasks for the next run.
            await new TasksLoad(client).CompletedAsync(goal.Id, cancellationToken);
            waits.Sort();
            return waits;
        }
        finally
        {
            foreach (var victim in victims)
                await victim.DisposeAsync();
        }
    }

    /// <summary>A worker frame by frame, so that it can die the way a test wants.</summary>
    private sealed class Connection : IAsyncDisposable
    {
        private readonly FrameSocket<ServerFrame, WorkerFrame> _frames;

        private Connection(WebSocket socket) => _frames = new FrameSocket<ServerFrame, WorkerFrame>(socket);

        public TaskAssignment? Held { get; set; }

        public static async Task<Connection> OpenAsync(Uri address, string key, int slots, CancellationToken cancellationToken)
        {
            var socket = new ClientWebSocket();
            socket.Options.SetRequestHeader("Authorization", $"Bearer {key}");
            await socket.ConnectAsync(new UriBuilder(new Uri(address, "/api/v1/workers/connect")) { Scheme = "ws" }.Uri, cancellationToken);
            var connection = new Connection(socket);
            connection.Send(new WorkerFrame.Hello("bench", [new AgentRegistration(Agent, "Held by workers that die.")], slots));
            if (await connection._frames.ReceiveAsync(cancellationToken) is not ServerFrame.Welcome)
                throw new InvalidOperationException("The server did not welcome a benchmark's worker.");
            return connection;
        }

        public void Send(WorkerFrame frame)
        {
            if (!_frames.TrySend(frame))
                throw new InvalidOperationException("The connection of a benchmark's worker is gone.");
        }

        public async Task<TaskAssignment> NextTaskAsync(CancellationToken cancellationToken)
        {
            while (true)
            {
                switch (await _frames.ReceiveAsync(cancellationToken))
                {
                    case ServerFrame.Assign assign:
                        return assign.Task;
                    case null:
                        throw new InvalidOperationException("The server closed the connection of a benchmark's worker.");
                }
            }
        }

        public void Abort() => _frames.Abort();

        public ValueTask DisposeAsync()
        {
            _frames.Abort();
            return _frames.DisposeAsync();
        }
    }
}
