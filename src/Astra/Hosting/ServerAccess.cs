using System.Net.Http;
using System.Security.Cryptography;
using System.Text;
using Astra.Commands;
using Astra.Sdk;

namespace Astra.Hosting;

/// <summary>
/// Gets a command its server: the one that runs on the data directory if there is one, otherwise one in this process
/// that stops when the command ends. Never two on one data directory.
/// </summary>
public sealed class ServerAccess(Surroundings surroundings, DataDirectory data, string? databaseUrl, bool verbose)
{
    // A server on this machine answers in milliseconds; one that takes longer than this is not there to be used.
    private static readonly TimeSpan AnswerTimeMax = TimeSpan.FromSeconds(3);

    // Creating a database takes about ten seconds on a slow disk. Whoever holds the lock for longer without answering
    // is stuck, and waiting for it any longer would look like we are.
    private static readonly TimeSpan StartTimeMax = TimeSpan.FromSeconds(90);

    // Creating the database the first time takes seconds; a command that says nothing for longer than this seems stuck.
    private static readonly TimeSpan UnexplainedTimeMax = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan PollPeriod = TimeSpan.FromMilliseconds(100);

    public DataDirectory Data => data;

    /// <summary>Whom the command acts as; null is the administrator, by the key in the data directory.</summary>
    public KeyFile? Key { get; init; }

    /// <summary>What a server of this process runs beside the agents the binary ships with.</summary>
    public IReadOnlyList<Agent> Agents { get; init; } = [];

    /// <summary>The running server, or null. Starts nothing and writes nothing.</summary>
    public async Task<ServerSession?> FindAsync(CancellationToken cancellationToken)
    {
        if (data.ReadServerFile() is not { } file)
            return null;
        if (!data.IsLocked())
            return null;
        var link = Connect(file.Address);
        try
        {
            var status = await AskAsync(link, cancellationToken);
            if (status is null)
            {
                await link.DisposeAsync();
                return null;
            }

            return new ServerSession(link, file, status, owned: null);
        }
        catch
        {
            await link.DisposeAsync();
            throw;
        }
    }

    public async Task<ServerSession> OpenAsync(CancellationToken cancellationToken)
    {
        data.Ensure();
        var asked = surroundings.Clock.GetTimestamp();
        while (true)
        {
            if (await FindAsync(cancellationToken) is { } running)
            {
                await RefuseOtherDatabaseAsync(running);
                return running;
            }

            if (data.TryLock() is { } held)
                return await OpenOwnAsync(held, cancellationToken);
            if (surroundings.Clock.GetElapsedTime(asked) > StartTimeMax)
                throw Wedged();
            await Task.Delay(PollPeriod, surroundings.Clock, cancellationToken);
        }
    }

    /// <summary>A server for others to find, in the foreground of this process.</summary>
    public async Task<OwnServer> ServeAsync(Func<ServerOptions, ServerOptions> configure, Func<TextWriter> openLog, CancellationToken cancellationToken)
    {
        data.Ensure();
        var asked = surroundings.Clock.GetTimestamp();
        while (true)
        {
            if (data.TryLock() is { } held)
                return await StartAsync(held, configure, openLog, cancellationToken);
            await using var running = await FindAsync(cancellationToken);
            if (running is not null)
            {
                throw new CommandException(
                    $"A server already runs on {data.Path}, at {running.File.Address} (process {running.File.Pid}); "
                    + $"stop it with `{surroundings.InvokedAs} down`, or choose another directory with --data.");
            }

            if (surroundings.Clock.GetElapsedTime(asked) > StartTimeMax)
                throw Wedged();
            await Task.Delay(PollPeriod, surroundings.Clock, cancellationToken);
        }
    }

    public CommandException Wedged() => new(
        $"Another astra process holds {data.Path} but does not answer; see {data.LogPath}, or end that process and try again.");

