using System.Diagnostics;
using System.Text;
using Astra.Tools.Sandboxes.Cgroups;
using Microsoft.Win32.SafeHandles;

namespace Astra.Tools.Sandboxes.Linux;

/// <summary>
/// One run from its first process to the death of its last: builds the cage, feeds it, listens to it, and
/// kills it at the first limit it reaches. It ends in one way only, with everything inside dead, whether
/// the program finished, a limit was reached, the caller gave up or something here broke.
/// </summary>
internal sealed class LinuxRun : IWatcher, IDisposable
{
    /// <summary>Thousands of times what it takes on an idle machine. A cage that does not stand by then never
    /// will.</summary>
    private static readonly TimeSpan BuildTimeMax = TimeSpan.FromSeconds(20);

    /// <summary>How far past its processor limit a run can get, on each processor, before anyone looks.</summary>
    private static readonly TimeSpan CpuLookMin = TimeSpan.FromMilliseconds(5);

    [ThreadStatic] private static byte[]? t_buffer;

    private readonly Reactor _reactor = Reactor.Shared;
    private readonly TaskCompletionSource<RunEnd> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SandboxSpec _spec;
    private readonly Cage _cage;
    private readonly RunCgroup? _group;
    private readonly SafeFileHandle[] _childEnds;
    private readonly SafeFileHandle _input;
    private readonly BoundedCapture _output;
    private readonly BoundedCapture _error;
    private readonly SortedSet<SandboxLimit> _limitsHit = [];

    private SpawnedProcess? _builder;
    private SafeFileHandle? _inside;
    private ExitStatus? _exit;
    private bool _insideIsDead;
    private bool _released;
    private bool _isOver;
    private int _inputSent;
    private long _startedAt;
    private long _buildDeadline;
    private Exception? _failure;

    public LinuxRun(SandboxSpec spec, Cage cage, RunCgroup? group)
    {
        _spec = spec;
        _cage = cage;
        _group = group;
        var (inRead, inWrite) = Native.Pipe();
        var (outRead, outWrite) = Native.Pipe();
        var (errorRead, errorWrite) = Native.Pipe();
        _childEnds = [inRead, outWrite, errorWrite];
        _input = inWrite;
        _output = new BoundedCapture(outRead, spec.Limits.OutputBytes);
        _error = new BoundedCapture(errorRead, spec.Limits.ErrorBytes);
        foreach (var ours in (SafeFileHandle[])[inWrite, outRead, errorRead]) Native.SetNonBlocking(ours);
    }

    public async Task<RunEnd> RunAsync(CancellationToken ct)
    {
        _reactor.Post(Start);
        await using var registration = ct.Register(() => _reactor.Post(() => Fail(new OperationCanceledException(ct))));
        return await _ended.Task;
    }

    private void Start()
    {
        try
        {
            if (_failure is not null) throw _failure;
            _builder = Spawner.Start(
                _cage.Builder, _cage.Arguments, _cage.Environment, [.. _childEnds, .. _cage.HandedOver]);
            _buildDeadline = In(BuildTimeMax);
            _reactor.WakeAt(this, _buildDeadline);
            _reactor.Watch(_builder.Handle, Reactor.Readable, this);
            foreach (var end in _childEnds) end.Dispose();

            // The builder can do nothing before it has read its instructions, so whatever it starts later
            // is born inside the limits.
            _group?.Add(_builder.Pid);
            _cage.Instruct(_builder);

            _reactor.Watch(_output.Pipe, Reactor.Readable, this);
            _reactor.Watch(_error.Pipe, Reactor.Readable, this);
            if (_spec.Input.IsEmpty) _input.Dispose();
            else _reactor.Watch(_input, Reactor.Writable, this);
            if (_cage.Stands is { } stands) _reactor.Watch(stands, 0, this);
            else Release();
        }
        catch (Exception e)
        {
            Broken(e);
        }
    }

    public void Ready(int descriptor)
    {
        if (_isOver) return;
        if (Is(_output.Pipe, descriptor)) Listen(_output, SandboxLimit.Output);
        else if (Is(_error.Pipe, descriptor)) Listen(_error, SandboxLimit.ErrorOutput);
        else if (Is(_input, descriptor)) Feed();
        else if (_inside is not null && Is(_inside, descriptor)) InsideDied();
        else if (_builder is not null && Is(_builder.Handle, descriptor)) BuilderEnded();
        else if (_cage.Stands is { } stands && Is(stands, descriptor)) Release();
    }

    private void Release()
    {
        if (_cage.Stands is { } stands) _reactor.Forget(stands);
        // The builder closes the signal when it gives up, too; then its end is about to be reported.
        if (_cage.Release(_builder!) is { } inside)
        {
            _inside = inside;
            _reactor.Watch(inside, Reactor.Readable, this);
        }
        else if (_cage.Stands is not null)
        {
            return;
        }
        _released = true;
        _startedAt = Stopwatch.GetTimestamp();
        _reactor.WakeAt(this, _startedAt + Ticks(NextLook()));
    }

    private void Listen(BoundedCapture capture, SandboxLimit limit)
    {
        capture.Take(t_buffer ??= new byte[64 << 10]);
        if (capture.Overflowed && _limitsHit.Add(limit) && limit == SandboxLimit.Output) Kill();
        if (capture.Ended) _reactor.Forget(capture.Pipe);
    }

