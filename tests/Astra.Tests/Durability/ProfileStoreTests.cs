using Astra.Agents;
using Astra.Kernel;
using Astra.Postgres;
using Astra.Sdk;

namespace Astra.Tests.Durability;

/// <summary>Profiles in PostgreSQL.</summary>
public sealed class ProfileStoreTests(PostgresFixture postgres) : IAsyncLifetime
{
    private static readonly AgentProfile Writer = new() { Name = "writer", Prompt = "You write." };

    private TenantId _tenant;
    private TestDatabase _database = null!;
    private PostgresStore _store = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _database = await postgres.CreateDatabaseAsync();
        _store = await _database.OpenStoreAsync();
        _tenant = await _store.Tenants.EnsureAsync("acme", Ct);
        Assert.NotNull(await _store.Agents.RegisterAsync(_tenant, new AgentDefinition("writer", AgentProfile.Class, ""), Ct));
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    [Fact]
    public async Task The_latest_profile_is_the_agents_and_those_before_it_stay_under_their_digests()
    {
        var (first, second) = (StoredProfile.Of(Writer, "key:ada"), StoredProfile.Of(Writer with { Prompt = "You rhyme." }, "key:bob"));
        Assert.True(await _store.Profiles.SaveAsync(_tenant, first, Ct));
        Assert.True(await _store.Profiles.SaveAsync(_tenant, second, Ct));
        Assert.Equal("You rhyme.", (await _store.Profiles.FindAsync(_tenant, "writer", null, Ct))!.Read().Prompt);
        Assert.Equal("You write.", (await _store.Profiles.FindAsync(_tenant, "writer", first.Digest, Ct))!.Read().Prompt);
        Assert.True(await _store.Profiles.SaveAsync(_tenant, first with { SetBy = "key:eve" }, Ct));
        var now = (await _store.Profiles.FindAsync(_tenant, "writer", null, Ct))!;
        Assert.Equal(("You write.", "key:eve"), (now.Read().Prompt, now.SetBy));
        Assert.Null(await _store.Profiles.FindAsync(_tenant, "writer", new string('0', 64), Ct));
    }

    [Fact]
    public async Task Of_a_profile_that_is_changed_again_and_again_the_last_hundred_are_kept()
    {
        var profiles = Enumerable.Range(0, 103).Select(i => StoredProfile.Of(Writer with { Prompt = $"Prompt {i}" }, "key:ada")).ToList();
        foreach (var profile in profiles)
            await _store.Profiles.SaveAsync(_tenant, profile, Ct);
        Assert.Null(await _store.Profiles.FindAsync(_tenant, "writer", profiles[0].Digest, Ct));
        Assert.NotNull(await _store.Profiles.FindAsync(_tenant, "writer", profiles[^100].Digest, Ct));
        Assert.Equal(profiles[^1].Digest, (await _store.Profiles.FindAsync(_tenant, "writer", null, Ct))!.Digest);
    }

    [Fact]
    public async Task A_profile_is_its_tenants_alone_and_only_of_an_agent_of_the_class_of_profiles()
    {
        var other = await _store.Tenants.EnsureAsync("other", Ct);
        Assert.True(await _store.Profiles.SaveAsync(_tenant, StoredProfile.Of(Writer, "key:ada"), Ct));
        Assert.Null(await _store.Profiles.FindAsync(other, "writer", null, Ct));
        Assert.False(await _store.Profiles.SaveAsync(other, StoredProfile.Of(Writer, "key:eve"), Ct));
        await _store.Agents.RegisterAsync(_tenant, new AgentDefinition("counter", null, ""), Ct);
        Assert.False(await _store.Profiles.SaveAsync(_tenant, StoredProfile.Of(Writer with { Name = "counter" }, "key:ada"), Ct));
    }

    [Fact]
    public async Task A_profile_goes_with_its_agent()
    {
        await _store.Profiles.SaveAsync(_tenant, StoredProfile.Of(Writer, "key:ada"), Ct);
        // As the owner of the agent's shard removes it, under the fence, in a role that may not touch profiles.
        await _database.ScalarAsync("DELETE FROM agents WHERE name = 'writer'", "astra_journal");
        Assert.Null(await _store.Profiles.FindAsync(_tenant, "writer", null, Ct));
    }

    [Fact]
    public async Task A_profile_that_was_removed_is_remembered_until_its_name_is_somebody_elses()
    {
        await RemoveAsync("writer");
        Assert.Equal(AgentProfile.Class, await _store.Agents.FindClassAsync(_tenant, "writer", Ct));
        Assert.Null(await _store.Agents.FindClassAsync(await _store.Tenants.EnsureAsync("other", Ct), "writer", Ct));
        // Code of that name comes: it is the code's, and stays so when that goes.
        await _store.Agents.RegisterAsync(_tenant, new AgentDefinition("writer", null, ""), Ct);
        Assert.Equal("writer", await _store.Agents.FindClassAsync(_tenant, "writer", Ct));
        await RemoveAsync("writer");
        Assert.Null(await _store.Agents.FindClassAsync(_tenant, "writer", Ct));

        async Task RemoveAsync(string agent)
        {
            var shard = new ShardId(0);
            var epoch = new Epoch((long)(await _database.ScalarAsync("SELECT epoch FROM shards WHERE shard = 0"))!);
            Assert.Equal(AgentSaveOutcome.Saved, await _store.Agents.RemoveAsync(shard, epoch, _tenant, agent, Ct));
            Assert.NotEqual(AgentSaveOutcome.Saved, await _store.Agents.RemoveAsync(shard, epoch, _tenant, agent, Ct));
        }
    }
}
