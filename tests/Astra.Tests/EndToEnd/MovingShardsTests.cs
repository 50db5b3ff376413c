using System.Collections.Concurrent;
using Astra.Sdk;
using Astra.Tests.Durability;
using Xunit;

namespace Astra.Tests.EndToEnd;

/// <summary>Servers that join and leave a fleet while it is at work.</summary>
public sealed class MovingShardsTests(PostgresFixture postgres) : IAsyncDisposable
{
    private const int ClientCount = 4;
    private const int TerminateSignal = 15;

    private static readonly CancellationToken None = CancellationToken.None;

    private readonly AstraMachine _machine = new();

    [Fact]
    public async Task Servers_join_and_leave_under_load_and_no_request_fails_that_is_made_once_more()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        using var servers = await TwoServers.StartAsync(_machine, database);
        using var load = new Load([servers.One, servers.Other]);
        await servers.One.RegisterAgentAsync(new AgentRegistration("nobody", "Has no worker, so that its goals stay."), None);
        load.Start();
        await load.DoesAsync(15);

        var third = _machine.DataOf("third");
        var joining = await _machine.ServeAsync(third, "--database", database.Address);
        using var newcomer = await AstraMachine.ClientAsync(third, keyFrom: _machine.DataOf("first"));
        load.Add(newcomer);
        await Eventually.HoldsAsync("three servers divide the shards", () => DividedAsync(newcomer, 3), joining.ToString);
        await load.DoesAsync(15);

        await servers.One.DrainAsync(true, None);
        await Eventually.HoldsAsync("the first has given its shards away", () => DividedAsync(newcomer, 2), servers.First.ToString);
        await load.DoesAsync(15);
        // Its clients are not told: they find it gone.
        Assert.Equal(0, AstraProcess.Signal(servers.First.Id, TerminateSignal));
        await servers.First.EndsAsync();
        await load.DoesAsync(25);

        // By now they know. Another is told to stop while it has all its shards: with two dead addresses of three, trying the
        // next one once would say more about the addresses than about the servers.
        load.Remove(servers.One);
        Assert.Equal(0, AstraProcess.Signal(servers.Second.Id, TerminateSignal));
        await servers.Second.EndsAsync();
        await load.DoesAsync(25);
        await Eventually.HoldsAsync("the last one has every shard", () => DividedAsync(newcomer, 1), joining.ToString);
        await load.StopAsync();
        Assert.All([servers.First, servers.Second, joining], server => Assert.DoesNotContain("error in", server.Error, StringComparison.Ordinal));