    private void Feed()
    {
        var sent = Native.Write(_input, _spec.Input.Span[_inputSent..]);
        if (sent > 0) _inputSent += sent.Value;
        // A program that does not read its input is within its rights.
        if (sent is not null && _inputSent < _spec.Input.Length) return;
        _reactor.Forget(_input);
        _input.Dispose();
    }

    public void Due()
    {
        if (_isOver) return;
        var now = Stopwatch.GetTimestamp();
        if (!_released)
        {
            if (now >= _buildDeadline) GiveUpBuilding();
            else _reactor.WakeAt(this, _buildDeadline);
            return;
        }
        if (now >= _startedAt + Ticks(_spec.Limits.Wall)) HitAndKill(SandboxLimit.Wall);
        else if (_group?.CpuUsed() > _spec.Limits.Cpu) HitAndKill(SandboxLimit.Cpu);
        else _reactor.WakeAt(this, now + Ticks(NextLook()));
    }

    private void GiveUpBuilding()
    {
        Fail(new SandboxFailedException($"The cage did not stand after {BuildTimeMax}."));
        // What it may leave behind is in the run's cgroup and dies with that.
        Native.Signal(_builder!.Handle, Native.Kill);
    }

    // The earliest moment at which a limit can have been reached: the end of the wall time, or what is left of
    // the processor time if every processor works on it from now on.
    private TimeSpan NextLook()
    {
        var wallLeft = _spec.Limits.Wall - Stopwatch.GetElapsedTime(_startedAt);
        if (_group?.CpuUsed() is not { } used) return wallLeft;
        var cpuLeft = (_spec.Limits.Cpu - used) / Environment.ProcessorCount;
        return cpuLeft > wallLeft ? wallLeft : cpuLeft > CpuLookMin ? cpuLeft : CpuLookMin;
    }

    private void HitAndKill(SandboxLimit limit)
    {
        _limitsHit.Add(limit);
        Kill();
    }

    private void BuilderEnded()
    {
        _cage.BuilderEnded(_builder!);
        _exit ??= Native.Reap(_builder!.Handle);
        if (_exit is null) return;
        _reactor.Forget(_builder!.Handle);
        OverIfAllDead();
    }

    private void InsideDied()
    {
        _insideIsDead = true;
        _reactor.Forget(_inside!);
        OverIfAllDead();
    }

    private void OverIfAllDead()
    {
        if (_exit is null || (_inside is not null && !_insideIsDead)) return;
        // An orphan of the builder comes to us when this process is the machine's or container's first one.
        if (_inside is not null) Native.Reap(_inside);

        var died = Stopwatch.GetTimestamp();
        // Nobody is left who could write: what is in the pipes now is all there will ever be.
        foreach (var capture in (BoundedCapture[])[_output, _error])
            while (capture.Take(t_buffer ??= new byte[64 << 10]))
            {
            }
        if (_output.Overflowed) _limitsHit.Add(SandboxLimit.Output);
        if (_error.Overflowed) _limitsHit.Add(SandboxLimit.ErrorOutput);
        _failure ??= _released ? null : new SandboxFailedException(
            $"The cage could not be built: {Encoding.UTF8.GetString(_error.Kept.Span).Trim()}");
        Over();
        if (_failure is not null) _ended.TrySetException(_failure);
        else _ended.TrySetResult(new RunEnd(
            _exit.Value, Stopwatch.GetElapsedTime(_startedAt, died), [.. _limitsHit], _output.Kept, _error.Kept));
    }

    private void Fail(Exception cause)
    {
        if (_isOver) return;
        _failure ??= cause;
        if (_builder is not null) Kill();
    }

    public void Broken(Exception cause)
    {
        Fail(cause);
        if (_builder is not null || _isOver) return;
        Over();
        _ended.TrySetException(_failure!);
    }

    private void Kill() => _cage.Kill(_builder!);

    private void Over()
    {
        _isOver = true;
        _reactor.NoDeadline(this);
        foreach (var pipe in (SafeFileHandle[])[_input, _output.Pipe, _error.Pipe])
            if (!pipe.IsClosed) _reactor.Forget(pipe);
        if (_cage.Stands is { IsClosed: false } stands) _reactor.Forget(stands);
        Dispose();
    }

    public void Dispose()
    {
        foreach (var end in _childEnds) end.Dispose();
        _input.Dispose();
        _output.Pipe.Dispose();
        _error.Pipe.Dispose();
        _inside?.Dispose();
        _builder?.Dispose();
    }

    private static bool Is(SafeFileHandle handle, int descriptor) =>
        !handle.IsClosed && (int)handle.DangerousGetHandle() == descriptor;

    private static long In(TimeSpan time) => Stopwatch.GetTimestamp() + Ticks(time);

    private static long Ticks(TimeSpan time) => (long)(time.TotalSeconds * Stopwatch.Frequency);
}

/// <summary>How a run ended. Everything inside is dead.</summary>
internal sealed record RunEnd(
    ExitStatus Exit,
    TimeSpan Duration,
    IReadOnlyList<SandboxLimit> LimitsHit,
    ReadOnlyMemory<byte> Output,
    ReadOnlyMemory<byte> Error);
