using System.Net;
using System.Net.WebSockets;

namespace Astra.Sdk;

/// <summary>
/// Runs agents in this process for a server elsewhere: connects, takes tasks up to its slots, keeps their leases, and
/// connects again when the connection breaks. What ran when it broke is dropped here and issued anew by the server.
/// </summary>
public sealed class AstraWorker
{
    private static readonly TimeSpan ReconnectDelayMin = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan ReconnectDelayMax = TimeSpan.FromSeconds(15);

    // What has been silent for that long is asked whether it lives, and has as long again to say so.
    private static readonly TimeSpan KeepAlivePeriod = TimeSpan.FromSeconds(10);

    private readonly Uri _address;
    private readonly string _apiKey;
    private readonly List<Agent> _agents = [];

    /// <param name="address">The server, for instance http://127.0.0.1:7777.</param>
    public AstraWorker(Uri address, string apiKey) => (_address, _apiKey) = (address, apiKey);

    /// <summary>For people, in `why` and in lists.</summary>
    public string Name { get; init; } = $"{Environment.MachineName}/{Environment.ProcessId}";

    /// <summary>What it has beside its agents, such as `gpu`, for steps that require it.</summary>
    public IReadOnlyList<string> Capabilities { get; init; } = [];

    /// <summary>How many tasks run at once.</summary>
    public int Slots { get; init; } = Environment.ProcessorCount * 2;

    /// <summary>How long tasks may go on after <see cref="RunAsync"/> was cancelled; then they are dropped.</summary>
    public TimeSpan DrainTimeMax { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>1.1, or 2.0, for instance where a proxy in front of the server takes nothing else. It is the same to the server.</summary>
    public Version HttpVersion { get; init; } = System.Net.HttpVersion.Version11;

    /// <summary>Told about connections that were made and lost, in one line.</summary>
    public Action<string> Log { get; init; } = static _ => { };

    public AstraWorker Add(Agent agent)
    {
        _agents.Add(agent);
        return this;
    }

    /// <summary>Works until cancelled, then finishes what it has and returns.</summary>
    /// <exception cref="AstraException">The server will not have this worker: a wrong key, a wrong hello.</exception>
    public async Task RunAsync(CancellationToken cancellationToken = default)
    {
        if (_agents.Count == 0)
            throw new InvalidOperationException("A worker without agents has nothing to do; Add one first.");
        var runner = new AgentRunner(_agents);
        using var client = new AstraClient(_address, _apiKey);
        using var connections = HttpVersion.Major > 1 ? NewConnections() : null;
        var delay = ReconnectDelayMin;
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await using var session = await ConnectAsync(runner, client, connections, cancellationToken);
                Log($"Connected to {_address} as {session.WorkerId}.");
                delay = ReconnectDelayMin;
                await session.RunAsync(DrainTimeMax, cancellationToken);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is IOException || e is AstraException refusal && HttpStatus.IsPassing(refusal.Status))
            {
                Log($"{FailureCause.Sentence(e)} Trying again in {delay.TotalSeconds:0.#} s.");
                if (!await PauseAsync(delay, cancellationToken))
                    return;
                delay = TimeSpan.FromTicks(Math.Min(delay.Ticks * 2, ReconnectDelayMax.Ticks));
            }
        }
    }

    /// <summary>A WebSocket of HTTP/1.1 makes a connection of its own, one of HTTP/2 shares one. That asks, too, whether it lives:
    /// a WebSocket that is tried anew would otherwise be tried on a connection that nobody hears.</summary>
    private static HttpMessageInvoker NewConnections() => new(new SocketsHttpHandler { KeepAlivePingDelay = KeepAlivePeriod, KeepAlivePingTimeout = KeepAlivePeriod });

    private async Task<WorkerSession> ConnectAsync(AgentRunner runner, AstraClient client, HttpMessageInvoker? connections, CancellationToken cancellationToken)
    {
        var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Authorization", $"Bearer {_apiKey}");
        socket.Options.HttpVersion = HttpVersion;
        socket.Options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        socket.Options.CollectHttpResponseDetails = true;
        socket.Options.KeepAliveInterval = KeepAlivePeriod;
        socket.Options.KeepAliveTimeout = KeepAlivePeriod;
        try
        {
            var scheme = _address.Scheme == Uri.UriSchemeHttps ? "wss" : "ws";
            await socket.ConnectAsync(new UriBuilder(new Uri(_address, "/api/v1/workers/connect")) { Scheme = scheme }.Uri, connections, cancellationToken);
        }
        catch (WebSocketException e)
        {
            var status = socket.HttpStatusCode;
            socket.Dispose();
            throw status switch
            {
                default(HttpStatusCode) => new AstraException(0, "No answer", $"No server answers at {_address}: {e.Message}"),
                HttpStatusCode.Unauthorized => new AstraException(401, "Unauthorized", $"{_address} does not know this API key, or it was revoked."),
                _ => new AstraException((int)status, "Refused", $"{_address} refused the worker with {(int)status}."),
            };
        }
        var hello = new WorkerFrame.Hello(Name, [.. _agents.Select(agent => new AgentRegistration(agent.Name, agent.Description))], Slots, Together: true, Messages: true) { Capabilities = Capabilities };
        return await WorkerSession.BeginAsync(new FrameSocket<ServerFrame, WorkerFrame>(socket), hello, runner, client, cancellationToken);
    }

    /// <summary>With jitter, so that a thousand workers do not come back in the same second.</summary>
    private static async Task<bool> PauseAsync(TimeSpan delay, CancellationToken cancellationToken)
    {
        try
        {
            await Task.Delay(delay * (0.5 + Random.Shared.NextDouble()), cancellationToken);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
