using System.ComponentModel;
using System.Diagnostics;

namespace Astra.Tools.Programs;

/// <summary>
/// The editor of whoever sits at this terminal, on one of their files: no tool, and not caged. It has the terminal while it
/// runs; what Ctrl-C means meanwhile is its own affair.
/// </summary>
public static class TextEditor
{
    private const string Shell = "/bin/sh";

    /// <param name="command">As VISUAL and EDITOR have it: a program, perhaps with arguments.</param>
    /// <returns>Its exit code.</returns>
    /// <exception cref="Win32Exception">There is no shell to start it with.</exception>
    public static async Task<int> EditAsync(string command, string path)
    {
        // As every program that asks EDITOR does: the shell takes the command apart, and the file is an argument of its own.
        using var process = Process.Start(new ProcessStartInfo(Shell) { UseShellExecute = false, ArgumentList = { "-c", $"{command} \"$@\"", command, path } })!;
        await process.WaitForExitAsync();
        return process.ExitCode;
    }
}
