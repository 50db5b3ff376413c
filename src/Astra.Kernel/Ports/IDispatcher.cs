namespace Astra.Kernel;

/// <summary>
/// Which thread runs a turn, where an awaited handler continues, and every timer. In production it sits on the
/// shared thread pool; in a simulation it is one thread and virtual time, and may be told to die at any await.
/// </summary>
public interface IDispatcher
{
    /// <summary>Runs <paramref name="turn"/> soon. Turns posted by one thread may run in any order.</summary>
    void Post(IThreadPoolWorkItem turn);

    /// <summary>Runs <paramref name="turn"/> after what is waiting already: it has used up its share.</summary>
    void Requeue(IThreadPoolWorkItem turn) => Post(turn);

    /// <summary>A turn that hears a beat has had its share and is requeued after the message in hand.</summary>
    Metronome Metronome => Metronome.Still;

    /// <summary>Runs <paramref name="callback"/> once, after <paramref name="delay"/>; disposing it first cancels it.</summary>
    IDisposable Schedule(TimeSpan delay, Action callback);

    /// <summary>Installed while a turn runs, so that what is awaited in the kernel continues through this dispatcher.</summary>
    SynchronizationContext Continuations { get; }
}
