using System.Globalization;
using System.Text;
using System.Text.Json;
using Astra.Tools.Sandboxes.Linux;
using Microsoft.Win32.SafeHandles;

namespace Astra.Tools.Sandboxes.Bubblewrap;

/// <summary>
/// One run's conversation with bubblewrap. It is led by pipes that block until we are ready, so nothing is
/// polled and nothing races:
/// <list type="number">
/// <item>bwrap reads its options to their end. Until we close that pipe it has made no process, and
/// we put it into its cgroup.</item>
/// <item>It builds the cage and reads one byte that is already there; that it closed the pipe afterwards is how we
/// learn that the cage stands.</item>
/// <item>It reads the system call filter. Before we write that, we take hold of the process that is number 1
/// inside, of the directories to look at later, and set the limits that must not burden bwrap itself.</item>
/// </list>
/// Then the program starts. Whoever kills process 1 kills all others inside; the kernel sees to that.
/// </summary>
internal sealed class BubblewrapCage : Cage
{
    private readonly SandboxSpec _spec;
    private readonly bool _hasMemoryGroup;
    private readonly ReadOnlyMemory<byte> _options;
    private readonly ReadOnlyMemory<byte> _filter;
    private readonly (SafeFileHandle Read, SafeFileHandle Write) _optionsPipe = Native.Pipe();
    private readonly (SafeFileHandle Read, SafeFileHandle Write) _infoPipe = Native.Pipe();
    private readonly (SafeFileHandle Read, SafeFileHandle Write) _standsPipe = Native.Pipe();
    private readonly (SafeFileHandle Read, SafeFileHandle Write) _filterPipe = Native.Pipe();
    private readonly (SafeFileHandle Read, SafeFileHandle Write) _accountsPipe = Native.Pipe();
    private SafeFileHandle? _processOne;
    private bool _isInstructed;
    private bool _isDoomed;

    public BubblewrapCage(string bubblewrap, SandboxSpec spec, ReadOnlyMemory<byte> filter, bool hasMemoryGroup)
    {
        Builder = bubblewrap;
        _spec = spec;
        _filter = filter;
        _hasMemoryGroup = hasMemoryGroup;
        HandedOver = [_optionsPipe.Read, _infoPipe.Write, _standsPipe.Read, _filterPipe.Read, _accountsPipe.Read];
        Arguments = ["--args", Text(OptionsDescriptor), "--", spec.Program, .. spec.Arguments];
        _options = BubblewrapOptions.For(spec);
        Native.WriteAll(_standsPipe.Write, "!"u8);
        Native.WriteAll(_accountsPipe.Write, BubblewrapOptions.Accounts);
        _accountsPipe.Write.Dispose();
    }

    // The order of HandedOver, after standard input, output and error.
    public const int OptionsDescriptor = 3, InfoDescriptor = 4, StandsDescriptor = 5, FilterDescriptor = 6,
        AccountsDescriptor = 7;

    public override string Builder { get; }

    public override IReadOnlyList<string> Arguments { get; }

    public override IReadOnlyList<SafeFileHandle> HandedOver { get; }

    public override SafeFileHandle Stands => _standsPipe.Write;

    /// <summary>The writable directories inside. They are file systems of the run's own, kept
    /// alive by these handles after everything inside is dead.</summary>
    public SafeFileHandle? Temporary { get; private set; }

    public SafeFileHandle? Output { get; private set; }

    public override void Instruct(SpawnedProcess builder)
    {
        foreach (var end in HandedOver) end.Dispose();
        if (!Native.WriteAll(_optionsPipe.Write, _options.Span))
            throw new SandboxFailedException("bubblewrap did not read its options.");
        _isInstructed = true;
        _optionsPipe.Write.Dispose();
    }

    public override SafeFileHandle? Release(SpawnedProcess builder)
    {
        if (ProcessOne(builder) is not { } pid) return null;
        var process = Native.OpenProcess(pid);
        Temporary = Native.OpenDirectory($"/proc/{Text(pid)}/root/tmp");
        Output = Native.OpenDirectory($"/proc/{Text(pid)}/root/output");
        if (process is null || Temporary is null || Output is null) return null;
        _processOne = process;
        if (_isDoomed)
        {
            Kill(builder);
            return process;
        }
        if (!ResourceLimits.Apply(pid, _spec.Limits, _hasMemoryGroup)) throw Native.Error("setting resource limits");
        if (!Native.WriteAll(_filterPipe.Write, _filter.Span))
            throw new SandboxFailedException("bubblewrap did not read the system call filter.");
        _filterPipe.Write.Dispose();
        return process;
    }

    // bubblewrap itself is killed only before it has made anything. Later its process 1 dies instead, and
    // bubblewrap stays to bury it. In between, for a few milliseconds, process 1 exists and does not yet ask to die
    // with its parent: it would wait for an orphan's eternity. A kill in that time is kept until the cage stands.
    public override void Kill(SpawnedProcess builder)
    {
        _isDoomed = true;
        if (_processOne is not null) Native.Signal(_processOne, Native.Kill);
        else if (!_isInstructed) Native.Signal(builder.Handle, Native.Kill);
    }

    public override void Dispose()
    {
        foreach (var (read, write) in ((SafeFileHandle, SafeFileHandle)[])
                 [_optionsPipe, _infoPipe, _standsPipe, _filterPipe, _accountsPipe])
        {
            read.Dispose();
            write.Dispose();
        }
        Temporary?.Dispose();
        Output?.Dispose();
    }

    // bubblewrap says which process is number 1 inside before it lets it do anything. When the cage could not be
    // built that process may be gone and its number used again, so its parent must still be bubblewrap.
    private int? ProcessOne(SpawnedProcess builder)
    {
        Native.SetNonBlocking(_infoPipe.Read);
        Span<byte> buffer = stackalloc byte[4096];
        var length = Native.Read(_infoPipe.Read, buffer);
        if (length <= 0) return null;
        var reader = new Utf8JsonReader(buffer[..length]);
        if (!JsonElement.TryParseValue(ref reader, out var info)
            || !info.Value.TryGetProperty("child-pid", out var number)) return null;
        var pid = number.GetInt32();
        try
        {
            var stat = File.ReadAllText($"/proc/{Text(pid)}/stat");
            var parent = stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1];
            return parent == Text(builder.Pid) ? pid : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
