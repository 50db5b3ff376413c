namespace Astra.Kernel;

/// <summary>
/// Tells whoever shares a core that his time is up, at the price of reading a number: it has changed since he began.
/// </summary>
public sealed class Metronome
{
    private int _beats;

    /// <summary>Never beats: where one thread runs everything, and time is virtual.</summary>
    public static Metronome Still { get; } = new();

    /// <summary>Beats about once a millisecond while the dispatcher on the thread pool has turns.</summary>
    internal static Metronome Process { get; } = new();

    public int Beats => Volatile.Read(ref _beats);

    internal void Strike() => Volatile.Write(ref _beats, _beats + 1);
}
