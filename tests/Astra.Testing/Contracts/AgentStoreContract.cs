using System.Text;
using Astra.Kernel;
using Xunit;

namespace Astra.Testing.Contracts;

/// <summary>What every store of agents guarantees.</summary>
public abstract class AgentStoreContract : StoreContract
{
    private static readonly AgentDefinition Counter = new("counter-1", "counter", "Counts.", TimeSpan.FromSeconds(90));

    [Fact]
    public async Task An_agent_is_loaded_as_it_was_created()
    {
        var tenant = await Store.TenantAsync("acme");
        Assert.Equal(1, await Store.Agents.CreateAsync(tenant, [Counter], None));

        var row = await Store.Agents.LoadAsync(tenant, "counter-1", None);

        Assert.NotNull(row);
        Assert.Equal((tenant, "counter-1", "counter", "Counts.", TimeSpan.FromSeconds(90)), (row.Tenant, row.Name, row.Class, row.Description, row.IdleTimeout));
        Assert.Equal((0, 0L, null), (row.State.Length, row.StateVersion, row.SavedAt));
        Assert.Equal("counter", await Store.Agents.FindClassAsync(tenant, "counter-1", None));
        Assert.Null(await Store.Agents.LoadAsync(tenant, "counter-2", None));
        Assert.Null(await Store.Agents.FindClassAsync(tenant, "counter-2", None));
    }

    [Fact]
    public async Task An_agent_whose_class_is_not_given_is_of_its_own_name()
    {
        var tenant = await Store.TenantAsync("acme");
        await Store.Agents.CreateAsync(tenant, [new AgentDefinition("writer")], None);
        await Store.Agents.RegisterAsync(tenant, new AgentDefinition("reader"), None);

        Assert.Equal("writer", await Store.Agents.FindClassAsync(tenant, "writer", None));
        Assert.Equal("reader", await Store.Agents.FindClassAsync(tenant, "reader", None));
    }

    [Fact]
    public async Task Creating_many_again_adds_only_those_that_are_new()
    {
        var tenant = await Store.TenantAsync("acme");
        await Store.Agents.CreateAsync(tenant, [Counter], None);

        Assert.Equal(1, await Store.Agents.CreateAsync(tenant, [Counter with { Description = "Other." }, new AgentDefinition("counter-2", "counter")], None));
        Assert.Equal("Counts.", (await Store.Agents.LoadAsync(tenant, "counter-1", None))!.Description);
    }

    [Fact]
    public async Task Registering_describes_anew_and_never_changes_the_class_or_the_state()
    {
        var tenant = await Store.TenantAsync("acme");
        var save = await SavedAsync(tenant, "counter-1");

        var again = await Store.Agents.RegisterAsync(tenant, new AgentDefinition("counter-1", Class: null, "Counts more."), None);

        Assert.NotNull(again);
        Assert.Equal(("counter", "Counts more.", TimeSpan.FromSeconds(90)), (again.Class, again.Description, again.IdleTimeout));
        Assert.Null(await Store.Agents.RegisterAsync(tenant, Counter with { Class = "other" }, None));
        var row = (await Store.Agents.LoadAsync(tenant, "counter-1", None))!;
        Assert.Equal(("Counts more.", 1L), (row.Description, row.StateVersion));
        Assert.Equal(save.State.ToArray(), row.State.ToArray());
    }

    [Fact]
    public async Task A_list_goes_by_name_and_goes_on_behind_its_cursor()
    {
        var (tenant, other) = (await Store.TenantAsync("acme"), await Store.TenantAsync("other"));
        await Store.Agents.CreateAsync(tenant, [.. Enumerable.Range(1, 5).Select(number => new AgentDefinition($"agent{number}", "counter"))], None);
        await Store.Agents.CreateAsync(other, [new AgentDefinition("agent3b")], None);

        var first = await Store.Agents.ListAsync(tenant, null, 3, None);
        var rest = await Store.Agents.ListAsync(tenant, first[^1].Name, 3, None);

        Assert.Equal(["agent1", "agent2", "agent3"], first.Select(row => row.Name));
        Assert.Equal(["agent4", "agent5"], rest.Select(row => row.Name));
    }

    [Fact]
    public async Task A_tenant_neither_finds_nor_saves_nor_removes_the_agents_of_another()
    {
        var (tenant, other) = (await Store.TenantAsync("acme"), await Store.TenantAsync("other"));
        var save = await SavedAsync(tenant, "counter-1");

        Assert.Null(await Store.Agents.LoadAsync(other, "counter-1", None));
        Assert.Null(await Store.Agents.FindClassAsync(other, "counter-1", None));
        Assert.Empty(await Store.Agents.ListAsync(other, null, 10, None));
        Assert.Equal([AgentSaveOutcome.Stale], await Store.Agents.SaveAsync([save with { Tenant = other, Version = 1 }], None));
        Assert.Equal(AgentSaveOutcome.Stale, await Store.Agents.RemoveAsync(save.Shard, save.Epoch, other, "counter-1", None));
        Assert.NotNull(await Store.Agents.LoadAsync(tenant, "counter-1", None));
    }

