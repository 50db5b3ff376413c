using System.Text;
using Astra.Governance;
using Astra.Kernel;
using Astra.Postgres;
using Astra.Tests.Durability;

namespace Astra.Tests.Money;

/// <summary>Secrets are sealed where they are kept and open for their tenant and name alone.</summary>
public sealed class SecretTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const string Value = "sk-planted-0123456789";

    private readonly TenantId _tenant = new(Guid.NewGuid());
    private readonly string _directory = Directory.CreateTempSubdirectory("astra-secrets-").FullName;
    private TestDatabase _database = null!;
    private PostgresStore _store = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private string KeyPath => Path.Combine(_directory, SecretKeys.FileName);

    public async ValueTask InitializeAsync()
    {
        _database = await postgres.CreateDatabaseAsync();
        _store = await _database.OpenStoreAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task A_secret_is_read_back_by_its_tenant_and_is_nowhere_in_the_database_in_the_clear()
    {
        using var keys = SecretKeys.Open(_directory, null);
        var vault = new SecretVault(_store.Secrets, keys, TimeProvider.System);
        Assert.Null(await vault.SetAsync(new Caller(_tenant, "key:ada"), "openai-key", "old", Ct));
        Assert.Null(await vault.SetAsync(new Caller(_tenant, "key:ada"), "openai-key", Value, Ct));

        Assert.Equal(Value, await vault.FindAsync(_tenant, "openai-key", Ct));
        Assert.Null(await vault.FindAsync(new TenantId(Guid.NewGuid()), "openai-key", Ct));
        Assert.Null(await vault.FindAsync(_tenant, "another", Ct));
        Assert.Equal(("openai-key", keys.CurrentId, "key:ada"), (await vault.ListAsync(_tenant, Ct)).Select(secret => (secret.Name, secret.KeyId, secret.SetBy)).Single());
        var row = (await _database.ColumnAsync("SELECT row_to_json(s)::text || encode(sealed, 'escape') || encode(sealed, 'hex') FROM secrets AS s")).Single();
        foreach (var plain in (string[])[Value, Convert.ToHexStringLower(Encoding.UTF8.GetBytes(Value)), Convert.ToBase64String(Encoding.UTF8.GetBytes(Value))])
            Assert.DoesNotContain(plain, row, StringComparison.OrdinalIgnoreCase);
        Assert.True(await vault.RemoveAsync(_tenant, "openai-key", Ct));
        Assert.False(await vault.RemoveAsync(_tenant, "openai-key", Ct));
    }

    [Fact]
    public async Task A_row_that_is_given_to_another_name_or_tenant_or_changed_opens_nowhere()
    {
        using var keys = SecretKeys.Open(_directory, null);
        var box = keys.Seal(_tenant.Value, "a", Value);
        Assert.Equal(Value, keys.Open(_tenant.Value, "a", keys.CurrentId, box));
        Assert.NotEqual(box, keys.Seal(_tenant.Value, "a", Value));
        Assert.Throws<SecretKeyException>(() => keys.Open(_tenant.Value, "b", keys.CurrentId, box));
        Assert.Throws<SecretKeyException>(() => keys.Open(Guid.NewGuid(), "a", keys.CurrentId, box));
        box[^1] ^= 1;
        Assert.DoesNotContain(Value, Assert.Throws<SecretKeyException>(() => keys.Open(_tenant.Value, "a", keys.CurrentId, box)).Message, StringComparison.Ordinal);
        var vault = new SecretVault(_store.Secrets, keys, TimeProvider.System);
        Assert.NotNull(await vault.SetAsync(new Caller(_tenant, "key:ada"), "no/name", Value, Ct));
        Assert.NotNull(await vault.SetAsync(new Caller(_tenant, "key:ada"), "empty", "", Ct));
    }

    [Fact]
    public void The_key_is_made_readable_by_its_owner_alone_and_one_that_others_can_read_is_refused()
    {
        using (var made = SecretKeys.Open(_directory, null))
        using (var again = SecretKeys.Open(_directory, null))
            Assert.Equal(made.CurrentId, again.CurrentId);
        if (OperatingSystem.IsWindows())
            return;
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(KeyPath));
        foreach (var mode in (UnixFileMode[])[UnixFileMode.GroupRead, UnixFileMode.OtherRead, UnixFileMode.GroupWrite])
        {
            File.SetUnixFileMode(KeyPath, UnixFileMode.UserRead | UnixFileMode.UserWrite | mode);
            Assert.Contains("chmod 600", Assert.Throws<SecretKeyException>(() => SecretKeys.Open(_directory, null)).Message, StringComparison.Ordinal);
        }
        File.SetUnixFileMode(KeyPath, UnixFileMode.UserRead);
        SecretKeys.Open(_directory, null).Dispose();
    }

    [Fact]
    public void A_new_key_seals_and_the_old_one_still_opens_and_the_service_managers_comes_first()
    {
        byte[] box;
        string oldId;
        using (var old = SecretKeys.Open(_directory, null))
            (box, oldId) = (old.Seal(_tenant.Value, "a", Value), old.CurrentId);
        File.AppendAllText(KeyPath, Convert.ToBase64String(new byte[32]) + "\n");
        using var both = SecretKeys.Open(_directory, null);
        Assert.NotEqual(oldId, both.CurrentId);
        Assert.Equal(Value, both.Open(_tenant.Value, "a", oldId, box));

        var credentials = Directory.CreateDirectory(Path.Combine(_directory, "credentials")).FullName;
        var given = Path.Combine(credentials, SecretKeys.CredentialName);
        File.WriteAllText(given, Convert.ToBase64String(new byte[32]));
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(given, UnixFileMode.UserRead);
        using var handed = SecretKeys.Open(_directory, credentials);
        Assert.Equal(both.CurrentId, handed.CurrentId);
        Assert.Contains($"the key {oldId}", Assert.Throws<SecretKeyException>(() => handed.Open(_tenant.Value, "a", oldId, box)).Message, StringComparison.Ordinal);
    }
}
