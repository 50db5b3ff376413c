using System.Collections.Concurrent;
using System.Net;

namespace Astra.Chaos;

/// <summary>The outside world: takes effects over HTTP and counts them by their idempotency key. It forgives nothing: a key
/// that comes twice is counted twice.</summary>
internal sealed class EffectReceiver : IAsyncDisposable
{
    public const string KeyHeader = "Idempotency-Key";

    private readonly HttpListener _listener = new();
    private readonly ConcurrentDictionary<string, int> _counts = new(StringComparer.Ordinal);
    private readonly Task _listening;

    public EffectReceiver(int port)
    {
        Address = new Uri($"http://127.0.0.1:{port}/");
        _listener.Prefixes.Add(Address.ToString());
        _listener.Start();
        _listening = ListenAsync();
    }

    public Uri Address { get; }

    public int Total => _counts.Values.Sum();

    public int CountOf(string key) => _counts.GetValueOrDefault(key);

    public IEnumerable<KeyValuePair<string, int>> All => _counts;

    public async ValueTask DisposeAsync()
    {
        _listener.Close();
        await _listening;
    }

    private async Task ListenAsync()
    {
        while (true)
        {
            try
            {
                var asked = await _listener.GetContextAsync();
                if (asked.Request.Headers[KeyHeader] is { } key)
                    _counts.AddOrUpdate(key, 1, (_, count) => count + 1);
                asked.Response.StatusCode = 204;
                asked.Response.Close();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or InvalidOperationException)
            {
                if (!_listener.IsListening)
                    return;
                // Whoever asked has died while asking; it is counted.
            }
        }
    }
}
