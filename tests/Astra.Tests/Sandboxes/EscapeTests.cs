using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Astra.Tests.Sandboxes.Attacks;
using Astra.Tools.Sandboxes;
using Xunit;

namespace Astra.Tests.Sandboxes;

/// <summary>Every attack first succeeds outside: one that fails everywhere says nothing about a cage.</summary>
public abstract partial class EscapeTests(SandboxTier tier)
{
    private readonly string _secret = "top-secret-" + Guid.NewGuid().ToString("N");

    [Fact]
    public async Task The_hosts_environment_cannot_be_read_through_any_process()
    {
        // The first variable of this very process: the one that starts the cage.
        var mine = File.ReadAllText("/proc/self/environ").Split('\0').First(v => v.Length > 5);
        await CannotAsync(Attack.Perl("environ.pl", mine));
    }

    [Fact]
    public async Task A_secret_in_the_home_directory_cannot_be_read()
    {
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        var file = Path.Combine(Directory.Exists(home) ? home : Path.GetTempPath(), ".astra-test-" + _secret);
        File.WriteAllText(file, _secret);
        try
        {
            await CannotAsync(Attack.Perl("read-file.pl", file));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task The_hosts_accounts_cannot_be_read() =>
        await CannotAsync(Attack.Perl("read-file.pl", Machine.IsRoot ? "/etc/shadow" : "/etc/hosts"));

    [Fact]
    public async Task A_listener_on_the_host_cannot_be_reached()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        await CannotAsync(Attack.Perl("connect-tcp.pl", "127.0.0.1", Port(listener)));
    }

    [Fact]
    public async Task The_clouds_metadata_address_cannot_be_reached()
    {
        // Outside, a listener of our own stands in for it: not every machine has one at the real address.
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        Assert.Contains(Attack.Escaped, await Attack.Perl("connect-tcp.pl", "127.0.0.1", Port(listener)).RunBareAsync());
        await InsideCannotAsync(Attack.Perl("connect-tcp.pl", "169.254.169.254", "80"));
    }

    [Fact]
    public async Task An_abstract_unix_socket_of_the_host_cannot_be_reached()
    {
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint("\0" + _secret));
        listener.Listen();
        await CannotAsync(Attack.Perl("connect-abstract.pl", _secret));
    }

    [Fact]
    public async Task Netlink_cannot_be_opened() => await CannotAsync(Attack.Perl("netlink.pl"));

    [Fact]
    public async Task A_fork_bomb_stops_at_the_limit()
    {
        var bomb = Attack.Perl("fork-bomb.pl", "100");
        var limits = new SandboxLimits { Pids = 16 };
        const string what = "number of processes";
        if ((await Machine.ReportAsync(tier)).Missing.Any(m => m.What.Contains(what, StringComparison.Ordinal)))
        {
            // Without namespaces and without cgroups nothing can hold it, and the receipt must not claim otherwise.
            var unheld = (await Machine.RunAsync(tier, bomb.Spec(limits))).Receipt;
            Assert.Contains(unheld.NotEnforced, line => line.Contains(what, StringComparison.Ordinal));
            return;
        }
        var result = await CannotAsync(bomb, limits);
        Assert.DoesNotContain(result.Receipt.LimitsHit, limit => limit is SandboxLimit.Wall);
    }

    [Fact]
    public async Task A_memory_bomb_stops_at_the_limit() =>
        await CannotAsync(Attack.Perl("memory-bomb.pl", "200"), new SandboxLimits { MemoryBytes = 64 << 20 });

    [Fact]
    public async Task A_file_cannot_grow_past_its_limit() =>
        await CannotAsync(
            Attack.Shell(
                "head -c 4000000 /dev/zero > $SCRATCH/x; [ $(wc -c < $SCRATCH/x) = 4000000 ] && echo ESCAPED || echo HELD"),
            new SandboxLimits { FileBytes = 1 << 20 });

    [Fact]
    public async Task A_flood_of_output_is_cut_and_ends_the_run()
    {
        var flood = Attack.Shell("yes | head -c 20000000");
        Assert.True((await flood.RunBareAsync()).Length >= 20_000_000);

        var result = await Machine.RunAsync(tier, flood.Spec(new SandboxLimits { OutputBytes = 1 << 20 }));

        Assert.Equal(1 << 20, result.Output.Length);
        Assert.Contains(SandboxLimit.Output, result.Receipt.LimitsHit);
        Assert.NotNull(result.Receipt.Signal);
    }

    [Fact]
    public async Task A_flood_of_errors_is_cut_and_the_run_goes_on()
    {
        var result = await Machine.RunAsync(tier, Attack.Shell("yes | head -c 1000000 >&2; echo done").Spec());

        Assert.Equal("done\n", Encoding.UTF8.GetString(result.Output.Span));
        Assert.Equal(64 << 10, result.Error.Length);
        Assert.Contains(SandboxLimit.ErrorOutput, result.Receipt.LimitsHit);
    }

