using Microsoft.Extensions.Hosting;

namespace Astra.Gateway;

/// <summary>
/// The framework's host would end streams and whatever waits as soon as the process is told to stop. Here the server says when:
/// it has something to hand over first.
/// </summary>
internal sealed class NoSignals : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
