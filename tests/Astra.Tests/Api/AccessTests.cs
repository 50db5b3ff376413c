using System.Net;
using System.Net.Http.Json;
using Astra.Governance;
using Astra.Kernel;
using Astra.Sdk;

namespace Astra.Tests.Api;

public sealed class AccessTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_revoked_key_fails_on_its_next_request()
    {
        await using var server = await ServerFixture.StartAsync();
        var admin = await server.ClientAsync();
        var made = await admin.CreateApiKeyAsync(new ApiKeyRequest("temporary"), Ct);
        using var client = new AstraClient(server.Address, made.Secret);
        await client.ListGoalsAsync(cancellationToken: Ct);
        await admin.RevokeApiKeyAsync(made.Key.Id, Ct);
        var refused = await Assert.ThrowsAsync<AstraException>(() => client.ListGoalsAsync(cancellationToken: Ct));
        Assert.Equal(401, refused.Status);
        Assert.Contains("revoked", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_secret_is_shown_once_and_never_listed()
    {
        await using var server = await ServerFixture.StartAsync();
        var admin = await server.ClientAsync();
        var made = await admin.CreateApiKeyAsync(new ApiKeyRequest("ci", KeyRole.Member), Ct);
        Assert.StartsWith("astra_", made.Secret, StringComparison.Ordinal);
        var list = await (await server.RawAsync()).GetStringAsync("/api/v1/api-keys", Ct);
        Assert.Contains("\"ci\"", list, StringComparison.Ordinal);
        Assert.DoesNotContain(made.Secret, list, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Role.Member, false, 403, 403, 200)]
    [InlineData(Role.OrgAdmin, false, 200, 403, 200)]
    [InlineData(Role.OrgAdmin, true, 200, 202, 200)]
    [InlineData(Role.PlatformAdmin, true, 403, 202, 403)]
    public async Task A_role_opens_what_is_its_own(Role role, bool isAtHome, int keys, int stop, int goals)
    {
        await using var server = await ServerFixture.StartAsync();
        var client = new HttpClient { BaseAddress = server.Address };
        var tenant = new TenantId(Guid.NewGuid());
        client.DefaultRequestHeaders.Authorization = new("Bearer", isAtHome ? await server.NewKeyAsync(role) : await server.NewKeyAsync(tenant, role));
        Assert.Equal(200, (int)(await client.GetAsync("/api/v1/status", Ct)).StatusCode);
        Assert.Equal(keys, (int)(await client.GetAsync("/api/v1/api-keys", Ct)).StatusCode);
        Assert.Equal(goals, (int)(await client.GetAsync("/api/v1/goals", Ct)).StatusCode);
        Assert.Equal(stop, (int)(await client.PostAsync("/api/v1/server/stop", null, Ct)).StatusCode);
        if (stop == 202)
            await server.StopRequested.Task.WaitAsync(Ct);
    }

    [Fact]
    public async Task A_new_tenant_begins_with_a_key_of_its_admin_and_is_made_once()
    {
        await using var server = await ServerFixture.StartAsync();
        var home = await server.ClientAsync();
        var made = await home.CreateTenantAsync(new TenantRequest("acme"), Ct);
        using var acme = new AstraClient(server.Address, made.Secret);
        await acme.SubmitAsync(new GoalSubmission { Agent = "nobody" }, cancellationToken: Ct);
        Assert.Empty((await home.ListGoalsAsync(cancellationToken: Ct)).Items);
        Assert.Equal(409, (await Assert.ThrowsAsync<AstraException>(() => home.CreateTenantAsync(new TenantRequest("acme"), Ct))).Status);
        Assert.Equal(403, (await Assert.ThrowsAsync<AstraException>(() => acme.CreateTenantAsync(new TenantRequest("more"), Ct))).Status);
        Assert.Equal(403, (await Assert.ThrowsAsync<AstraException>(() => acme.CreateApiKeyAsync(new ApiKeyRequest("up", KeyRole.PlatformAdmin), Ct))).Status);
    }

    [Fact]
    public async Task The_admin_key_is_the_owners_alone_and_the_same_after_a_restart()
    {
        var directory = Directory.CreateTempSubdirectory("astra-key-").FullName;
        var keys = new InMemoryGovernance();
        var tenant = new TenantId(Guid.NewGuid());
        var first = await AdminKey.EnsureAsync(directory, tenant, keys, DateTimeOffset.UtcNow, Ct);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(directory, AdminKey.FileName)));
        Assert.Equal(first, await AdminKey.EnsureAsync(directory, tenant, keys, DateTimeOffset.UtcNow, Ct));
        Assert.Equal(first, await AdminKey.EnsureAsync(directory, tenant, new InMemoryGovernance(), DateTimeOffset.UtcNow, Ct));
        var record = await keys.FindAsync(ApiKeys.HashOf(first)!, Ct);
        await keys.RevokeAsync(tenant, record!.Id, Ct);
        Assert.NotEqual(first, await AdminKey.EnsureAsync(directory, tenant, keys, DateTimeOffset.UtcNow, Ct));
        Directory.Delete(directory, recursive: true);
    }

    [Theory]
    [InlineData("")]
    [InlineData("astra_")]
    [InlineData("astra_short")]
    [InlineData("other_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("astra_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")]
    [InlineData("astra_AAAAAAAAAAAAAAAAAAAAAAA AAAAAAAAAAAAAAAAAAAA")]
    public void What_cannot_be_a_key_never_reaches_the_store(string secret) => Assert.Null(ApiKeys.HashOf(secret));

    [Fact]
    public void Keys_are_256_random_bits()
    {
        var secret = ApiKeys.NewSecret();
        Assert.NotEqual(secret, ApiKeys.NewSecret());
        Assert.Equal(32, System.Buffers.Text.Base64Url.DecodeFromChars(secret.AsSpan("astra_".Length)).Length);
        Assert.Equal(32, ApiKeys.HashOf(secret)!.Length);
    }
}
