using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Xunit;

namespace Astra.Tests.EndToEnd;

/// <summary>A program that was started for a test, and what it has said so far.</summary>
internal sealed partial class AstraProcess : IDisposable
{
    public const int QuitSignal = 3;
    public const int KillSignal = 9;

    private const int InterruptSignal = 2;
    private const int TerminateSignal = 15;

    // SIG_DFL and SIG_IGN, and more words than a `struct sigaction` has, of which the first says which it is.
    private const nint Default = 0;
    private const nint Ignored = 1;
    private const int DispositionWordsMax = 64;

    private readonly Process _process;
    private readonly string _commandLine;
    private readonly StringBuilder _out = new();
    private readonly StringBuilder _error = new();

    // What a script starts in the background has interrupts ignored, and so has what is started by that; a program that
    // is started so leaves them ignored.
    static AstraProcess()
    {
        Span<nint> disposition = stackalloc nint[DispositionWordsMax];
        if (ReadDisposition(InterruptSignal, 0, disposition) == 0 && disposition[0] == Ignored)
            SetDisposition(InterruptSignal, Default);
    }

    public AstraProcess(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        start.RedirectStandardInput = true;
        _commandLine = string.Join(' ', start.ArgumentList);
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Keep(_out, line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(_error, line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        _process.StandardInput.Close();
    }

    public int Id => _process.Id;
    public string Out => Read(_out);
    public string Error => Read(_error);

    public bool HasEnded => _process.HasExited;

    public int ExitCode => _process.ExitCode;

    /// <summary>The first line, on either stream, that contains a text.</summary>
    public Task<string> SaysAsync(string text) => Eventually.SeeAsync(
        $"'{text}' from {_commandLine}",
        () =>
        {
            var hasEnded = _process.HasExited;
            var line = (Out + Error).Split('\n').FirstOrDefault(line => line.Contains(text, StringComparison.Ordinal));
            if (line is null && hasEnded)
                _process.WaitForExit(); // Its last lines are still on their way.
            line ??= (Out + Error).Split('\n').FirstOrDefault(line => line.Contains(text, StringComparison.Ordinal));
            return line is null && hasEnded ? throw new InvalidOperationException($"It ended without saying '{text}'. {this}") : Task.FromResult(line);
        },
        ToString);

    public async Task<AstraProcess> EndsAsync()
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TimeSpan.FromSeconds(90));
        try
        {
            await _process.WaitForExitAsync(patience.Token);
            return this;
        }
        catch (OperationCanceledException e)
        {
            throw new TimeoutException($"It did not end. {this}", e);
        }
    }

    public async Task<AstraProcess> EndsWithAsync(int exitCode)
    {
        await EndsAsync();
        Assert.True(_process.ExitCode == exitCode, $"Expected the exit code {exitCode}. {this}");
        return this;
    }

    /// <summary>As a power cut would: nothing of it runs again, and what it started does not hear of it.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await EndsAsync();
    }

    public void Interrupt() => Assert.Equal(0, Signal(_process.Id, InterruptSignal));

    public void Terminate() => Assert.Equal(0, Signal(_process.Id, TerminateSignal));

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        _process.Dispose();
    }

    public override string ToString() =>
        $"`{_commandLine}` {(_process.HasExited ? $"ended with {_process.ExitCode}" : "runs")}.\n--- out\n{Out}--- error\n{Error}";

    private static void Keep(StringBuilder said, string? line)
    {
        if (line is null)
            return;
        lock (said)
            said.Append(line).Append('\n');
    }

    private static string Read(StringBuilder said)
    {
        lock (said)
            return said.ToString();
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    public static partial int Signal(int pid, int signal);

    [LibraryImport("libc", EntryPoint = "sigaction")]
    private static partial int ReadDisposition(int signal, nint none, Span<nint> disposition);

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint SetDisposition(int signal, nint disposition);
}
