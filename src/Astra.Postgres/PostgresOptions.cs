using Astra.Postgres.Cluster;

namespace Astra.Postgres;

/// <summary>Where the database is, and how long a node may be silent. Exactly one of the first two is given.</summary>
public sealed record PostgresOptions
{
    /// <summary>The private cluster, which has to live as long as the store.</summary>
    public PrivateCluster? Cluster { get; init; }

    /// <summary>A server of yours: `postgres://user:password@host/database`, or Npgsql's own form.</summary>
    public string? ConnectionString { get; init; }

    /// <summary>The database inside the private cluster.</summary>
    public string Database { get; init; } = PrivateCluster.Database;

    /// <summary>Three times the kernel's renewal interval, so that two renewals may fail.</summary>
    public TimeSpan LeaseDuration { get; init; } = TimeSpan.FromSeconds(9);

    /// <summary>A segment of the log is closed when it is larger than this ...</summary>
    public long SegmentBytesMax { get; init; } = 4L << 30;

    /// <summary>... or older than this.</summary>
    public TimeSpan SegmentAgeMax { get; init; } = TimeSpan.FromDays(30);
}
