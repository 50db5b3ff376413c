using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Astra.Tools.Sandboxes.Linux;

/// <summary>
/// One thread for all runs. It starts their processes, waits for their descriptors and keeps their
/// deadlines, so that a thousand runs cost no threads and nothing of a run needs a lock: all of it happens
/// here, one thing at a time.
/// </summary>
/// <remarks>The thread lives as long as the server, and that matters: the kernel's "die with your parent"
/// means the parent <em>thread</em>. A cage started by a pool thread would be killed when the pool shrinks.</remarks>
internal sealed partial class Reactor
{
    private const int EventsPerTurn = 64;
    private const int Add = 1, Remove = 2, Modify = 3;

    // struct epoll_event is packed on x64 and naturally aligned elsewhere.
    private static readonly int EventSize = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;
    private static readonly int EventDataOffset = EventSize - 8;

    public const uint Readable = 1, Writable = 4, Failed = 8, HungUp = 16;

    public static Reactor Shared { get; } = new();

    private readonly ConcurrentQueue<Action> _posted = new();
    private readonly Dictionary<int, IWatcher> _watchers = [];
    private readonly PriorityQueue<IWatcher, long> _deadlines = new();
    private readonly SafeFileHandle _epoll;
    private readonly SafeFileHandle _wakeUp;
    private readonly byte[] _events = new byte[EventsPerTurn * 16];

    private Reactor()
    {
        _epoll = Descriptor(EpollCreate(Native.CloseOnExec), "epoll");
        _wakeUp = Descriptor(EventDescriptor(0, Native.CloseOnExec | Native.NonBlocking), "eventfd");
        Control(Add, _wakeUp, Readable);
        new Thread(Loop) { IsBackground = true, Name = "astra sandboxes" }.Start();
    }

    /// <summary>The only call that other threads may make. The action must not throw.</summary>
    public void Post(Action action)
    {
        _posted.Enqueue(action);
        Span<byte> one = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(one, 1);
        Native.Write(_wakeUp, one);
    }

    /// <summary>Failure and hang-up of the descriptor are always reported, asked for or not.</summary>
    public void Watch(SafeFileHandle handle, uint events, IWatcher watcher)
    {
        _watchers.Add((int)handle.DangerousGetHandle(), watcher);
        Control(Add, handle, events);
    }

    public void Forget(SafeFileHandle handle)
    {
        if (_watchers.Remove((int)handle.DangerousGetHandle())) Control(Remove, handle, 0);
    }

    /// <summary>Calls <see cref="IWatcher.Due"/> then. A watcher has one deadline; a new one replaces it.</summary>
    public void WakeAt(IWatcher watcher, long timestamp)
    {
        NoDeadline(watcher);
        _deadlines.Enqueue(watcher, timestamp);
    }

    public void NoDeadline(IWatcher watcher) => _deadlines.Remove(watcher, out _, out _);

    private void Loop()
    {
        while (true)
        {
            var count = EpollWait(_epoll, _events, EventsPerTurn, UntilNextDeadline());
            for (var i = 0; i < count; i++)
            {
                var entry = _events.AsSpan(i * EventSize, EventSize);
                var descriptor = BinaryPrimitives.ReadInt32LittleEndian(entry[EventDataOffset..]);
                if (descriptor == (int)_wakeUp.DangerousGetHandle()) Drain();
                else if (_watchers.TryGetValue(descriptor, out var watcher))
                    Guarded(watcher, w => w.Ready(descriptor));
            }
            while (_posted.TryDequeue(out var action)) action();
            while (_deadlines.TryPeek(out var watcher, out var due) && due <= Stopwatch.GetTimestamp())
            {
                _deadlines.Dequeue();
                Guarded(watcher, w => w.Due());
            }
        }
    }

    // A defect in one run ends that run. The thread carries all the others, their deadlines included.
    private static void Guarded(IWatcher watcher, Action<IWatcher> action)
    {
        try
        {
            action(watcher);
        }
        catch (Exception e)
        {
            watcher.Broken(e);
        }
    }

    private int UntilNextDeadline()
    {
        if (!_deadlines.TryPeek(out _, out var due)) return -1;
        var left = Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), due);
        return left <= TimeSpan.Zero ? 0 : (int)Math.Min(Math.Ceiling(left.TotalMilliseconds), int.MaxValue);
    }

    private void Drain()
    {
        Span<byte> count = stackalloc byte[8];
        Native.Read(_wakeUp, count);
    }

    private void Control(int operation, SafeFileHandle handle, uint events)
    {
        Span<byte> entry = stackalloc byte[16];
        entry.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(entry, events);
        BinaryPrimitives.WriteInt32LittleEndian(entry[EventDataOffset..], (int)handle.DangerousGetHandle());
        if (EpollControl(_epoll, operation, handle, entry) != 0) throw Native.Error("waiting for a sandbox");
    }

    private static SafeFileHandle Descriptor(int descriptor, string what) =>
        descriptor < 0 ? throw Native.Error("making " + what) : new SafeFileHandle(descriptor, ownsHandle: true);

    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    private static partial int EpollCreate(int flags);

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    private static partial int EventDescriptor(uint value, int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    private static partial int EpollControl(
        SafeFileHandle epoll, int operation, SafeFileHandle handle, Span<byte> entry);

    [LibraryImport("libc", EntryPoint = "epoll_wait", SetLastError = true)]
    private static partial int EpollWait(SafeFileHandle epoll, Span<byte> events, int count, int milliseconds);
}

/// <summary>What the reactor calls, always on its thread.</summary>
internal interface IWatcher
{
    void Ready(int descriptor);

    void Due();

    void Broken(Exception cause);
}
