using System.Security.Cryptography;
using System.Text;
using Astra.Governance;
using Astra.Kernel;
using Astra.Postgres;
using Npgsql;
using Xunit;

namespace Astra.Tests.Durability;

/// <summary>Tenants, keys and agents in the database.</summary>
public sealed class GovernanceStoreTests(PostgresFixture postgres) : IAsyncLifetime
{
    private static readonly DateTimeOffset At = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    private TestDatabase _database = null!;
    private PostgresStore _store = null!;

    private static CancellationToken None => CancellationToken.None;

    public async ValueTask InitializeAsync()
    {
        _database = await postgres.CreateDatabaseAsync();
        _store = await _database.OpenStoreAsync();
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    [Fact]
    public async Task The_same_name_is_the_same_tenant_even_when_asked_for_at_once()
    {
        var other = await _database.OpenStoreAsync();

        var ids = await Task.WhenAll(Enumerable.Range(0, 10).Select(i => (i % 2 == 0 ? _store : other).Tenants.EnsureAsync("acme", None).AsTask()));

        Assert.Single(ids.Distinct());
        Assert.NotEqual(ids[0], await _store.Tenants.EnsureAsync("other", None));
    }

    [Fact]
    public async Task Keys_that_are_asked_for_at_once_are_answered_each_with_its_own()
    {
        var keys = new List<(ApiKeyRecord Record, byte[] Hash)>();
        foreach (var name in new[] { "acme", "umbrella" })
        {
            var tenant = await _store.Tenants.EnsureAsync(name, None);
            for (var i = 0; i < 20; i++)
            {
                var record = new ApiKeyRecord(Guid.NewGuid(), tenant, $"key {i}", Role.Member, At, RevokedAt: null);
                var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{name} {i}"));
                await _store.ApiKeys.AddAsync(record, hash, None);
                keys.Add((record, hash));
            }
        }

        var asked = Enumerable.Range(0, 500).Select(i => keys[i * 7 % keys.Count]).ToList();
        var found = await Task.WhenAll(asked.Select(key => _store.ApiKeys.FindAsync(key.Hash, None).AsTask()));
        var unknown = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => _store.ApiKeys.FindAsync(SHA256.HashData([(byte)i]), None).AsTask()));

        Assert.Equal(asked.Select(key => key.Record), found);
        Assert.All(unknown, Assert.Null);
    }

    [Fact]
    public async Task A_key_that_is_revoked_while_it_is_asked_for_all_the_time_is_known_as_revoked_at_once()
    {
        var tenant = await _store.Tenants.EnsureAsync("acme", None);
        var key = new ApiKeyRecord(Guid.NewGuid(), tenant, "key", Role.Member, At, RevokedAt: null);
        var hash = SHA256.HashData("busy"u8);
        await _store.ApiKeys.AddAsync(key, hash, None);
        using var over = new CancellationTokenSource();
        var busy = Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            while (!over.IsCancellationRequested)
                await _store.ApiKeys.FindAsync(hash, None);
        })).ToList();

        Assert.True(await _store.ApiKeys.RevokeAsync(tenant, key.Id, None));
        var after = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => _store.ApiKeys.FindAsync(hash, None).AsTask()));

        Assert.All(after, record => Assert.NotNull(record!.RevokedAt));
        await over.CancelAsync();
        await Task.WhenAll(busy);
    }

    [Fact]
    public async Task A_key_is_found_by_its_hash_without_knowing_the_tenant()
    {
        var key = await AddKeyAsync(await _store.Tenants.EnsureAsync("acme", None), "laptop");

        Assert.Equal(key, await _store.ApiKeys.FindAsync(Hash("laptop"), None));
        Assert.Null(await _store.ApiKeys.FindAsync(Hash("another"), None));
    }

    [Fact]
    public async Task A_revoked_key_is_found_as_revoked_by_the_next_request()
    {
        var tenant = await _store.Tenants.EnsureAsync("acme", None);
        var key = await AddKeyAsync(tenant, "laptop");

        Assert.True(await _store.ApiKeys.RevokeAsync(tenant, key.Id, None));
        var revokedAt = (await _store.ApiKeys.FindAsync(Hash("laptop"), None))!.RevokedAt;
        Assert.NotNull(revokedAt);
        Assert.True(await _store.ApiKeys.RevokeAsync(tenant, key.Id, None));
        Assert.Equal(revokedAt, (await _store.ApiKeys.FindAsync(Hash("laptop"), None))!.RevokedAt);
    }

    [Fact]
    public async Task A_tenant_neither_lists_nor_revokes_the_keys_of_another()
    {
        var (acme, other) = (await _store.Tenants.EnsureAsync("acme", None), await _store.Tenants.EnsureAsync("other", None));
        var key = await AddKeyAsync(acme, "laptop");

        Assert.False(await _store.ApiKeys.RevokeAsync(other, key.Id, None));
        Assert.Empty(await _store.ApiKeys.ListAsync(other, None));
        Assert.Equal([key], await _store.ApiKeys.ListAsync(acme, None));
    }

    [Fact]
    public async Task A_key_of_an_unknown_tenant_or_with_a_known_hash_is_refused()
    {
        await AddKeyAsync(await _store.Tenants.EnsureAsync("acme", None), "laptop");

        await Assert.ThrowsAsync<PostgresException>(() => AddKeyAsync(new TenantId(Guid.NewGuid()), "phone"));
        await Assert.ThrowsAsync<PostgresException>(async () => await AddKeyAsync(await _store.Tenants.EnsureAsync("acme", None), "laptop"));
    }

    [Fact]
    public async Task An_agent_is_registered_once_and_described_anew()
    {
        var (acme, other) = (await _store.Tenants.EnsureAsync("acme", None), await _store.Tenants.EnsureAsync("other", None));
        await _store.Agents.RegisterAsync(acme, "writer", "Writes.", None);
        await _store.Agents.RegisterAsync(acme, "auditor", "Audits.", None);
        var first = await _store.Agents.ListAsync(acme, None);
        await _store.Agents.RegisterAsync(acme, "auditor", "Audits packages.", None);

        Assert.Equal(["auditor", "writer"], first.Select(agent => agent.Name));
        Assert.Equal([first[0] with { Description = "Audits packages." }, first[1]], await _store.Agents.ListAsync(acme, None));
        Assert.Empty(await _store.Agents.ListAsync(other, None));
    }

    private static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));

    private async Task<ApiKeyRecord> AddKeyAsync(TenantId tenant, string name)
    {
        var key = new ApiKeyRecord(Guid.CreateVersion7(), tenant, name, Role.OrgAdmin, At, RevokedAt: null);
        await _store.ApiKeys.AddAsync(key, Hash(name), None);
        return key;
    }
}
