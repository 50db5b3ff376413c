using System.Runtime.InteropServices;
using System.Text.Json;
using Astra.Tools.Sandboxes.Landlock;
using Astra.Tools.Sandboxes.Linux;
using Microsoft.Win32.SafeHandles;

namespace Astra.Tools.Sandboxes;

/// <summary>
/// The second life of this executable: where no helper may build a cage, the process itself gives up its
/// rights and then becomes the tool. Called by the executable's entry point when its first argument is
/// <see cref="Verb"/>; people never type it.
/// </summary>
public static unsafe partial class LandlockLauncher
{
    public const string Verb = "sandbox-exec-landlock";

    /// <summary>Shells use this code for "found, but could not be started".</summary>
    private const int CannotStart = 126;

    private const int SetNoNewPrivileges = 38, SetSeccomp = 22, SeccompFilterMode = 2;

    /// <summary>Returns only when the tool could not be started.</summary>
    public static int Run(IReadOnlyList<string> args)
    {
        if (args.Count == 0 || args[0] != Verb) throw new ArgumentException($"The first argument must be {Verb}.");
        try
        {
            using var handle = new SafeFileHandle(LandlockCage.InstructionsDescriptor, ownsHandle: true);
            using var pipe = new FileStream(handle, FileAccess.Read);
            Become(JsonSerializer.Deserialize<LandlockInstructions>(pipe)!);
        }
        catch (Exception e)
        {
            Console.Error.WriteLine($"The tool could not be caged: {e.Message}");
        }
        return CannotStart;
    }

    // The rights are those of a thread, and the thread that calls execve carries its own into the new program.
    // So everything happens on this one, and the runtime's other threads end with the old program.
    private static void Become(LandlockInstructions instructions)
    {
        Environment.CurrentDirectory = instructions.Directory;
        if (!ResourceLimits.ApplyToSelf(instructions.Limits, instructions.HasMemoryGroup))
            throw Native.Error("setting resource limits");
        ResetSignals();
        LandlockRights.CloseOnExec(firstDescriptor: 3);
        LandlockRights.DropCapabilities();
        if (ProcessControl(SetNoNewPrivileges, 1, 0, 0, 0) != 0) throw Native.Error("giving up new privileges");

        // Behind the next two steps files can no longer be opened and calls no longer be looked up: whatever is
        // still needed is made ready before.
        var arguments = Spawner.Block([instructions.Program, .. instructions.Arguments]);
        var environment = Spawner.Block(instructions.Environment);
        var libc = NativeLibrary.Load("libc.so.6");
        var execute = (delegate* unmanaged<byte*, byte**, byte**, int>)NativeLibrary.GetExport(libc, "execve");
        var control = (delegate* unmanaged<int, nint, nint, nint, nint, int>)NativeLibrary.GetExport(libc, "prctl");
        var write = (delegate* unmanaged<int, byte*, nint, nint>)NativeLibrary.GetExport(libc, "write");
        var setLimit = (delegate* unmanaged<int, int, ulong*, ulong*, int>)NativeLibrary.GetExport(libc, "prlimit");
        var exit = (delegate* unmanaged<int, void>)NativeLibrary.GetExport(libc, "_exit");
        var openFiles = stackalloc ulong[2];
        openFiles[0] = openFiles[1] = (ulong)instructions.Limits.OpenFiles;
        var failure = "The program could not be started inside the sandbox.\n"u8;
        fixed (byte* filter = instructions.Filter)
        fixed (byte* message = failure)
        {
            var program = new FilterProgram { Length = (ushort)(instructions.Filter.Length / 8), Code = filter };
            LandlockRights.Restrict(instructions.Readable, instructions.Writable);
            // The runtime that runs this has more open than a tool may have.
            if (setLimit(0, ResourceLimits.OpenFiles, openFiles, null) == 0
                && control(SetSeccomp, SeccompFilterMode, (nint)(&program), 0, 0) == 0)
                execute(arguments[0], arguments, environment);
            write(2, message, failure.Length);
            exit(CannotStart);
        }
    }

    // An ignored signal stays ignored in the new program, and the runtime ignores SIGPIPE: the tool would not
    // end when its reader does.
    private static void ResetSignals()
    {
        const int setMask = 2, brokenPipe = 13;
        var none = stackalloc byte[128];
        new Span<byte>(none, 128).Clear();
        _ = SignalDefault(brokenPipe, 0);
        if (SignalMask(setMask, none, null) != 0) throw Native.Error("resetting signals");
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct FilterProgram
    {
        public ushort Length;
        public byte* Code;
    }

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    private static partial int ProcessControl(int option, nint a, nint b, nint c, nint d);

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint SignalDefault(int signal, nint action);

    [LibraryImport("libc", EntryPoint = "pthread_sigmask", SetLastError = true)]
    private static partial int SignalMask(int how, byte* mask, byte* previous);
}
