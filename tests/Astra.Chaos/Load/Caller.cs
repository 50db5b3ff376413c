using Astra.Sdk;

namespace Astra.Chaos.Load;

/// <summary>Asks one server after the other until one answers. What broke off or came back as "not now" is asked again, with
/// the same idempotency key; a real no is passed on.</summary>
internal sealed class Caller(IReadOnlyList<AstraClient> servers) : IDisposable
{
    private static readonly TimeSpan AnswerTimeMax = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private int _next;
    private long _retryCount;

    public long RetryCount => Interlocked.Read(ref _retryCount);

    /// <summary>How often each status came back that was tried again; 0 is a connection that broke or was not made.</summary>
    public System.Collections.Concurrent.ConcurrentDictionary<int, int> Retried { get; } = new();

    public async Task<T> AskAsync<T>(Func<AstraClient, CancellationToken, Task<T>> ask, CancellationToken cancellationToken)
    {
        while (true)
        {
            var server = servers[(int)((uint)Interlocked.Increment(ref _next) % servers.Count)];
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(AnswerTimeMax);
            var pause = Pause;
            try
            {
                return await ask(server, patience.Token);
            }
            catch (AstraException e) when (e.Status is 0 or 408 or 421 or 429 or >= 500)
            {
                Count(e.Status);
                if (e.RetryAfter is { } after && after < TimeSpan.FromSeconds(1))
                    pause = after;
            }
            catch (Exception e) when (e is IOException or HttpRequestException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
            {
                Count(0);
            }
            await Task.Delay(pause, cancellationToken);
        }
    }

    public void Dispose()
    {
        foreach (var server in servers)
            server.Dispose();
    }

    private void Count(int status)
    {
        Interlocked.Increment(ref _retryCount);
        Retried.AddOrUpdate(status, 1, (_, count) => count + 1);
    }
}
