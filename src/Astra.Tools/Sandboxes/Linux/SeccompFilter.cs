using System.Buffers.Binary;

namespace Astra.Tools.Sandboxes.Linux;

/// <summary>
/// The system calls a caged program may make, as a program for the kernel's filter machine (classic BPF).
/// It is asked at every system call, before the kernel looks at it, and cannot be taken off again.
/// </summary>
/// <remarks>
/// Everything is allowed except what <see cref="RefusedCalls"/> names, creating namespaces by
/// any door, sockets outside a short list of families, pushing characters into a terminal, and every call
/// that is newer than this file: those do not exist inside, so that a new kernel does not open a new door.
/// </remarks>
internal static class SeccompFilter
{
    // What the kernel hands to the filter: the number, the architecture, then six arguments of 64 bits.
    private const uint NumberAt = 0, ArchitectureAt = 4, Argument0At = 16, Argument1At = 24;

    private const ushort Load = 0x20, IfEqual = 0x15, IfGreaterOrEqual = 0x35, IfAnyBit = 0x45, Return = 0x06;

    private const uint Allow = 0x7fff0000;
    private const uint KillProcess = 0x80000000;
    private const uint ErrorBase = 0x00050000;
    private const uint NotPermitted = ErrorBase | 1;
    private const uint NoSuchCall = ErrorBase | 38;
    private const uint NoSuchFamily = ErrorBase | 97;

    // Calls of the other ABI of x64 carry this bit, with numbers of their own that the list below would miss.
    private const uint X32Bit = 0x40000000;

    private const uint NewNamespaces = 0x00020000 /* mounts */ | 0x02000000 /* cgroup */ | 0x04000000 /* uts */
        | 0x08000000 /* ipc */ | 0x10000000 /* user */ | 0x20000000 /* pid */ | 0x40000000 /* net */;

    private static readonly uint[] Families = [1 /* unix */, 2 /* IPv4 */, 10 /* IPv6 */];

    // Types characters into the terminal, and pastes into it: the user's shell would run them.
    private static readonly uint[] TerminalInjections = [0x5412, 0x541c];

    /// <summary>For a cage of namespaces: the network inside is empty, so its sockets are harmless.</summary>
    public static byte[] ForNamespaces() => Assemble(Families, sharesHost: false);

    /// <summary>For a program that shares the host's network and process tree. No sockets at all, because a
    /// path or an address may lead to a daemon of the host; no leaving the process group, because
    /// the group is what is killed at the end; no limits for other processes of the same account.</summary>
    public static byte[] ForSharedHost() => Assemble([], sharesHost: true);

    private static byte[] Assemble(IReadOnlyList<uint> families, bool sharesHost)
    {
        var calls = RefusedCalls.Current;
        var code = new Code();
        code.Add(Load, ArchitectureAt);
        code.Add(IfEqual, calls.Architecture, whenTrue: 1);
        code.Add(Return, KillProcess);

        code.Add(Load, NumberAt);
        if (calls.HasX32)
        {
            code.Add(IfGreaterOrEqual, X32Bit, whenFalse: 1);
            code.Add(Return, NoSuchCall);
        }
        code.Add(IfGreaterOrEqual, calls.Newest + 1, whenFalse: 1);
        code.Add(Return, NoSuchCall);

        // The C library falls back to clone, whose flags a filter can see. clone3 hides them behind a pointer.
        code.RefuseCall(calls.Clone3Call, NoSuchCall);
        foreach (var call in calls.Refused) code.RefuseCall(call, NotPermitted);
        if (sharesHost)
        {
            foreach (var call in calls.LeavingTheGroup) code.RefuseCall(call, NotPermitted);
            code.Add(IfEqual, calls.LimitsCall, whenFalse: 4);
            code.Add(Load, Argument0At);
            code.Add(IfEqual, 0, whenTrue: 1);
            code.Add(Return, NotPermitted);
            code.Add(Return, Allow);
        }

        code.Add(IfEqual, calls.CloneCall, whenFalse: 3);
        code.Add(Load, Argument0At);
        code.Add(IfAnyBit, NewNamespaces, whenFalse: 1);
        code.Add(Return, NotPermitted);
        code.Add(Load, NumberAt);

        // ioctl looks at 32 bits of the request; a filter that compared all 64 could be fooled with the rest.
        code.Add(IfEqual, calls.IoControl, whenFalse: (byte)(1 + 2 * TerminalInjections.Length + 1));
        code.Add(Load, Argument1At);
        foreach (var request in TerminalInjections) code.RefuseCall(request, NotPermitted);
        code.Add(Return, Allow);

        code.Add(IfEqual, calls.Socket, whenFalse: (byte)(1 + 2 * families.Count + 1));
        code.Add(Load, Argument0At);
        foreach (var family in families)
        {
            code.Add(IfEqual, family, whenFalse: 1);
            code.Add(Return, Allow);
        }
        code.Add(Return, NoSuchFamily);

        code.Add(Return, Allow);
        return code.ToArray();
    }

    /// <summary>Instructions in the making. Jumps count instructions to skip, and go forward only.</summary>
    private sealed class Code
    {
        private const int InstructionBytes = 8;

        private readonly List<byte> _bytes = [];

        public void Add(ushort operation, uint operand, byte whenTrue = 0, byte whenFalse = 0)
        {
            Span<byte> instruction = stackalloc byte[InstructionBytes];
            BinaryPrimitives.WriteUInt16LittleEndian(instruction, operation);
            instruction[2] = whenTrue;
            instruction[3] = whenFalse;
            BinaryPrimitives.WriteUInt32LittleEndian(instruction[4..], operand);
            _bytes.AddRange(instruction);
        }

        public void RefuseCall(uint number, uint answer)
        {
            Add(IfEqual, number, whenFalse: 1);
            Add(Return, answer);
        }

        public byte[] ToArray() => [.. _bytes];
    }
}
