using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Astra.Tools.Sandboxes.Linux;

/// <summary>
/// Starts a program with exactly the descriptors and the environment it was given: 0, 1 and 2, then those
/// handed over as 3, 4 and so on. Nothing else of this process crosses, neither descriptors that a library
/// forgot to mark, nor blocked or ignored signals, nor the process group.
/// </summary>
internal static unsafe partial class Spawner
{
    // Both structures are opaque. glibc's take 80 and 336 bytes.
    private const int OpaqueBytes = 1024;
    private const short SetProcessGroup = 0x02, SetSignalDefaults = 0x04, SetSignalMask = 0x08;

    public static SpawnedProcess Start(
        string program,
        IReadOnlyList<string> arguments,
        IEnumerable<KeyValuePair<string, string>> environment,
        IReadOnlyList<SafeFileHandle> descriptors)
    {
        var actions = stackalloc byte[OpaqueBytes];
        var attributes = stackalloc byte[OpaqueBytes];
        var signals = stackalloc byte[128];
        Check(ActionsInit(actions));
        Check(AttributesInit(attributes));
        var argumentBlock = Block([program, .. arguments]);
        var environmentBlock = Block([.. environment.Select(v => $"{v.Key}={v.Value}")]);
        try
        {
            // Descriptors are first copied aside, above all of them, then into place. Otherwise placing one as
            // number 4 could overwrite another that happens to be number 4 here and waits for its turn.
            var aside = Math.Max(descriptors.Count, descriptors.Max(d => (int)d.DangerousGetHandle()) + 1);
            for (var i = 0; i < descriptors.Count; i++)
                Check(ActionsDuplicate(actions, (int)descriptors[i].DangerousGetHandle(), aside + i));
            for (var i = 0; i < descriptors.Count; i++)
                Check(ActionsDuplicate(actions, aside + i, i));
            Check(ActionsCloseFrom(actions, descriptors.Count));

            _ = FillSignals(signals);
            Check(AttributesSetDefaults(attributes, signals));
            _ = EmptySignals(signals);
            Check(AttributesSetMask(attributes, signals));
            Check(AttributesSetGroup(attributes, 0));
            Check(AttributesSetFlags(attributes, SetProcessGroup | SetSignalDefaults | SetSignalMask));

            var error = PosixSpawn(out var pid, program, actions, attributes, argumentBlock, environmentBlock);
            if (error != 0) throw Native.Error($"starting {program}", error);
            if (Native.OpenProcess(pid) is { } handle) return new SpawnedProcess(pid, handle);
            // Not collected yet, so the number still means this child.
            Native.KillProcess(pid, Native.Kill);
            throw Native.Error("holding on to a new process");
        }
        finally
        {
            Free(argumentBlock);
            Free(environmentBlock);
            _ = ActionsDestroy(actions);
            _ = AttributesDestroy(attributes);
        }
    }

    /// <summary>The C library can close everything but what was handed over (glibc 2.34).</summary>
    public static bool CanCloseTheRest =>
        NativeLibrary.TryLoad("libc.so.6", out var library)
        && NativeLibrary.TryGetExport(library, "posix_spawn_file_actions_addclosefrom_np", out _);

    /// <summary>Zero-terminated strings and a null at the end, as the kernel wants arguments and environment.</summary>
    internal static byte** Block(IReadOnlyList<string> texts)
    {
        var block = (byte**)NativeMemory.Alloc((nuint)(texts.Count + 1), (nuint)sizeof(byte*));
        for (var i = 0; i < texts.Count; i++)
        {
            var bytes = Encoding.UTF8.GetByteCount(texts[i]);
            block[i] = (byte*)NativeMemory.Alloc((nuint)bytes + 1);
            Encoding.UTF8.GetBytes(texts[i], new Span<byte>(block[i], bytes));
            block[i][bytes] = 0;
        }
        block[texts.Count] = null;
        return block;
    }

    private static void Free(byte** block)
    {
        for (var text = block; *text != null; text++) NativeMemory.Free(*text);
        NativeMemory.Free(block);
    }

    private static void Check(int error)
    {
        if (error != 0) throw Native.Error("preparing a process", error);
    }

    [LibraryImport("libc", EntryPoint = "posix_spawn", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int PosixSpawn(
        out int pid, string path, byte* actions, byte* attributes, byte** arguments, byte** environment);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_init")]
    private static partial int ActionsInit(byte* actions);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_destroy")]
    private static partial int ActionsDestroy(byte* actions);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_adddup2")]
    private static partial int ActionsDuplicate(byte* actions, int from, int to);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_addclosefrom_np")]
    private static partial int ActionsCloseFrom(byte* actions, int from);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_init")]
    private static partial int AttributesInit(byte* attributes);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_destroy")]
    private static partial int AttributesDestroy(byte* attributes);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setflags")]
    private static partial int AttributesSetFlags(byte* attributes, short flags);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setpgroup")]
    private static partial int AttributesSetGroup(byte* attributes, int group);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigdefault")]
    private static partial int AttributesSetDefaults(byte* attributes, byte* signals);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigmask")]
    private static partial int AttributesSetMask(byte* attributes, byte* signals);

    [LibraryImport("libc", EntryPoint = "sigfillset")]
    private static partial int FillSignals(byte* signals);

    [LibraryImport("libc", EntryPoint = "sigemptyset")]
    private static partial int EmptySignals(byte* signals);
}

/// <summary>A child, by its number for the interfaces that want one, and by a handle that cannot come to mean
/// another process.</summary>
internal sealed record SpawnedProcess(int Pid, SafeFileHandle Handle) : IDisposable
{
    public void Dispose() => Handle.Dispose();
}