        Assert.DoesNotContain(load.Failed, failed => failed.Server == newcomer);
        Assert.True(load.FailedTwice.IsEmpty, $"{load.FailedTwice.Count} of {load.DoneCount} failed twice:\n{string.Join('\n', load.FailedTwice.Take(10))}");
        foreach (var (goal, steps) in load.Goals)
        {
            Assert.Equal(GoalState.Active, (await newcomer.GetGoalAsync(goal, None)).State);
            Assert.Equal(steps.Order(StringComparer.Ordinal), (await newcomer.GetPlanAsync(goal, None)).Tasks.Select(task => task.Name).Where(name => name.StartsWith("step-", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        }
        Assert.Equal(load.Goals.Count, await CountAsync(newcomer));
    }

    public ValueTask DisposeAsync() => _machine.DisposeAsync();

    private static async Task<bool> DividedAsync(AstraClient client, int servers) => await client.GetStatusAsync(None) is var status
        && status.Nodes.Count(node => node is { Alive: true, Shards: > 0 }) == servers && status.Nodes.Sum(node => node.Shards) == status.ShardsTotal;

    private static async Task<int> CountAsync(AstraClient client)
    {
        var count = 0;
        string? cursor = null;
        do
        {
            var page = await client.ListGoalsAsync(cursor: cursor, limit: 500, cancellationToken: None);
            (count, cursor) = (count + page.Items.Count, page.Next);
        }
        while (cursor is not null);
        return count;
    }

    /// <summary>Clients that submit, read and edit through whichever server is next. What fails in passing is made once more,
    /// after as long as the server said, through another one.</summary>
    private sealed class Load(IEnumerable<AstraClient> servers) : IDisposable
    {
        private readonly List<AstraClient> _servers = [.. servers];
        private readonly CancellationTokenSource _stop = new();
        private readonly List<Task> _clients = [];
        private readonly int[] _done = new int[ClientCount];
        private int _next;

        public ConcurrentDictionary<Guid, ConcurrentBag<string>> Goals { get; } = [];
        public ConcurrentQueue<(AstraClient Server, string Why)> Failed { get; } = [];
        public ConcurrentQueue<string> FailedTwice { get; } = [];
        public int DoneCount => _done.Sum();

        public void Add(AstraClient server)
        {
            lock (_servers)
                _servers.Add(server);
        }

        public void Remove(AstraClient server)
        {
            lock (_servers)
                _servers.Remove(server);
        }

        public void Start()
        {
            for (var i = 0; i < ClientCount; i++)
            {
                var client = i;
                _clients.Add(Task.Run(() => WorkAsync(client)));
            }
        }

        /// <summary>Everyone has done so much more, and nobody still has to make a request again that began before.</summary>
        public Task DoesAsync(int more)
        {
            var until = _done.Select(done => done + more).ToArray();
            return Eventually.HoldsAsync(
                $"{more} more requests of each", () => Task.FromResult(_done.Zip(until).All(done => done.First >= done.Second) || _clients.Exists(client => client.IsFaulted)));
        }

        public async Task StopAsync()
        {
            await _stop.CancelAsync();
            await Task.WhenAll(_clients);
        }

        public void Dispose() => _stop.Dispose();

        private async Task WorkAsync(int client)
        {
            var own = new List<Guid>();
            for (var number = 0; !_stop.IsCancellationRequested; number++)
            {
                Volatile.Write(ref _done[client], number);
                if (own.Count == 0 || number % 5 == 0)
                {
                    var key = Guid.NewGuid().ToString("N");
                    if (await AskAsync("submit", server => server.SubmitAsync(new GoalSubmission { Agent = "nobody" }, key, None)) is { } goal)
                    {
                        own.Add(goal.Id);
                        Goals[goal.Id] = [];
                    }
                    continue;
                }
                var id = own[number * 7 % own.Count];
                if (number % 2 == 0)
                {
                    await AskAsync("read", server => server.GetGoalAsync(id, None));
                    continue;
                }
                var step = $"step-{number}";
                var edit = new PlanPatch([new AddStep { Name = step, Executor = "agent:nobody" }]);
                if (await AskAsync("edit", server => AmendAsync(server, id, edit)) is not null)
                    Goals[id].Add(step);
            }
        }

        private static async Task<string> AmendAsync(AstraClient server, Guid goal, PlanPatch edit)
        {
            try
            {
                return $"{await server.AmendPlanAsync(goal, edit, cancellationToken: None)}";
            }
            catch (AstraException e) when (e.Status is 409 or 422 && e.Message.Contains("already", StringComparison.Ordinal))
            {
                // The first time, to which no answer came.
                return e.Message;
            }
        }

        private async Task<T?> AskAsync<T>(string what, Func<AstraClient, Task<T>> ask) where T : class
        {
            var server = Next();
            try
            {
                return await ask(server);
            }
            catch (AstraException e) when (e.Status is 0 or 429 or >= 500)
            {
                Failed.Enqueue((server, $"{what}: {e.Status} {e.Message}"));
                await Task.Delay(e.RetryAfter ?? TimeSpan.Zero);
                try
                {
                    return await ask(Next(except: server));
                }
                catch (AstraException again)
                {
                    FailedTwice.Enqueue($"{what}: {e.Status} {e.Message} Then: {again.Status} {again.Message}");
                    return null;
                }
            }
        }

        private AstraClient Next(AstraClient? except = null)
        {
            lock (_servers)
                return _servers[_next++ % _servers.Count] is var server && server != except ? server : _servers[_next++ % _servers.Count];
        }
    }
}
