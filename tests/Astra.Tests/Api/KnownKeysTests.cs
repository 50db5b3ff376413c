using System.Security.Cryptography;
using Astra.Governance;
using Astra.Kernel;
using Astra.Testing.Governance;
using Astra.Testing.Time;
using Astra.Tests.EndToEnd;

namespace Astra.Tests.Api;

/// <summary>What a server remembers of keys, and that it never outlives a revocation.</summary>
public sealed class KnownKeysTests : IAsyncLifetime
{
    private static readonly TimeSpan NearlyOld = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan Old = TimeSpan.FromMilliseconds(500);
    private static readonly TenantId Tenant = new(Guid.NewGuid());
    private static readonly byte[] Hash = SHA256.HashData("a key"u8);

    private readonly WatchedStore _store = new();
    private readonly ShiftedClock _clock = new();
    private readonly ApiKeyRecord _key = new(Guid.NewGuid(), Tenant, "laptop", Role.Member, DateTimeOffset.UnixEpoch, RevokedAt: null);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await _store.AddAsync(_key, Hash, Ct);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task A_busy_key_is_asked_about_once_and_then_beside_the_requests_that_use_it()
    {
        var keys = new KnownKeys(_store, _clock);
        for (var i = 0; i < 3; i++)
            Assert.Equal(_key, await keys.FindAsync(Hash, Ct));
        Assert.Equal(1, _store.Asked);

        _store.Hold();
        _clock.Advance(NearlyOld);
        for (var i = 0; i < 3; i++)
            Assert.Equal(_key, await keys.FindAsync(Hash, Ct));
        Assert.Equal(2, _store.Asked);
        _store.LetGo();

        await Eventually.HoldsAsync("what was asked beside counts from when it was asked", async () => await keys.FindAsync(Hash, Ct) == _key && _store.Answered == 2);
        _clock.Advance(NearlyOld);
        _store.Hold();
        Assert.Equal(_key, await keys.FindAsync(Hash, Ct));
    }

    [Fact]
    public async Task What_is_known_counts_for_half_a_second_and_not_a_moment_longer()
    {
        var keys = new KnownKeys(_store, _clock);
        await keys.FindAsync(Hash, Ct);
        await _store.RevokeAsync(Tenant, _key.Id, Ct);

        _clock.Advance(Old);

        Assert.NotNull((await keys.FindAsync(Hash, Ct))!.RevokedAt);
    }

    [Fact]
    public async Task When_a_revocation_is_answered_no_server_takes_the_key_any_more()
    {
        var (here, elsewhere) = (new KnownKeys(_store, _clock), new KnownKeys(_store, TimeProvider.System));
        using var over = new CancellationTokenSource();
        var busy = Task.Run(
            async () =>
            {
                while (!over.IsCancellationRequested)
                {
                    await elsewhere.FindAsync(Hash, Ct);
                    await Task.Yield();
                }
            },
            Ct);
        await here.FindAsync(Hash, Ct);

        Assert.True(await here.RevokeAsync(Tenant, _key.Id, Ct));

        Assert.NotNull((await here.FindAsync(Hash, Ct))!.RevokedAt);
        Assert.NotNull((await elsewhere.FindAsync(Hash, Ct))!.RevokedAt);
        await over.CancelAsync();
        await busy;
    }

    [Fact]
    public async Task An_answer_that_was_on_its_way_when_the_key_was_revoked_is_not_kept()
    {
        var keys = new KnownKeys(_store, _clock);
        _store.Hold();
        var early = keys.FindAsync(Hash, Ct).AsTask();

        await keys.RevokeAsync(Tenant, _key.Id, Ct);
        _store.LetGo();

        Assert.Null((await early)!.RevokedAt);
        Assert.NotNull((await keys.FindAsync(Hash, Ct))!.RevokedAt);
    }

    [Fact]
    public async Task While_the_store_is_away_what_is_known_still_opens_until_it_is_too_old()
    {
        var keys = new KnownKeys(_store, _clock);
        await keys.FindAsync(Hash, Ct);
        _store.IsAway = true;

        _clock.Advance(NearlyOld);
        Assert.Equal(_key, await keys.FindAsync(Hash, Ct));
        _clock.Advance(Old);

        await Assert.ThrowsAsync<IOException>(async () => await keys.FindAsync(Hash, Ct));
    }

    [Fact]
    public async Task A_key_that_is_made_opens_at_once_although_it_has_been_asked_about_before()
    {
        var keys = new KnownKeys(_store, _clock);
        var (hash, key) = (SHA256.HashData("another"u8), _key with { Id = Guid.NewGuid(), Name = "new" });
        Assert.Null(await keys.FindAsync(hash, Ct));

        await keys.AddAsync(key, hash, Ct);

        Assert.Equal(key, await keys.FindAsync(hash, Ct));
    }

    /// <summary>Counts what it is asked, and answers when it is let: with what was true when it was asked.</summary>
    private sealed class WatchedStore : IApiKeyStore
    {
        private readonly IApiKeyStore _inner = new InMemoryGovernance(new SystemClock());
        private volatile TaskCompletionSource _open = Opened();
        private int _asked;
        private int _answered;

        public int Asked => Volatile.Read(ref _asked);

        public int Answered => Volatile.Read(ref _answered);

        public bool IsAway { get; set; }

        public void Hold() => _open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        public void LetGo() => _open.TrySetResult();

        public async ValueTask<ApiKeyRecord?> FindAsync(ReadOnlyMemory<byte> sha256, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _asked);
            if (IsAway)
                throw new IOException("the store is away");
            var found = await _inner.FindAsync(sha256, cancellationToken);
            await _open.Task.WaitAsync(cancellationToken);
            Interlocked.Increment(ref _answered);
            return found;
        }

        public ValueTask AddAsync(ApiKeyRecord key, ReadOnlyMemory<byte> sha256, CancellationToken cancellationToken) => _inner.AddAsync(key, sha256, cancellationToken);

        public ValueTask<bool> RevokeAsync(TenantId tenant, Guid id, CancellationToken cancellationToken) => _inner.RevokeAsync(tenant, id, cancellationToken);

        public ValueTask<IReadOnlyList<ApiKeyRecord>> ListAsync(TenantId tenant, CancellationToken cancellationToken) => _inner.ListAsync(tenant, cancellationToken);

        private static TaskCompletionSource Opened()
        {
            var open = new TaskCompletionSource();
            open.SetResult();
            return open;
        }
    }
}
