using Astra.Commands;
using Astra.Hosting;
using Xunit;

namespace Astra.Tests.CommandLine;

/// <summary>A person at a command line, with a data directory of their own and a server that does what the test says.</summary>
public sealed class CommandWorld : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("astra-cli-");

    public FakeServer Server { get; } = new();
    public Dictionary<string, string> Environment { get; } = new() { ["ASTRA_INVOKED_AS"] = "./astra" };
    public Func<string, PlanReading> ReadPlan { get; set; } = _ => new PlanReading(null, "no plan");
    public Func<string, ProfileReading> ReadProfile { get; set; } = _ => new ProfileReading(null, "no profile");
    public Func<string, string, Task<int>> RunEditor { get; set; } = (_, _) => Task.FromResult(1);
    public string Data => Path.Combine(_directory.FullName, "data");
    public DataDirectory DataDirectory => new(Data);

    public string NewDirectory(string name) => Directory.CreateDirectory(Path.Combine(_directory.FullName, name)).FullName;

    public string NewFile(string name, string content)
    {
        var path = Path.Combine(_directory.FullName, name);
        File.WriteAllText(path, content);
        return path;
    }

    public Task<Said> TypeAsync(params string[] args) => TypeAsync(CancellationToken.None, args);

    public async Task<Said> TypeAsync(CancellationToken interrupted, params string[] args)
    {
        var output = new StringWriter();
        var error = new StringWriter();
        Environment["ASTRA_DATA"] = Data;
        var exitCode = await AstraCommandLine.RunAsync(args, new Surroundings
        {
            Terminal = new Terminal(TextWriter.Synchronized(output), TextWriter.Synchronized(error), new StringReader(Input), IsLive: IsLive, Width: 160) { PressedKey = PressedKey },
            Clock = TimeProvider.System,
            Environment = name => Environment.GetValueOrDefault(name),
            Home = _directory.FullName,
            IsRoot = false,
            Interrupted = interrupted,
            NewServer = Server.NewHost,
            Connect = Server.Connect,
            ReadPlan = path => ReadPlan(path),
            ReadProfile = path => ReadProfile(path),
            RunEditor = (command, path) => RunEditor(command, path),
        });
        return new Said(exitCode, output.ToString(), error.ToString());
    }

    public string Input { get; set; } = "";

    /// <summary>Somebody watches, on a terminal that can redraw.</summary>
    public bool IsLive { get; set; }

    public Func<char?> PressedKey { get; set; } = () => null;

    public void Dispose() => _directory.Delete(recursive: true);
}

public sealed record Said(int ExitCode, string Out, string Error)
{
    public string[] Lines => Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>One sentence for a person, an exit code for a script, and nothing that only a programmer reads.</summary>
    public void IsSentence(int exitCode, string contains)
    {
        Assert.Equal(exitCode, ExitCode);
        Assert.Contains(contains, Error);
        Assert.Single(Error.TrimEnd('\n').Split('\n'));
        Assert.StartsWith("astra: ", Error);
        Assert.DoesNotContain("   at ", Error);
        Assert.Empty(Out);
    }
}