    private async Task<ServerSession> OpenOwnAsync(IDisposable held, CancellationToken cancellationToken)
    {
        // What a server in a short command has to say is of interest only when somebody looks for it.
        var starting = StartAsync(held, options => options, () => verbose ? surroundings.Terminal.Error : TextWriter.Null, cancellationToken);
        if (await Task.WhenAny(starting, Task.Delay(UnexplainedTimeMax, surroundings.Clock, CancellationToken.None)) != starting)
            await surroundings.Terminal.Error.WriteLineAsync($"Starting Astra for this command (data in {data.Path}) ...");
        var own = await starting;
        var link = Connect(own.Address);
        try
        {
            var status = await StatusAsync(link, cancellationToken);
            return new ServerSession(link, own.File, status, own);
        }
        catch
        {
            await link.DisposeAsync();
            await own.DisposeAsync();
            throw;
        }
    }

    private async Task<OwnServer> StartAsync(
        IDisposable held, Func<ServerOptions, ServerOptions> configure, Func<TextWriter> openLog, CancellationToken cancellationToken)
    {
        IServerHost? host = null;
        try
        {
            // The file of a server that was killed: its lock is free, so it is not running.
            data.DeleteServerFile();
            host = surroundings.NewServer(configure(new ServerOptions
            {
                DataDirectory = data.Path,
                DatabaseUrl = databaseUrl,
                Log = openLog(),
                Verbose = verbose,
                Agents = Agents,
            }));
            await host.StartAsync(cancellationToken);
            var file = new ServerFile(host.Address, Environment.ProcessId, surroundings.Clock.GetUtcNow(), FingerprintOf(databaseUrl));
            data.WriteServerFile(file);
            return new OwnServer(host, data, file, held);
        }
        catch
        {
            if (host is not null)
                await host.DisposeAsync();
            held.Dispose();
            throw;
        }
    }

    private async Task<StatusView?> AskAsync(IServerLink link, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(AnswerTimeMax);
        try
        {
            return await StatusAsync(link, patience.Token);
        }
        catch (Exception e) when (e is HttpRequestException or AstraException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return null;
        }
    }

    /// <summary>What any key is told that the server knows.</summary>
    private async Task<StatusView> StatusAsync(IServerLink link, CancellationToken cancellationToken)
    {
        try
        {
            return await link.Client.GetStatusAsync(cancellationToken);
        }
        catch (AstraException e) when (e.Status is 401 or 403)
        {
            throw new CommandException(
                Key is { } given
                    ? $"The server on {data.Path} does not accept the key in {given.Path}: {e.Message}"
                    : $"The server on {data.Path} does not accept the key in {data.Path}/admin.key; "
                        + "restart the server, or restore the key it was started with.",
                cause: e);
        }
    }

    private IServerLink Connect(Uri address) => surroundings.Connect(address, Key?.Secret ?? data.ReadAdminKey() ?? "");

    /// <remarks>Answering from another database than the one asked for would be a wrong answer that looks right.</remarks>
    private async Task RefuseOtherDatabaseAsync(ServerSession running)
    {
        if (databaseUrl is null || running.File.Database == FingerprintOf(databaseUrl))
            return;
        await running.DisposeAsync();
        throw new CommandException(
            $"The server that runs on {data.Path} uses another database than the one given; "
            + $"stop it with `{surroundings.InvokedAs} down`, or choose another directory with --data.");
    }

    private static string? FingerprintOf(string? url) =>
        url is null ? null : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(url)))[..16];
}

/// <summary>An API key and the file that somebody named it by.</summary>
public sealed record KeyFile(string Path, string Secret);

/// <summary>A server of this process. The file that others find it by goes first, the lock that keeps others away last.</summary>
public sealed class OwnServer(IServerHost host, DataDirectory data, ServerFile file, IDisposable held) : IAsyncDisposable
{
    public Uri Address => host.Address;
    public ServerFile File => file;
    public Task StopRequested => host.StopRequested;
    public string? Failure => host.Failure;

    public async ValueTask DisposeAsync()
    {
        data.DeleteServerFile();
        try
        {
            await host.DisposeAsync();
        }
        finally
        {
            held.Dispose();
        }
    }
}

/// <summary>A server for as long as a command needs it.</summary>
public sealed class ServerSession(IServerLink link, ServerFile file, StatusView status, OwnServer? owned) : IAsyncDisposable
{
    public IAstraClient Client => link.Client;
    public IServerLink Link => link;
    public ServerFile File => file;
    public StatusView Status => status;
    public bool IsOwn => owned is not null;

    public async ValueTask DisposeAsync()
    {
        await link.DisposeAsync();
        if (owned is not null)
            await owned.DisposeAsync();
    }
}
