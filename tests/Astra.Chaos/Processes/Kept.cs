using System.Diagnostics;

namespace Astra.Chaos.Processes;

/// <summary>A program that is started again whenever it ends, as a service manager does, until it is held down.</summary>
internal abstract class Kept(string name, TimeSpan restartPause) : IAsyncDisposable
{
    private static readonly TimeSpan EndTimeMax = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stopping = new();
    private Process? _process;
    private bool _isHeldDown = true;
    private Task _keeping = Task.CompletedTask;

    public string Name => name;

    /// <summary>How often it was started.</summary>
    public int StartCount { get; private set; }

    /// <summary>How often it ended although nobody had done anything to it.</summary>
    public int OwnEndCount { get; private set; }

    /// <summary>Somebody outside ends it; that is no end of its own.</summary>
    protected bool EndIsExpected { get; set; }

    public int? ProcessId
    {
        get
        {
            lock (_gate)
                return _process is { HasExited: false } living ? living.Id : null;
        }
    }

    public void Start()
    {
        lock (_gate)
        {
            _isHeldDown = false;
            Launch();
        }
        if (_keeping.IsCompleted)
            _keeping = KeepAsync();
    }

    /// <summary>`kill -9`. It comes back by itself unless it is held down.</summary>
    /// <returns>False when there was nothing to kill.</returns>
    public bool Kill(bool holdDown = false) => End(Signals.Kill, holdDown);

    /// <summary>Lets it be started again.</summary>
    public void Release()
    {
        lock (_gate)
            _isHeldDown = false;
    }

    public bool Signal(int signal) => ProcessId is { } id && Signals.Send(id, signal);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _keeping;
        lock (_gate)
            _isHeldDown = true;
        if (ProcessId is { } id)
        {
            Signals.Send(id, Signals.Continue);
            Signals.Send(id, FarewellSignal);
            using var patience = new CancellationTokenSource(EndTimeMax);
            try
            {
                await _process!.WaitForExitAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                Signals.Send(id, Signals.Kill);
                await _process!.WaitForExitAsync();
            }
        }
        _process?.Dispose();
        _stopping.Dispose();
        GC.SuppressFinalize(this);
    }

    protected virtual int FarewellSignal => Signals.Kill;

    protected abstract Process Begin();

    protected bool End(int signal, bool holdDown)
    {
        lock (_gate)
        {
            _isHeldDown |= holdDown;
            if (_process is not { HasExited: false } living)
                return false;
            _endings.Add(living.Id);
            return Signals.Send(living.Id, signal);
        }
    }

    private readonly HashSet<int> _endings = [];

    private async Task KeepAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            await Task.Delay(50, CancellationToken.None);
            bool isDown;
            lock (_gate)
                isDown = _process is { HasExited: true };
            if (!isDown)
                continue;
            NoteEnd();
            if (!_isHeldDown)
                await Task.Delay(restartPause, CancellationToken.None);
            lock (_gate)
            {
                if (!_isHeldDown && !_stopping.IsCancellationRequested)
                    Launch();
            }
        }
    }

    private int _notedStart;

    private void NoteEnd()
    {
        lock (_gate)
        {
            if (_notedStart == StartCount || _process is not { } ended)
                return;
            _notedStart = StartCount;
            if (!_endings.Remove(ended.Id) && !EndIsExpected)
                OwnEndCount++;
        }
    }

    private void Launch()
    {
        if (_process is { HasExited: false })
            return;
        _process?.Dispose();
        StartCount++;
        _process = Begin();
    }
}
