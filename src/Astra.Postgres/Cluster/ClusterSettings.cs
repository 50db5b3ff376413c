namespace Astra.Postgres.Cluster;

/// <summary>The configuration files of the private cluster, written anew at every start.</summary>
internal static class ClusterSettings
{
    /// <summary>Ours first, so that a line in local.conf wins; fsync and synchronous_commit are asserted after the start.</summary>
    public const string Main = """
        # Written by Astra. Your own settings go to local.conf in this directory.
        include 'astra.conf'
        include_if_exists 'local.conf'

        """;

    /// <summary>
    /// For a desk machine that does other things too. Memory is modest because the operating system caches the files as
    /// well. The write-ahead log is large enough that a checkpoint does not come every few seconds and write every page in
    /// full again, and small enough that its files are soon used again: a new one is filled with zeros first, inside a commit.
    /// </summary>
    public static string Server(string socketDirectory) => $"""
        # Written by Astra at every start. Your own settings go to local.conf in this directory.
        listen_addresses = ''
        unix_socket_directories = '{socketDirectory.Replace("'", "''", StringComparison.Ordinal)}'
        max_connections = 50
        shared_buffers = 128MB
        work_mem = 8MB
        maintenance_work_mem = 64MB
        fsync = on
        synchronous_commit = on
        full_page_writes = on
        wal_buffers = 16MB
        min_wal_size = 256MB
        max_wal_size = 1GB
        checkpoint_timeout = 15min
        checkpoint_completion_target = 0.9
        {FlushMethod}
        # Rows are upserted several times a second: dead versions are swept before they pile up.
        autovacuum_naptime = 10s
        autovacuum_max_workers = 2
        autovacuum_vacuum_cost_limit = 1000
        # Statements are short and prepared; compiling them costs more than it saves.
        jit = off
        random_page_cost = 1.1
        # Whoever holds a transaction open without working in it holds back vacuum and takeovers.
        idle_in_transaction_session_timeout = 30s
        timezone = 'UTC'
        log_timezone = 'UTC'
        logging_collector = on
        log_directory = 'log'
        log_filename = 'postgresql-%a.log'
        log_truncate_on_rotation = on
        log_rotation_age = 1d
        log_min_messages = warning

        """;

    /// <summary>
    /// Peer authentication: the kernel says which account is at the other end of the socket, so there is no password to
    /// generate, keep or leak, and a directory with careless rights still lets nobody else in. The map lets Astra's one
    /// account in as each of its roles.
    /// </summary>
    public const string Authentication = """
        # Written by Astra at every start.
        local all all peer map=astra

        """;

    public static string IdentityMap(string account) => string.Concat(
        ((string[])[PrivateCluster.Superuser, DatabaseRole.Owner.Name, .. DatabaseRole.Serving.Select(role => role.Name)])
        .Select(role => $"astra \"{account}\" {role}\n"));

    // On a Mac fsync leaves the data in the disk's own cache; only this method really writes it.
    private static string FlushMethod => OperatingSystem.IsMacOS() ? "wal_sync_method = fsync_writethrough" : "";
}
