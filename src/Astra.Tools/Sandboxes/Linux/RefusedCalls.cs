using System.Runtime.InteropServices;

namespace Astra.Tools.Sandboxes.Linux;

/// <summary>
/// System call numbers, which differ between architectures, and which of them no caged program may make:
/// those that look into or steer other processes, change what is mounted, make or join namespaces, load code
/// into the kernel, reach kernel memory or keys, change the machine, or have a history of holes and
/// no use in a tool.
/// </summary>
internal sealed record RefusedCalls
{
    public required uint Architecture { get; init; }

    public required bool HasX32 { get; init; }

    public required uint CloneCall { get; init; }

    public required uint IoControl { get; init; }

    public required uint Socket { get; init; }

    public required IReadOnlyList<uint> Refused { get; init; }

    /// <summary>setpgid and setsid.</summary>
    public required IReadOnlyList<uint> LeavingTheGroup { get; init; }

    /// <summary>prlimit64, which the C library uses for the calling process as well, as number 0.</summary>
    public required uint LimitsCall { get; init; }

    public uint Clone3Call => 435;

    /// <summary>fchmodat2, the youngest call that was looked at.</summary>
    public uint Newest => 452;

    // From 424 on the numbers are the same everywhere.
    private static readonly uint[] Shared =
    [
        425, 426, 427,                /* io_uring: setup, enter, register */
        428, 429, 430, 431, 432, 433, /* open_tree, move_mount, fsopen, fsconfig, fsmount, fspick */
        438,                          /* pidfd_getfd */
        440,                          /* process_madvise */
        442, 443,                     /* mount_setattr, quotactl_fd */
        447, 448,                     /* memfd_secret, process_mrelease */
    ];

    private static readonly RefusedCalls X64 = new()
    {
        Architecture = 0xc000003e,
        HasX32 = true,
        CloneCall = 56,
        IoControl = 16,
        Socket = 41,
        LeavingTheGroup = [109, 112],
        LimitsCall = 302,
        Refused =
        [
            .. Shared,
            101, 310, 311, 312,           /* ptrace, process_vm_readv, process_vm_writev, kcmp */
            155, 161, 165, 166,           /* pivot_root, chroot, mount, umount2 */
            272, 308,                     /* unshare, setns */
            303, 304,                     /* name_to_handle_at, open_by_handle_at */
            321, 298, 323,                /* bpf, perf_event_open, userfaultfd */
            248, 249, 250,                /* add_key, request_key, keyctl */
            246, 320, 169,                /* kexec_load, kexec_file_load, reboot */
            174, 175, 176, 313,           /* create_module, init_module, delete_module, finit_module */
            177, 178,                     /* get_kernel_syms, query_module */
            163, 167, 168, 179, 180,      /* acct, swapon, swapoff, quotactl, nfsservctl */
            159, 164, 227, 305,           /* adjtimex, settimeofday, clock_settime, clock_adjtime */
            103, 153, 170, 171,           /* syslog, vhangup, sethostname, setdomainname */
            134, 135, 136, 139, 156,      /* uselib, personality, ustat, sysfs, _sysctl */
            154, 172, 173, 212,           /* modify_ldt, iopl, ioperm, lookup_dcookie */
            256, 279, 300, 301,           /* migrate_pages, move_pages, fanotify_init, fanotify_mark */
        ],
    };

    private static readonly RefusedCalls Arm64 = new()
    {
        Architecture = 0xc00000b7,
        HasX32 = false,
        CloneCall = 220,
        IoControl = 29,
        Socket = 198,
        LeavingTheGroup = [154, 157],
        LimitsCall = 261,
        Refused =
        [
            .. Shared,
            117, 270, 271, 272,      /* ptrace, process_vm_readv, process_vm_writev, kcmp */
            39, 40, 41, 51,          /* umount2, mount, pivot_root, chroot */
            97, 268,                 /* unshare, setns */
            264, 265,                /* name_to_handle_at, open_by_handle_at */
            280, 241, 282,           /* bpf, perf_event_open, userfaultfd */
            217, 218, 219,           /* add_key, request_key, keyctl */
            104, 294, 142,           /* kexec_load, kexec_file_load, reboot */
            105, 106, 273,           /* init_module, delete_module, finit_module */
            42, 60, 89, 224, 225,    /* nfsservctl, quotactl, acct, swapon, swapoff */
            112, 170, 171, 266,      /* clock_settime, settimeofday, adjtimex, clock_adjtime */
            58, 116, 161, 162,       /* vhangup, syslog, sethostname, setdomainname */
            18, 92,                  /* lookup_dcookie, personality */
            238, 239, 262, 263,      /* migrate_pages, move_pages, fanotify_init, fanotify_mark */
        ],
    };

    public static RefusedCalls Current => RuntimeInformation.ProcessArchitecture switch
    {
        System.Runtime.InteropServices.Architecture.X64 => X64,
        System.Runtime.InteropServices.Architecture.Arm64 => Arm64,
        var other => throw new SandboxUnavailableException($"There is no system call filter for {other}."),
    };
}
