using System.Diagnostics;
using Xunit;

namespace Astra.Tests.CommandLine;

/// <summary>A clone with the real script, and a PATH that holds the system's small utilities and fakes of all else.</summary>
public sealed class ScriptWorld : IDisposable
{
    // What POSIX promises and the script uses. Anything else that it came to need would fail here first.
    private static readonly string[] Utilities =
    [
        "sh", "find", "head", "tail", "mkdir", "mv", "rm", "touch", "sed", "date", "cat", "uname", "sleep", "tee", "readlink", "nohup", "true", "printf",
    ];

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("astra-script-");

    public ScriptWorld()
    {
        Directory.CreateDirectory(Clone);
        Directory.CreateDirectory(Programs);
        File.Copy(Path.Combine(RepositoryRoot(), "astra"), Script);
        foreach (var source in new[] { "src/Astra/Program.cs", "build/Walls.targets", "Directory.Build.props", "global.json" })
            Write(source, "");
        foreach (var source in Directory.EnumerateFileSystemEntries(Clone, "*", SearchOption.AllDirectories))
            File.SetLastWriteTimeUtc(source, DateTime.UtcNow.AddHours(-1));

        foreach (var utility in Utilities)
            File.CreateSymbolicLink(Path.Combine(Programs, utility), new[] { "/usr/bin/", "/bin/" }.Select(place => place + utility).First(File.Exists));
        Fake("dotnet", $$"""
            case $1 in
                publish)
                    . '{{_directory.FullName}}/during-publish'
                    while [ "$1" != -o ]; do shift; done
                    mkdir -p "$2"
                    cp '{{_directory.FullName}}/binary' "$2/astra"
                    ;;
                --version) echo 10.0.100 ;;
                --list-runtimes) echo 'Microsoft.NETCore.App 10.0.0 [/opt/dotnet/shared/Microsoft.NETCore.App]' ;;
            esac
            """);
        File.CreateSymbolicLink(Path.Combine(Programs, "cp"), "/bin/cp");
        // The cage's real program would do, were it on every machine that runs these tests.
        Fake("bwrap", "exit 0");
        Fake("postgres", "exit 0");
        Fake("apt-get", "exit 0");
        DuringPublish = "";
        BinaryExitCode = 0;
    }

    public string Clone => Path.Combine(_directory.FullName, "clone");
    public string Script => Path.Combine(Clone, "astra");
    public Dictionary<string, string> Environment { get; } = [];
    public int PublishCount => Called("dotnet").Count(arguments => arguments.StartsWith("publish", StringComparison.Ordinal));

    /// <summary>Shell that the fake `dotnet publish` runs.</summary>
    public string DuringPublish
    {
        set => File.WriteAllText(Path.Combine(_directory.FullName, "during-publish"), value + "\n");
    }

    /// <summary>The binary that gets built prints its arguments, one per line.</summary>
    public int BinaryExitCode
    {
        set => WriteProgram(Path.Combine(_directory.FullName, "binary"), $"printf '%s\\n' \"$@\"\nexit {value}");
    }

    /// <summary>The binary that gets built serves until this world ends.</summary>
    public void Serve() => WriteProgram(
        Path.Combine(_directory.FullName, "binary"), $"[ \"$1\" != serve ] || while [ -d '{Clone}' ]; do sleep 1; done\nprintf '%s\\n' \"$@\"");

    private string Programs => Path.Combine(_directory.FullName, "bin");
    private string Calls => Path.Combine(_directory.FullName, "calls");

    public void Fake(string program, string script)
    {
        Forget(program);
        WriteProgram(Path.Combine(Programs, program), $"echo \"{program} $*\" >>'{Calls}'\n{script}");
    }

    public void Forget(string program) => File.Delete(Path.Combine(Programs, program));

    public void FakeTests(string project, string summary, int exitCode, params string[] lines)
    {
        var program = Path.Combine(Clone, "artifacts", "build", "bin", project, "release", project);
        Directory.CreateDirectory(Path.GetDirectoryName(program)!);
        WriteProgram(program, $"{string.Concat(lines.Select(line => $"echo '    {line}'\n"))}echo '=== TEST EXECUTION SUMMARY ==='\necho '   {project}  {summary}'\nexit {exitCode}");
    }

    public string[] Called(string program) => !File.Exists(Calls)
        ? []
        : [.. File.ReadAllLines(Calls)
            .Where(line => line.StartsWith(program + " ", StringComparison.Ordinal))
            .Select(line => line[(program.Length + 1)..])];

    public void Write(string path, string content)
    {
        var full = Path.Combine(Clone, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, content);
    }

    /// <summary>Newer than anything built so far, whatever the resolution of the file system's clock.</summary>
    public void Touch(string path)
    {
        var full = Path.Combine(Clone, path);
        var parent = Path.GetDirectoryName(full)!;
        if (!Directory.Exists(parent))
        {
            // What makes `obj` also touches the directory above it, which the build itself has done by then.
            var above = Directory.GetLastWriteTimeUtc(Path.GetDirectoryName(parent)!);
            Directory.CreateDirectory(parent);
            Directory.SetLastWriteTimeUtc(Path.GetDirectoryName(parent)!, above);
        }

        if (!File.Exists(full))
            File.WriteAllText(full, "");
        File.SetLastWriteTimeUtc(full, DateTime.UtcNow);
    }

    public void Remove(string path) => File.Delete(Path.Combine(Clone, path));

    public Task<Said> AstraAsync(params string[] args) => RunAsync(Script, args);

    public async Task<Said> RunAsync(string program, params string[] args)
    {
        var start = new ProcessStartInfo(program)
        {
            UseShellExecute = false,
            WorkingDirectory = _directory.FullName,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var arg in args)
            start.ArgumentList.Add(arg);
        start.Environment.Clear();
        start.Environment["PATH"] = Programs;
        start.Environment["HOME"] = _directory.FullName;
        foreach (var (name, value) in Environment)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return new Said(process.ExitCode, await output, await error);
    }

    public void Dispose() => _directory.Delete(recursive: true);

    private static void WriteProgram(string path, string script)
    {
        File.WriteAllText(path, "#!/bin/sh\n" + script + "\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private static string RepositoryRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory.FullName, "Astra.slnx")))
            directory = directory.Parent ?? throw new InvalidOperationException("These tests run from inside the repository.");
        return directory.FullName;
    }
}