    [Fact]
    public async Task A_daemon_does_not_outlive_its_run()
    {
        var marker = "daemon-" + Guid.NewGuid().ToString("N");
        var daemon = Attack.Perl("daemon.pl", marker);
        await daemon.RunBareAsync();
        var survivor = Assert.Single(Machine.ProcessesWith(marker));
        System.Diagnostics.Process.GetProcessById(survivor).Kill();
        await Machine.UntilAsync(() => Machine.ProcessesWith(marker).Count == 0, "the bare daemon is gone");

        var result = await Machine.RunAsync(tier, daemon.Spec());

        Assert.Equal("started\n", Encoding.UTF8.GetString(result.Output.Span));
        await AssertAllDeadAsync(marker);
    }

    [Fact]
    public async Task Descriptors_of_the_server_are_not_inherited()
    {
        // dup makes a descriptor that children inherit, as a careless library does.
        using var file = File.OpenHandle("/etc/hosts");
        var careless = Duplicate((int)file.DangerousGetHandle());
        try
        {
            await CannotAsync(Attack.Perl("descriptors.pl"));
        }
        finally
        {
            Assert.Equal(0, Close(careless));
        }
    }

    [Fact]
    public async Task What_is_mounted_cannot_be_written()
    {
        using var directory = new TemporaryDirectory();
        var file = Path.Combine(directory.Path, "file");
        File.WriteAllText(file, "unchanged");
        Assert.Contains(Attack.Escaped, await Attack.Perl("append-file.pl", file).RunBareAsync());

        var inside = Attack.Perl("append-file.pl", "/data/file").Spec() with
        {
            Mounts = [new ReadOnlyMount(directory.Path, "/data")],
        };
        var result = await Machine.RunAsync(tier, inside);

        Assert.Contains(Attack.Held, Encoding.UTF8.GetString(result.Output.Span));
    }

    [Theory]
    [InlineData("/usr/.astra-test")]
    [InlineData("/.astra-test")]
    [InlineData("/etc/.astra-test")]
    [InlineData("/dev/.astra-test")]
    [InlineData("/dev/shm/.astra-test")]
    [InlineData("/proc/sys/kernel/core_pattern")]
    public async Task The_root_and_the_kernels_settings_cannot_be_written(string path)
    {
        var attack = Attack.Perl("append-file.pl", path);
        if (Machine.IsRoot)
        {
            // Opening the kernel's setting for writing changes nothing; the other files are made here.
            Assert.Contains(Attack.Escaped, await attack.RunBareAsync());
            if (!path.StartsWith("/proc", StringComparison.Ordinal)) File.Delete(path);
        }
        await InsideCannotAsync(attack);
    }

    /// <summary>Calls by number on x64 and arm64. The arguments make a call that an ordinary account may make.</summary>
    [Theory]
    [InlineData("ptrace (trace me)", 101, 117, "0 0 0 0")]
    [InlineData("process_vm_readv", 310, 270, "self buffer 0 buffer 0 0")]
    [InlineData("pidfd_getfd", 438, 438, "-1 0 0")]
    [InlineData("kcmp", 312, 272, "self self 0 0 0")]
    [InlineData("unshare (user namespace)", 272, 97, "268435456")]
    [InlineData("setns", 308, 268, "-1 0")]
    [InlineData("clone (user namespace)", 56, 220, "268435456 1 2 3 4")]
    [InlineData("add_key", 248, 217, "text:user text:astra-test text:x 1 -3")]
    [InlineData("keyctl (get keyring)", 250, 219, "0 -3 0 0 0")]
    [InlineData("io_uring_setup", 425, 425, "1 buffer")]
    [InlineData("name_to_handle_at", 303, 264, "-100 text:/ buffer buffer 0")]
    [InlineData("quotactl_fd", 443, 443, "-1 0 0 0")]
    [InlineData("a call newer than the filter", 458, 458, "-1 0 0 0")]
    public async Task Refused_system_calls_never_reach_the_kernel(string name, int x64, int arm64, string arguments)
    {
        Assert.NotEmpty(name);
        var attack = Attack.Perl("syscall.pl", [$"{(Machine.IsArm ? arm64 : x64)}", .. arguments.Split(' ')]);
        await CannotAsync(attack);
    }

    [Fact]
    public async Task Nothing_can_be_mounted()
    {
        // Inside a user namespace of its own, an ordinary account may mount as well.
        var mount = Attack.Shell("mount -t tmpfs none /tmp 2>/dev/null && echo ESCAPED || echo HELD");
        var bare = mount with { Program = "/usr/bin/unshare", Arguments = ["-rm", mount.Program, .. mount.Arguments] };
        Assert.Contains(Attack.Escaped, await bare.RunBareAsync());
        await InsideCannotAsync(mount);
        await InsideCannotAsync(Attack.Shell("unshare -r true && echo ESCAPED || echo HELD"));
    }

