using System.Diagnostics;
using System.Runtime.CompilerServices;
using Astra.Tools.Sandboxes;
using Xunit;

namespace Astra.Tests.Sandboxes.Attacks;

/// <summary>A program that tries to do what a tool must not. It says ESCAPED when it could and HELD when it
/// could not, so that an attack which merely failed to start proves nothing.</summary>
internal sealed record Attack(string Program, IReadOnlyList<string> Arguments)
{
    public const string Escaped = "ESCAPED";
    public const string Held = "HELD";

    /// <summary>A script from this folder; the interpreter is part of every distribution's base system.</summary>
    public static Attack Perl(string script, params string[] arguments) =>
        new("/usr/bin/perl", ["-e", File.ReadAllText(Path.Combine(Folder(), script)), .. arguments]);

    public static Attack Shell(string command, params string[] arguments) =>
        new("/bin/sh", ["-c", command, "sh", .. arguments]);

    /// <summary>Runs it with no cage at all.</summary>
    public async Task<string> RunBareAsync()
    {
        using var directory = new TemporaryDirectory();
        using var process = new Process
        {
            StartInfo = new ProcessStartInfo(Program, Arguments)
            {
                UseShellExecute = false,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                WorkingDirectory = directory.Path,
            },
        };
        process.StartInfo.Environment["SCRATCH"] = directory.Path;
        process.Start();
        process.StandardInput.Close();
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return output + await error;
    }

    public SandboxSpec Spec(SandboxLimits? limits = null) => new()
    {
        Program = Program,
        Arguments = Arguments,
        Limits = limits ?? new SandboxLimits(),
        Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["SCRATCH"] = "/tmp" },
    };

    private static string Folder([CallerFilePath] string file = "") => Path.GetDirectoryName(file)!;
}

internal sealed class TemporaryDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("astra-test-").FullName;

    // Attacks leave names in it that are no text, which the base library cannot remove.
    public void Dispose()
    {
        using var remove = Process.Start("/bin/rm", ["-rf", Path]);
        remove.WaitForExit();
    }
}
