using System.Net;
using System.Net.Sockets;
using Astra.Tests.Durability;
using Xunit;

namespace Astra.Tests.EndToEnd;

/// <summary>What keeps a server from starting is said in one sentence, and ends it.</summary>
public sealed class ServerStartTests(PostgresFixture postgres) : IAsyncDisposable
{
    private readonly AstraMachine _machine = new();

    [Fact]
    public async Task A_second_server_on_the_same_data_directory_is_refused()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await _machine.ServeAsync(_machine.Data, "--database", database.Address);
        await RefusesAsync("A server already runs on", "serve", "--port", "0", "--database", database.Address);

        await _machine.Astra("down").EndsWithAsync(0);
        Assert.Empty(_machine.Processes());
    }

    [Fact]
    public async Task A_server_whose_port_is_taken_is_refused()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        await RefusesAsync($"Port {port} on 127.0.0.1 is taken", "serve", "--port", $"{port}", "--database", database.Address);
        Assert.Empty(_machine.Processes());
    }

    [Fact]
    public Task A_server_whose_database_does_not_answer_is_refused() =>
        RefusesAsync("does not let somebody in", "serve", "--port", "0", "--database", "postgres://somebody:secret@127.0.0.1:1/nothing");

    public ValueTask DisposeAsync() => _machine.DisposeAsync();

    private async Task RefusesAsync(string because, params string[] arguments)
    {
        var refused = await _machine.Astra(arguments).EndsWithAsync(1);
        // What a server in the foreground says about its start carries the time of day; the refusal is the last word.
        var sentence = refused.Error.TrimEnd().Split('\n')[^1];
        Assert.StartsWith("astra: ", sentence, StringComparison.Ordinal);
        Assert.Contains(because, sentence, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", refused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", refused.Error, StringComparison.Ordinal);
        Assert.Empty(refused.Out);
    }
}