    [Fact]
    public async Task A_save_raises_the_version_and_one_of_an_older_version_gets_nowhere()
    {
        var tenant = await Store.TenantAsync("acme");
        var save = await SavedAsync(tenant, "counter-1");

        Assert.Equal([AgentSaveOutcome.Stale], await Store.Agents.SaveAsync([save with { State = Bytes("late") }], None));
        Assert.Equal([AgentSaveOutcome.Saved], await Store.Agents.SaveAsync([save with { Version = 1, State = Bytes("two") }], None));

        var row = (await Store.Agents.LoadAsync(tenant, "counter-1", None))!;
        Assert.Equal((2L, "two"), (row.StateVersion, Encoding.UTF8.GetString(row.State.Span)));
        Assert.NotNull(row.SavedAt);
    }

    [Fact]
    public async Task An_owner_that_was_deposed_neither_saves_nor_removes()
    {
        var tenant = await Store.TenantAsync("acme");
        var save = await SavedAsync(tenant, "counter-1");
        var epochs = await TakeOverAsync("a", "b");

        Assert.Equal([AgentSaveOutcome.Fenced], await Store.Agents.SaveAsync([save with { Version = 1, State = Bytes("untrue") }], None));
        Assert.Equal(AgentSaveOutcome.Fenced, await Store.Agents.RemoveAsync(save.Shard, save.Epoch, tenant, "counter-1", None));
        Assert.Equal(1, (await Store.Agents.LoadAsync(tenant, "counter-1", None))!.StateVersion);
        Assert.Equal([AgentSaveOutcome.Saved], await Store.Agents.SaveAsync([save with { Epoch = epochs[save.Shard], Version = 1 }], None));
    }

    [Fact]
    public async Task In_one_commit_each_save_stands_for_itself()
    {
        var tenant = await Store.TenantAsync("acme");
        var epochs = await OwnEverythingAsync();
        await Store.Agents.CreateAsync(tenant, [.. Enumerable.Range(0, 20).Select(number => new AgentDefinition($"agent-{number}", "counter"))], None);
        var saves = Enumerable.Range(0, 20).Select(number => Save(tenant, $"agent-{number}", epochs) with { State = Bytes($"{number}") }).ToArray();
        saves[3] = saves[3] with { Epoch = new Epoch(99) };
        saves[5] = saves[5] with { Version = 7 };
        saves[7] = saves[7] with { Name = "nobody" };

        var outcomes = await Store.Agents.SaveAsync(saves, None);

        Assert.Equal(
            Enumerable.Range(0, 20).Select(number => number switch { 3 => AgentSaveOutcome.Fenced, 5 or 7 => AgentSaveOutcome.Stale, _ => AgentSaveOutcome.Saved }), outcomes);
        Assert.Equal("19", Encoding.UTF8.GetString((await Store.Agents.LoadAsync(tenant, "agent-19", None))!.State.Span));
        Assert.Equal(0, (await Store.Agents.LoadAsync(tenant, "agent-3", None))!.StateVersion);
        Assert.Empty(await Store.Agents.SaveAsync([], None));
    }

    [Fact]
    public async Task A_removed_agent_is_gone_with_its_state()
    {
        var tenant = await Store.TenantAsync("acme");
        var save = await SavedAsync(tenant, "counter-1");

        Assert.Equal(AgentSaveOutcome.Saved, await Store.Agents.RemoveAsync(save.Shard, save.Epoch, tenant, "counter-1", None));
        Assert.Equal(AgentSaveOutcome.Stale, await Store.Agents.RemoveAsync(save.Shard, save.Epoch, tenant, "counter-1", None));
        Assert.Null(await Store.Agents.LoadAsync(tenant, "counter-1", None));
        await Store.Agents.CreateAsync(tenant, [Counter], None);
        Assert.Equal(0, (await Store.Agents.LoadAsync(tenant, "counter-1", None))!.State.Length);
    }

    /// <summary>Creates the agent and saves its first state.</summary>
    private async Task<AgentSave> SavedAsync(TenantId tenant, string name)
    {
        var epochs = await OwnEverythingAsync();
        await Store.Agents.CreateAsync(tenant, [Counter with { Name = name }], None);
        var save = Save(tenant, name, epochs);
        Assert.Equal([AgentSaveOutcome.Saved], await Store.Agents.SaveAsync([save], None));
        return save;
    }

    private static AgentSave Save(TenantId tenant, string name, IReadOnlyDictionary<ShardId, Epoch> epochs)
    {
        var shard = ShardId.OfName(tenant, name);
        return new AgentSave(shard, epochs[shard], tenant, name, 0, Bytes("one"));
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
}
