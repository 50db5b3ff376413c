namespace Astra.Hosting;

/// <summary>A whole Astra in this process: the database, the kernel's node, the agents and the gateway in front of them.</summary>
public sealed class AstraServer(ServerOptions options) : IServerHost
{
    private readonly TaskCompletionSource _stopRequested = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Uri? _address;

    public Uri Address => _address ?? throw new InvalidOperationException("The server has no address before it has started.");

    public Task StopRequested => _stopRequested.Task;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _address = null;
        throw new CommandException($"This build of Astra cannot start a server on {options.DataDirectory}.");
    }

    public ValueTask DisposeAsync()
    {
        _stopRequested.TrySetResult();
        return ValueTask.CompletedTask;
    }
}
