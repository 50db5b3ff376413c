using System.Diagnostics;

namespace Astra.Tools.Programs;

/// <summary>
/// Astra's own binary once more, beside this process: no tool, and not caged. What it prints is read and its last lines
/// kept, so that one that does not start can say why. Disposing it ends it, whatever it does.
/// </summary>
public sealed class TrustedProgram : IDisposable
{
    private const int LinesKeptMax = 20;

    private readonly Process _process;
    private readonly Queue<string> _lines = new();

    private TrustedProgram(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public int Id => _process.Id;

    public bool HasEnded => _process.HasExited;

    /// <summary>What it has had of the processors so far.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    public string LastLines
    {
        get
        {
            lock (_lines)
                return string.Join(Environment.NewLine, _lines);
        }
    }

    /// <summary>Starts this very binary with other arguments and this process's environment.</summary>
    public static TrustedProgram StartSelf(IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        return new TrustedProgram(Process.Start(start) ?? throw new InvalidOperationException($"{start.FileName} did not start."));
    }

    public Task WaitForEndAsync(CancellationToken cancellationToken) => _process.WaitForExitAsync(cancellationToken);

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }

    private void Keep(string? line)
    {
        if (string.IsNullOrEmpty(line))
            return;
        lock (_lines)
        {
            _lines.Enqueue(line);
            if (_lines.Count > LinesKeptMax)
                _lines.Dequeue();
        }
    }
}
