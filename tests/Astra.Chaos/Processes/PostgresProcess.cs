using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Npgsql;

namespace Astra.Chaos.Processes;

/// <summary>A PostgreSQL that belongs to the run: made for it, killed by it, and gone with it.</summary>
internal sealed class PostgresProcess : Kept
{
    private const string User = "astra";

    private readonly string _programs;
    private readonly string _data;
    private readonly string _log;
    private readonly string? _account;
    private readonly string _password;

    private PostgresProcess(string programs, string data, string log, string? account, string password, int port)
        : base("PostgreSQL", TimeSpan.FromMilliseconds(200)) =>
        (_programs, _data, _log, _account, _password, Port) = (programs, data, log, account, password, port);

    public int Port { get; }

    public string LogPath => _log;

    // Its connections end with it; a polite stop would wait for them.
    protected override int FarewellSignal => Signals.Quit;

    public static async Task<PostgresProcess> MakeAsync(string data, string log, int port, CancellationToken cancellationToken)
    {
        var programs = Directory.Exists("/usr/lib/postgresql")
            ? Directory.GetDirectories("/usr/lib/postgresql").OrderByDescending(version => int.Parse(Path.GetFileName(version), CultureInfo.InvariantCulture)).Select(version => Path.Combine(version, "bin")).FirstOrDefault(bin => File.Exists(Path.Combine(bin, "postgres")))
            : null;
        programs ??= Path.GetDirectoryName(Starter.Find("postgres") ?? throw new InvalidOperationException("PostgreSQL's server programs are missing; `apt install postgresql` brings them."))!;
        var account = Environment.IsPrivilegedProcess
            ? File.ReadLines("/etc/passwd").Select(line => line.Split(':')[0]).Where(name => name is "astra" or "postgres" or "nobody").OrderBy(name => name is "nobody").First()
            : null;
        var password = RandomNumberGenerator.GetHexString(32);
        var postgres = new PostgresProcess(programs, data, log, account, password, port);
        await postgres.CreateAsync(cancellationToken);
        return postgres;
    }

    public string ConnectionString(int? throughPort = null, string? options = null) => new NpgsqlConnectionStringBuilder
    {
        Host = "127.0.0.1", Port = throughPort ?? Port, Username = User, Password = _password, Database = "postgres", Options = options, SslMode = SslMode.Disable,
    }.ConnectionString;

    /// <summary>`pg_ctl stop -m immediate`: every process of the server ends at once, without a checkpoint.</summary>
    public bool StopImmediate(bool holdDown) => End(Signals.Quit, holdDown);

    protected override Process Begin() => Starter.Start([Path.Combine(_programs, "postgres"), "-D", _data], _log, account: _account, deathSignal: "QUIT");

    private async Task CreateAsync(CancellationToken cancellationToken)
    {
        // In the clear only until the cluster is made, and only for whoever runs it.
        var secret = Path.Combine(Path.GetDirectoryName(_data)!, "secret");
        Directory.CreateDirectory(_data);
        await File.WriteAllTextAsync(secret, _password, cancellationToken);
        if (_account is not null)
        {
            await Starter.RunAsync(["chown", _account, _data, secret], null, cancellationToken);
        }
        File.SetUnixFileMode(secret, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await Starter.RunAsync(
            [Path.Combine(_programs, "initdb"), "-D", _data, "-U", User, "-E", "UTF8", "--locale=C", "--data-checksums", "--auth=scram-sha-256", $"--pwfile={secret}", "--no-sync", "--no-instructions"],
            _account, cancellationToken);
        File.Delete(secret);
        await File.AppendAllTextAsync(Path.Combine(_data, "postgresql.conf"), $"""

            listen_addresses = '127.0.0.1'
            port = {Port}
            unix_socket_directories = ''
            max_connections = 150
            shared_buffers = 64MB
            fsync = on
            synchronous_commit = on
            full_page_writes = on
            min_wal_size = 32MB
            max_wal_size = 128MB
            autovacuum_naptime = 5s
            jit = off
            timezone = 'UTC'
            log_timezone = 'UTC'
            idle_in_transaction_session_timeout = 30s

            """, cancellationToken);
    }
}
