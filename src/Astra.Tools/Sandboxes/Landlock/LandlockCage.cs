using System.Text.Json;
using Astra.Tools.Sandboxes.Linux;
using Microsoft.Win32.SafeHandles;

namespace Astra.Tools.Sandboxes.Landlock;

/// <summary>One run of the launcher. There is no process namespace, so the process group takes its place: the
/// filter refuses the calls with which a process leaves it, and killing a group misses nobody, not even children
/// that are being made at that moment.</summary>
internal sealed class LandlockCage : Cage
{
    public const int InstructionsDescriptor = 3;

    private readonly LandlockInstructions _instructions;
    private readonly (SafeFileHandle Read, SafeFileHandle Write) _pipe = Native.Pipe();

    public LandlockCage(LauncherCommand launcher, LandlockInstructions instructions)
    {
        _instructions = instructions;
        Builder = launcher.Program;
        Arguments = [.. launcher.Arguments, LandlockLauncher.Verb];
        HandedOver = [_pipe.Read];
    }

    public override string Builder { get; }

    public override IReadOnlyList<string> Arguments { get; }

    public override IEnumerable<KeyValuePair<string, string>> Environment => LauncherCommand.RuntimeVariables;

    public override IReadOnlyList<SafeFileHandle> HandedOver { get; }

    public override SafeFileHandle? Stands => null;

    public override void Instruct(SpawnedProcess builder)
    {
        _pipe.Read.Dispose();
        var fits = Native.WriteAll(_pipe.Write, JsonSerializer.SerializeToUtf8Bytes(_instructions));
        _pipe.Write.Dispose();
        if (!fits) throw new SandboxFailedException("The launcher did not read its instructions.");
    }

    public override SafeFileHandle? Release(SpawnedProcess builder) => null;

    public override void Kill(SpawnedProcess builder) => Native.KillProcess(-builder.Pid, Native.Kill);

    // Not collected yet, so its number still names this group and no other.
    public override void BuilderEnded(SpawnedProcess builder) => Kill(builder);

    public override void Dispose()
    {
        _pipe.Read.Dispose();
        _pipe.Write.Dispose();
    }
}

/// <summary>How to start this executable again.</summary>
internal sealed record LauncherCommand(string Program, IReadOnlyList<string> Arguments)
{
    /// <summary>Null when the process cannot say what it is.</summary>
    public static LauncherCommand? ForThisProcess()
    {
        if (Environment.ProcessPath is not { } program) return null;
        var isHost = Path.GetFileNameWithoutExtension(program) == "dotnet";
        return new LauncherCommand(program, isHost ? [Environment.GetCommandLineArgs()[0]] : []);
    }

    /// <summary>The little of the server's environment that a .NET program may need to find its runtime. The
    /// tool gets none of it.</summary>
    public static IEnumerable<KeyValuePair<string, string>> RuntimeVariables =>
        from name in (string[])["DOTNET_ROOT", "DOTNET_ROOT_X64", "DOTNET_ROOT_ARM64"]
        let value = Environment.GetEnvironmentVariable(name)
        where value is not null
        select KeyValuePair.Create(name, value);
}
