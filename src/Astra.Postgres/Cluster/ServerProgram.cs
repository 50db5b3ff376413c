using System.ComponentModel;
using System.Diagnostics;

namespace Astra.Postgres.Cluster;

internal readonly record struct ProgramResult(int ExitCode, string Output, string Error)
{
    public bool Succeeded => ExitCode == 0;
}

/// <summary>Runs one of PostgreSQL's programs to its end.</summary>
internal static class ServerProgram
{
    /// <param name="account">The account to run as, or null for this process's own.</param>
    public static async ValueTask<ProgramResult> RunAsync(
        string program, IReadOnlyList<string> arguments, string? account, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            // The working directory may be one that the account cannot enter, and PostgreSQL complains about that.
            WorkingDirectory = "/",
        };
        if (account is not null)
            start.UserName = account;
        // Messages are read by this program as well as by people, and environment settings of somebody's client
        // (PGDATA, PGHOST, PGOPTIONS ...) are not meant for this server.
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("PG", StringComparison.Ordinal)).ToArray())
            start.Environment.Remove(name);
        start.Environment["LC_ALL"] = "C";

        try
        {
            using var process = Process.Start(start)!;
            process.StandardInput.Close();
            var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
            var error = process.StandardError.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            return new ProgramResult(process.ExitCode, await output, await error);
        }
        catch (Win32Exception exception)
        {
            throw new ClusterException($"{program} cannot be started ({exception.Message}): check that PostgreSQL is installed completely.", exception);
        }
    }
}
