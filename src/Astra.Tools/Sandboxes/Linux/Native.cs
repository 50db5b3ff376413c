using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Astra.Tools.Sandboxes.Linux;

/// <summary>The part of the Linux system interface that cages need and the base library does not offer.
/// Numbers are those of x64 and arm64; where the two differ, both stand here.</summary>
internal static partial class Native
{
    public const int NotPermitted = 1;
    public const int NoSuchEntry = 2;
    public const int TryAgain = 11;
    public const int Interrupted = 4;
    public const int Busy = 16;

    public const int Kill = 9;

    private const long PidfdSendSignal = 424;
    private const long PidfdOpen = 434;
    private const long OpenAt2 = 437;

    private static readonly bool IsArm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    public const int ReadOnly = 0;
    public const int NonBlocking = 0x800;
    public const int CloseOnExec = 0x80000;
    public static readonly int Directory = IsArm ? 0x4000 : 0x10000;
    public static readonly int NoFollow = IsArm ? 0x8000 : 0x20000;

    public static bool IsSupported =>
        OperatingSystem.IsLinux()
        && RuntimeInformation.ProcessArchitecture is Architecture.X64 or Architecture.Arm64;

    public static Exception Error(string doing, int? error = null) =>
        new SandboxFailedException($"{doing}: {new Win32Exception(error ?? Marshal.GetLastPInvokeError()).Message}");

    /// <summary>A pipe whose ends no other child inherits. Both ends block.</summary>
    public static (SafeFileHandle Read, SafeFileHandle Write) Pipe()
    {
        Span<int> ends = stackalloc int[2];
        if (PipeCreate(ends, CloseOnExec) != 0) throw Error("making a pipe");
        return (new SafeFileHandle(ends[0], ownsHandle: true), new SafeFileHandle(ends[1], ownsHandle: true));
    }

    public static void SetNonBlocking(SafeFileHandle handle)
    {
        const int setFlags = 4;
        if (FileControl(handle, setFlags, NonBlocking) != 0) throw Error("making a pipe non-blocking");
    }

    /// <summary>Bytes read, 0 at the end, -1 when there is nothing yet. A broken descriptor reads as the end.</summary>
    public static int Read(SafeFileHandle handle, Span<byte> buffer)
    {
        while (true)
        {
            var count = ReadBytes(handle, buffer, buffer.Length);
            if (count >= 0) return (int)count;
            var error = Marshal.GetLastPInvokeError();
            if (error == Interrupted) continue;
            return error == TryAgain ? -1 : 0;
        }
    }

    /// <summary>Bytes written, -1 when there is no room yet, null when nobody reads any more.</summary>
    public static int? Write(SafeFileHandle handle, ReadOnlySpan<byte> bytes)
    {
        while (true)
        {
            var count = WriteBytes(handle, bytes, bytes.Length);
            if (count >= 0) return (int)count;
            var error = Marshal.GetLastPInvokeError();
            if (error == Interrupted) continue;
            return error == TryAgain ? -1 : null;
        }
    }

    /// <summary>Writes all of it to a blocking descriptor. False when the reader is gone.</summary>
    public static bool WriteAll(SafeFileHandle handle, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            if (Write(handle, bytes) is not int count) return false;
            bytes = bytes[count..];
        }
        return true;
    }

    /// <summary>A handle that names this process for ever, unlike its number; null when it is gone.</summary>
    public static SafeFileHandle? OpenProcess(int pid)
    {
        var descriptor = SystemCall(PidfdOpen, pid, 0, 0, 0);
        return descriptor < 0 ? null : new SafeFileHandle((nint)descriptor, ownsHandle: true);
    }

    /// <summary>A process that is gone already is not an error.</summary>
    public static void Signal(SafeFileHandle process, int signal) =>
        SystemCall(PidfdSendSignal, process.DangerousGetHandle(), signal, 0, 0);

    /// <summary>Collects a child that has ended; null when it has not, or is not ours to collect.</summary>
    public static ExitStatus? Reap(SafeFileHandle process)
    {
        const int byHandle = 3, ended = 4, noHang = 1;
        Span<int> info = stackalloc int[32];
        if (WaitId(byHandle, (int)process.DangerousGetHandle(), info, ended | noHang) != 0 || info[0] == 0) return null;
        const int code = 2, status = 6, exited = 1;
        return info[code] == exited ? new ExitStatus(info[status], null) : new ExitStatus(null, info[status]);
    }

    /// <summary>Opens below a directory without ever following a link, leaving it or changing file system.</summary>
    public static unsafe SafeFileHandle? OpenBeneath(SafeFileHandle directory, byte* name, int flags)
    {
        const ulong noXdev = 1, noMagicLinks = 2, noSymlinks = 4, beneath = 8;
        var how = stackalloc ulong[3];
        how[0] = (ulong)(flags | CloseOnExec | NoFollow);
        how[1] = 0;
        how[2] = noXdev | noMagicLinks | noSymlinks | beneath;
        var descriptor = SystemCall(OpenAt2, directory.DangerousGetHandle(), (nint)name, (nint)how, 3 * sizeof(ulong));
        return descriptor < 0 ? null : new SafeFileHandle((nint)descriptor, ownsHandle: true);
    }

    public static SafeFileHandle? OpenDirectory(string path) => Open(path, ReadOnly | Directory);

    public static SafeFileHandle? Open(string path, int flags)
    {
        var descriptor = OpenPath(path, flags | CloseOnExec);
        return descriptor < 0 ? null : new SafeFileHandle(descriptor, ownsHandle: true);
    }

    [LibraryImport("libc", EntryPoint = "geteuid")]
    public static partial uint EffectiveUser();

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    public static partial int KillProcess(int pid, int signal);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    public static partial long SystemCall(long number, nint a, nint b, nint c, nint d);

    [LibraryImport("libc", EntryPoint = "pipe2", SetLastError = true)]
    private static partial int PipeCreate(Span<int> ends, int flags);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int FileControl(SafeFileHandle handle, int command, nint argument);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenPath(string path, int flags);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint ReadBytes(SafeFileHandle handle, Span<byte> buffer, nint count);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint WriteBytes(SafeFileHandle handle, ReadOnlySpan<byte> bytes, nint count);

    [LibraryImport("libc", EntryPoint = "waitid", SetLastError = true)]
    private static partial int WaitId(int idType, int id, Span<int> info, int options);
}

/// <summary>How a process ended: with a code, or by a signal.</summary>
internal readonly record struct ExitStatus(int? Code, int? Signal);
