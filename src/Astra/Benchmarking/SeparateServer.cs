using Astra.Commands;
using Astra.Hosting;
using Astra.Tools.Programs;

namespace Astra.Benchmarking;

/// <summary>A server in a process of its own, on a data directory of its own, with the defaults that users get. It leaves
/// nothing behind.</summary>
internal sealed class SeparateServer : IAsyncDisposable
{
    private static readonly TimeSpan StartTimeMax = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan StopTimeMax = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan PollPeriod = TimeSpan.FromMilliseconds(50);

    private readonly TrustedProgram _program;
    private readonly DataDirectory _data;

    private SeparateServer(TrustedProgram program, DataDirectory data, ServerSession session) =>
        (_program, _data, Session) = (program, data, session);

    public ServerSession Session { get; }

    public Uri Address => Session.File.Address;

    public string ApiKey => _data.ReadAdminKey()!;

    public int ProcessId => _program.Id;

    public TimeSpan ProcessorTime => _program.ProcessorTime;

    public static async Task<SeparateServer> StartAsync(Surroundings surroundings, string? databaseUrl, CancellationToken cancellationToken)
    {
        var data = new DataDirectory(Path.Combine(Path.GetTempPath(), $"astra-bench-{Environment.ProcessId}"));
        data.Ensure();
        List<string> arguments = ["serve", "--port", "0", "--data", data.Path, "--no-local-models"];
        if (databaseUrl is not null)
            arguments.AddRange(["--database", databaseUrl]);
        var program = TrustedProgram.StartSelf(arguments);
        var access = new ServerAccess(surroundings, data, databaseUrl, verbose: false);
        var began = surroundings.Clock.GetTimestamp();
        try
        {
            while (true)
            {
                if (await access.FindAsync(cancellationToken) is { } session)
                    return new SeparateServer(program, data, session);
                if (program.HasEnded || surroundings.Clock.GetElapsedTime(began) > StartTimeMax)
                    throw new CommandException($"The server to measure did not start: {program.LastLines}");
                await Task.Delay(PollPeriod, surroundings.Clock, cancellationToken);
            }
        }
        catch
        {
            program.Dispose();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(StopTimeMax);
        try
        {
            await Session.Link.RequestStopAsync(patience.Token);
            await _program.WaitForEndAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            // Then it is ended without being asked; its database adopts nothing, because its directory goes too.
        }
        finally
        {
            await Session.DisposeAsync();
            _program.Dispose();
            if (Directory.Exists(_data.Path))
                Directory.Delete(_data.Path, recursive: true);
        }
    }
}
