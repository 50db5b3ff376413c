namespace Astra.Commands;

/// <summary>The exit codes of every command; `astra --help` prints this list.</summary>
public static class ExitCodes
{
    public const int Ok = 0;
    public const int Error = 1;
    public const int Findings = 2;
    public const int NotRunning = 3;

    /// <summary>What sysexits.h calls EX_USAGE, so that a script can tell a typing mistake from a failure.</summary>
    public const int Usage = 64;

    /// <summary>sysexits.h's EX_SOFTWARE: a service manager starts the server again.</summary>
    public const int NodeFailed = 70;

    /// <summary>What a shell reports for a program that Ctrl-C ended.</summary>
    public const int Interrupted = 130;

    public const string Help = """
        Exit codes:
          0    done; nothing found
          1    an error, said in one sentence
          2    findings at or above --fail-on
          3    status: no server is running
          64   the command line itself is wrong
          70   serve: the server has given itself up; start it again
          130  interrupted with Ctrl-C
        """;
}