    [Fact]
    public async Task Starting_a_setuid_program_gains_nothing()
    {
        const string rights = "grep -q '^NoNewPrivs:.*0' /proc/self/status && echo ESCAPED || echo HELD";
        Assert.Contains(Attack.Escaped, await Attack.Shell(rights).RunBareAsync());
        // Inside, a shell that was given the process entry can ask for itself.
        await InsideCannotAsync(Attack.Shell(
            """
            while read -r name value; do
                case "$name" in
                    NoNewPrivs:) [ "$value" = 1 ] || echo ESCAPED ;;
                    Cap*:) [ "$value" = 0000000000000000 ] || [ $name = CapBnd: ] || echo "ESCAPED $name" ;;
                    Seccomp:) [ "$value" = 2 ] || echo ESCAPED ;;
                esac
            done < /proc/self/status && echo HELD
            """));
    }

    [Fact]
    public async Task Only_plain_files_come_out_of_the_output_directory()
    {
        using var directory = new TemporaryDirectory();
        var secret = Path.Combine(directory.Path, "secret");
        File.WriteAllText(secret, _secret);
        const string script =
            """
            cd ${OUTPUT_DIR:-/output}
            echo plain > plain.txt; mkdir -p a/b; echo deep > a/b/deep.txt
            ln -s "$1" link; ln -s "${1%/*}" a/directory; ln -s / root; ln -s plain.txt inner
            mkfifo pipe; echo x > '..\..\zip-slip'; echo x > 'line
            break'; echo x > "$(printf 'bad\377name')"; echo x > "$(printf 'red\033[31m')"
            cat link && echo ESCAPED
            true
            """;
        // What a careless collector does: follow the link.
        Assert.Contains(_secret, await Attack.Shell($"OUTPUT_DIR=$SCRATCH\n{script}", secret).RunBareAsync());

        var result = await Machine.RunAsync(tier, Attack.Shell(script, secret).Spec() with { CollectOutputFiles = true });

        Assert.Equal(["a/b/deep.txt", "plain.txt"], result.Files.Select(f => f.Name));
        Assert.Equal("deep\n"u8, result.Files[0].Content.Span);
        Assert.Contains("/output/link", result.Receipt.FilesWritten.Value);
        Assert.Contains(@"/output/bad\xffname", result.Receipt.FilesWritten.Value);
    }

    [Fact]
    public async Task Output_files_are_bounded_in_number_and_bytes()
    {
        // The last one is empty on disk and a gigabyte to read; it also sorts before the others.
        const string script =
            "cd ${OUTPUT_DIR:-/output}; for i in 1 2 3 4 5; do echo $i > $i; done; : > 0; truncate -s 1G 0";
        var limits = new SandboxLimits { OutputFiles = 3, FileBytes = 2L << 30 };
        var many = Attack.Shell(script).Spec(limits) with { CollectOutputFiles = true };

        var result = await Machine.RunAsync(tier, many);

        Assert.Equal(["1", "2", "3"], result.Files.Select(f => f.Name));
        Assert.Contains(SandboxLimit.OutputFiles, result.Receipt.LimitsHit);
    }

    private protected async Task<SandboxResult> CannotAsync(Attack attack, SandboxLimits? limits = null)
    {
        Assert.Contains(Attack.Escaped, await attack.RunBareAsync());
        return await InsideCannotAsync(attack, limits);
    }

    private protected async Task<SandboxResult> InsideCannotAsync(Attack attack, SandboxLimits? limits = null)
    {
        var result = await Machine.RunAsync(tier, attack.Spec(limits));
        var said = Encoding.UTF8.GetString(result.Output.Span) + Encoding.UTF8.GetString(result.Error.Span);
        Assert.DoesNotContain(Attack.Escaped, said);
        Assert.Contains(Attack.Held, said);
        return result;
    }

    /// <summary>At the moment when the result is there, not some time later.</summary>
    protected virtual Task AssertAllDeadAsync(string marker)
    {
        Assert.Empty(Machine.ProcessesWith(marker));
        return Task.CompletedTask;
    }

    private static string Port(TcpListener listener) => $"{((IPEndPoint)listener.LocalEndpoint).Port}";

    [LibraryImport("libc", EntryPoint = "dup")]
    private static partial int Duplicate(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}

/// <summary>Namespaces, seccomp, cgroups.</summary>
public sealed class ProcessTierEscapeTests() : EscapeTests(SandboxTier.Process)
{
    [Fact]
    public async Task A_disk_cannot_be_filled()
    {
        var result = await CannotAsync(Attack.Perl("disk-fill.pl", "32"), new SandboxLimits { ScratchBytes = 8 << 20 });
        Assert.Contains(SandboxLimit.Scratch, result.Receipt.LimitsHit);
    }

    [Fact]
    public async Task Other_processes_of_the_host_cannot_be_seen() =>
        await CannotAsync(Attack.Shell($"[ -d /proc/{Environment.ProcessId} ] && echo ESCAPED || echo HELD"));
}

/// <summary>No namespaces: the program gives up its rights itself.</summary>
public sealed class LandlockTierEscapeTests() : EscapeTests(SandboxTier.Landlock)
{
    // Killed at that moment, but there is no namespace whose end could be waited for.
    protected override Task AssertAllDeadAsync(string marker) =>
        Machine.UntilAsync(() => Machine.ProcessesWith(marker).Count == 0, "the daemon is dead");
}
