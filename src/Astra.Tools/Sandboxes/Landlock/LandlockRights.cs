using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Astra.Tools.Sandboxes.Linux;
using Microsoft.Win32.SafeHandles;

namespace Astra.Tools.Sandboxes.Landlock;

/// <summary>Gives up rights of the calling thread and of whatever it becomes. None of it can be undone.</summary>
internal static unsafe partial class LandlockRights
{
    private const long CreateRuleset = 444, AddRule = 445, RestrictSelf = 446, CloseRange = 436;

    private const ulong Execute = 1 << 0, WriteFile = 1 << 1, ReadFile = 1 << 2, ReadDirectory = 1 << 3,
        Truncate = 1 << 14;

    // Device nodes may be used with read and write, which needs no ioctl.
    private const ulong OfFiles = Execute | WriteFile | ReadFile | Truncate;
    private const ulong Reading = Execute | ReadFile | ReadDirectory;

    // What programs and runtimes need to start and cannot do harm with. Of /proc only files of their own entry,
    // which stays the same through execve; its network files would show the host's.
    private static readonly string[] AlwaysReadable =
    [
        "/dev/zero", "/dev/random", "/dev/urandom",
        "/proc/self/maps", "/proc/self/status", "/proc/self/stat", "/proc/self/cmdline",
    ];
    private static readonly string[] AlwaysWritable = ["/dev/null"];

    /// <summary>0 when the kernel has no Landlock or it is switched off. Rights were added over the years:
    /// moving between directories with 2, truncation with 3, TCP with 4, device control with 5, abstract
    /// sockets and signals with 6.</summary>
    public static int Version => (int)Math.Max(0, Native.SystemCall(CreateRuleset, 0, 0, 1, 0));

    public static void Restrict(IEnumerable<string> readable, IEnumerable<string> writable)
    {
        var version = Version;
        if (version == 0) throw new SandboxFailedException("this kernel has no Landlock");
        var handled = (1ul << version switch { 1 => 13, 2 => 14, < 5 => 15, _ => 16 }) - 1;
        var attributes = stackalloc ulong[3];
        attributes[0] = handled;
        attributes[1] = 3; // TCP bind and connect
        attributes[2] = 3; // abstract sockets and signals of processes outside
        var size = version switch { < 4 => 8, < 6 => 16, _ => 24 };
        using var ruleset = new SafeFileHandle(
            (nint)Native.SystemCall(CreateRuleset, (nint)attributes, size, 0, 0), ownsHandle: true);
        if (ruleset.IsInvalid) throw Native.Error("making a Landlock ruleset");
        foreach (var path in readable.Concat(AlwaysReadable)) Allow(ruleset, path, Reading & handled);
        foreach (var path in writable.Concat(AlwaysWritable)) Allow(ruleset, path, handled);
        if (Native.SystemCall(RestrictSelf, ruleset.DangerousGetHandle(), 0, 0, 0) != 0)
            throw Native.Error("applying Landlock");
    }

    /// <summary>Whatever is open from here on is closed when the program starts.</summary>
    public static void CloseOnExec(int firstDescriptor)
    {
        const int whenExecuting = 4;
        if (Native.SystemCall(CloseRange, firstDescriptor, int.MaxValue, whenExecuting, 0) != 0)
            throw Native.Error("marking descriptors");
    }

    /// <summary>Root without capabilities is an account like others, and does not get them back by
    /// starting a program. For other accounts there is nothing to drop.</summary>
    public static void DropCapabilities()
    {
        const int dropBounding = 24, setSecureBits = 28, ambient = 47, clearAmbient = 4, capabilitiesMax = 64;
        const int noRootLocked = 0x2f, version3 = 0x20080522;
        if (Native.EffectiveUser() != 0) return;
        _ = ProcessControl(ambient, clearAmbient, 0, 0, 0);
        for (var capability = 0; capability < capabilitiesMax; capability++)
            _ = ProcessControl(dropBounding, capability, 0, 0, 0);
        if (ProcessControl(setSecureBits, noRootLocked, 0, 0, 0) != 0) throw Native.Error("taking root's privileges");
        var header = stackalloc int[2];
        var sets = stackalloc int[6];
        header[0] = version3;
        header[1] = 0;
        new Span<int>(sets, 6).Clear();
        if (SetCapabilities(header, sets) != 0) throw Native.Error("dropping capabilities");
    }

    private static void Allow(SafeFileHandle ruleset, string path, ulong rights)
    {
        const int pathOnly = 0x200000, beneath = 1;
        using var place = Native.Open(path, pathOnly);
        if (place is null) return; // What does not exist cannot be reached either.
        if (!Directory.Exists(path)) rights &= OfFiles;
        // struct landlock_path_beneath_attr is packed: 64 bits of rights, then the descriptor.
        Span<byte> rule = stackalloc byte[12];
        BinaryPrimitives.WriteUInt64LittleEndian(rule, rights);
        BinaryPrimitives.WriteInt32LittleEndian(rule[8..], (int)place.DangerousGetHandle());
        fixed (byte* start = rule)
            if (Native.SystemCall(AddRule, ruleset.DangerousGetHandle(), beneath, (nint)start, 0) != 0)
                throw Native.Error($"allowing {path}");
    }

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    private static partial int ProcessControl(int option, nint a, nint b, nint c, nint d);

    [LibraryImport("libc", EntryPoint = "capset", SetLastError = true)]
    private static partial int SetCapabilities(int* header, int* sets);
}
