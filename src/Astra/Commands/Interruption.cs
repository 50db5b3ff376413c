using System.Runtime.InteropServices;

namespace Astra.Commands;

/// <summary>Ctrl-C, once: finish cleanly. Twice: at once. The kernel's journal makes the second one safe too.</summary>
public sealed class Interruption : IDisposable
{
    private readonly CancellationTokenSource _interrupted = new();
    private readonly PosixSignalRegistration _interrupt;
    private readonly PosixSignalRegistration _terminate;

    public Interruption()
    {
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Handle);
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Handle);
    }

    public CancellationToken Token => _interrupted.Token;

    public void Dispose()
    {
        _interrupt.Dispose();
        _terminate.Dispose();
        _interrupted.Dispose();
    }

    private void Handle(PosixSignalContext signal)
    {
        // The default, ending the process here and now, is what a second one gets.
        if (_interrupted.IsCancellationRequested)
        {
            // A live display hides the cursor, or shows another screen, and will not get to put that right.
            if (!Console.IsOutputRedirected)
                Console.Out.Write(Display.LiveScreen.Leave);
            return;
        }

        signal.Cancel = true;
        _interrupted.Cancel();
    }
}
