using System.Diagnostics;
using System.Globalization;

namespace Astra.Chaos.Processes;

/// <summary>A worker outside of the servers: this program again, as a worker made with the SDK.</summary>
internal sealed class WorkerProcess : Kept
{
    private readonly string _log;
    private readonly IReadOnlyList<string> _command;
    private readonly Dictionary<string, string> _environment = [];

    /// <param name="memoryBytesMax">What its heap may grow to.</param>
    public WorkerProcess(int number, string directory, Uri server, string keyFile, Uri receiver, int slots, long memoryBytesMax)
        : base($"worker {number}", TimeSpan.FromMilliseconds(50))
    {
        _log = Path.Combine(directory, $"worker-{number}.log");
        _command =
        [
            ServerProcess.Dotnet, Path.Combine(AppContext.BaseDirectory, "Astra.Chaos.dll"), "worker",
            server.ToString(), keyFile, receiver.ToString(), slots.ToString(CultureInfo.InvariantCulture),
        ];
        _environment["DOTNET_GCHeapHardLimit"] = memoryBytesMax.ToString("x", CultureInfo.InvariantCulture);
        _environment["DOTNET_TieredPGO"] = "0";
        // Some of its tasks kill it, and that is what they are for.
        EndIsExpected = true;
    }

    protected override Process Begin() => Starter.Start(_command, _log, _environment);
}

/// <summary>The worker of examples/, in Python: the protocol from outside of .NET.</summary>
internal sealed class PythonWorkerProcess : Kept
{
    private readonly string _log;
    private readonly IReadOnlyList<string> _command;
    private readonly string _keyFile;

    public PythonWorkerProcess(int number, string directory, Uri server, string keyFile)
        : base($"worker {number} in Python", TimeSpan.FromMilliseconds(500))
    {
        _log = Path.Combine(directory, $"worker-python-{number}.log");
        _keyFile = keyFile;
        _command = [Python!, Path.Combine(AppContext.BaseDirectory, "python-worker.py"), server.ToString().TrimEnd('/'), "--slots", "4"];
        // It ends with its connection.
        EndIsExpected = true;
    }

    public static string? Python { get; } = Starter.Find("python3");

    protected override Process Begin() => Starter.Start(_command, _log, new Dictionary<string, string> { ["ASTRA_KEY_FILE"] = _keyFile });
}
