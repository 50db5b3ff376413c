using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Astra.Kernel;

namespace Astra.Governance;

/// <summary>
/// API keys as the store had them at most half a second ago, so that a busy key is not looked up for each of its requests. Whoever
/// revokes one is answered when that time is over: every server that shares the store has asked it again by then, and so a revoked
/// key fails on its next request, wherever that arrives. Keys that are revoked or unknown are asked about each time.
/// </summary>
public sealed class KnownKeys(IApiKeyStore store, TimeProvider clock) : IApiKeyStore
{
    /// <summary>Since the store was asked, on this process's monotonic clock; what is older counts for nothing.</summary>
    private static readonly TimeSpan AgeMax = TimeSpan.FromMilliseconds(500);

    /// <summary>From here on the next use asks again, beside the request that it serves.</summary>
    private static readonly TimeSpan RefreshAge = AgeMax / 2;

    /// <summary>A timer may be early, and another machine's clock slow: how much longer than <see cref="AgeMax"/> a revocation waits.</summary>
    private static readonly TimeSpan Margin = TimeSpan.FromMilliseconds(100);

    private const int CountMax = 10_000;

    private readonly ConcurrentDictionary<Sha256, Known> _known = new();
    private long _revokedAt;

    public ValueTask<ApiKeyRecord?> FindAsync(ReadOnlyMemory<byte> sha256, CancellationToken cancellationToken)
    {
        if (_known.TryGetValue(Sha256.Of(sha256.Span), out var known) && IsFresh(known))
        {
            if (clock.GetElapsedTime(known.AskedAt) >= RefreshAge && known.TryBeginRefresh())
                _ = RefreshAsync(sha256);
            return ValueTask.FromResult<ApiKeyRecord?>(known.Key);
        }
        return AskAsync(sha256, cancellationToken);
    }

    public ValueTask AddAsync(ApiKeyRecord key, ReadOnlyMemory<byte> sha256, CancellationToken cancellationToken) => store.AddAsync(key, sha256, cancellationToken);

    public async ValueTask<bool> RevokeAsync(TenantId tenant, Guid id, CancellationToken cancellationToken)
    {
        var isRevoked = await store.RevokeAsync(tenant, id, cancellationToken);
        // Nothing that was asked before this moment counts here any more; for the others, time has to pass.
        Volatile.Write(ref _revokedAt, clock.GetTimestamp());
        if (isRevoked)
            await Task.Delay(AgeMax + Margin, clock, cancellationToken);
        return isRevoked;
    }

    public ValueTask<IReadOnlyList<ApiKeyRecord>> ListAsync(TenantId tenant, CancellationToken cancellationToken) => store.ListAsync(tenant, cancellationToken);

    private bool IsFresh(Known known) => clock.GetElapsedTime(known.AskedAt) < AgeMax && known.AskedAt > Volatile.Read(ref _revokedAt);

    private async ValueTask<ApiKeyRecord?> AskAsync(ReadOnlyMemory<byte> sha256, CancellationToken cancellationToken)
    {
        var askedAt = clock.GetTimestamp();
        var found = await store.FindAsync(sha256, cancellationToken);
        var hash = Sha256.Of(sha256.Span);
        if (found is { RevokedAt: null })
            Keep(hash, new Known(found, askedAt));
        else
            _known.TryRemove(hash, out _);
        return found;
    }

    private async Task RefreshAsync(ReadOnlyMemory<byte> sha256)
    {
        try
        {
            await AskAsync(sha256, CancellationToken.None);
        }
        catch
        {
            // The store is away. What is known grows too old soon, and then the request that asks is told.
        }
    }

    private void Keep(Sha256 hash, Known known)
    {
        if (_known.Count >= CountMax)
        {
            foreach (var (old, one) in _known)
            {
                if (!IsFresh(one))
                    _known.TryRemove(old, out _);
            }
        }
        if (_known.Count < CountMax)
            _known[hash] = known;
    }

    /// <param name="AskedAt">Before the question went to the store.</param>
    private sealed record Known(ApiKeyRecord Key, long AskedAt)
    {
        private int _isRefreshing;

        public bool TryBeginRefresh() => Interlocked.Exchange(ref _isRefreshing, 1) == 0;
    }

    private readonly record struct Sha256(UInt128 First, UInt128 Last)
    {
        public static Sha256 Of(ReadOnlySpan<byte> bytes) => MemoryMarshal.Read<Sha256>(bytes);
    }
}
