using System.Collections.Concurrent;
using System.Net;
using Astra.Sdk;
using Astra.Tests.Api;
using Astra.Tests.Durability;
using Xunit;

namespace Astra.Tests.EndToEnd;

/// <summary>What becomes of connections over HTTP/2 when a real server stops.</summary>
public sealed class Http2StopTests(PostgresFixture postgres) : IAsyncDisposable
{
    private readonly AstraMachine _machine = new();

    [Fact]
    public async Task A_server_that_stops_takes_leave_of_silent_and_idle_connections_and_of_workers()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var server = await _machine.ServeAsync(_machine.Data, "--database", database.Address);
        using var client = await AstraMachine.ClientAsync(_machine.Data);
        using var silent = await RawConnection.OpenAsync(client.Address);
        using var idle = await RawConnection.OpenAsync(client.Address);
        await idle.SendAsync(RawConnection.Http2Preface);
        await idle.SendAsync(RawConnection.EmptySettings);
        Assert.Equal(RawConnection.SettingsFrame, (await idle.ReadFrameAsync()).Kind);
        var said = new ConcurrentQueue<string>();
        using var stop = new CancellationTokenSource();
        var working = new AstraWorker(client.Address, _machine.Data.ReadAdminKey()!) { HttpVersion = HttpVersion.Version20, Log = said.Enqueue }.Add(TestAgent.Echo()).RunAsync(stop.Token);
        await Eventually.HoldsAsync("a worker over HTTP/2", () => Task.FromResult(working.IsCompleted || !said.IsEmpty));

        server.Terminate();
        await server.EndsWithAsync(0);

        // A connection that has to be cut is reset, and reading from it is an exception.
        Assert.Empty(await silent.ReadToEndAsync());
        while ((await idle.ReadFrameAsync()).Kind != RawConnection.GoAwayFrame)
        {
        }
        await idle.ReadToEndAsync();
        await Eventually.HoldsAsync("a worker that was told", () => Task.FromResult(working.IsCompleted || said.Any(line => line.Contains("The server is stopping.", StringComparison.Ordinal))), () => string.Join('\n', said));
        Assert.StartsWith("Connected to", said.First(), StringComparison.Ordinal);
        await stop.CancelAsync();
        await working;
    }

    public ValueTask DisposeAsync() => _machine.DisposeAsync();
}
