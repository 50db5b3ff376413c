namespace Astra.Postgres;

/// <summary>
/// Who a connection is to the database. Each can do its own work and no other: what writes the log cannot raise an
/// epoch, what raises epochs cannot write the log, and what answers people sees one tenant at a time.
/// </summary>
/// <param name="ConnectionCountMax">Of one node. Few: two dozen back ends on a small machine only queue for its cores.</param>
internal sealed record DatabaseRole(string Name, int ConnectionCountMax)
{
    /// <summary>Owns the schema and migrates it; never serves.</summary>
    public static readonly DatabaseRole Owner = new("astra_owner", 2);

    /// <summary>Reads and writes for one tenant, under row-level security.</summary>
    public static readonly DatabaseRole App = new("astra_app", 12);

    /// <summary>Appends to the log and writes the rows of all tenants, held by the fence.</summary>
    public static readonly DatabaseRole Journal = new("astra_journal", 6);

    /// <summary>Says who owns which shard.</summary>
    public static readonly DatabaseRole Leases = new("astra_leases", 2);

    public static IReadOnlyList<DatabaseRole> Serving { get; } = [App, Journal, Leases];
}
