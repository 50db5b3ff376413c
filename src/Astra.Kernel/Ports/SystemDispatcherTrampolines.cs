using Astra.Kernel.Actors;

namespace Astra.Kernel;

// Part of where the handed-in dispatcher comes from; see SystemThreadPoolDispatcher.cs.
#pragma warning disable RS0030

/// <summary>
/// The trampolines of this process. They are counted for as long as they have turns, running or waiting for a thread:
/// while there are fewer than cores, a trampoline with more than one turn gives half of them away.
/// </summary>
internal static class Trampolines
{
    private static readonly int CoreCount = Environment.ProcessorCount;
    private static readonly Spares<Trampoline> Spare = new();

    private static int _count;

    public static bool HasIdleCore => Volatile.Read(ref _count) < CoreCount;

    public static void Post(IThreadPoolWorkItem turn)
    {
        if (Trampoline.Current is not { } trampoline || !trampoline.TryPush(turn))
            PostFromOutside(turn);
    }

    public static void PostLast(IThreadPoolWorkItem turn)
    {
        if (Trampoline.Current is not { } trampoline || !trampoline.TryPushLast(turn))
            PostFromOutside(turn);
    }

    private static void PostFromOutside(IThreadPoolWorkItem turn)
    {
        var trampoline = Spare.Take();
        if (trampoline is null || !trampoline.TryBegin(turn))
        {
            trampoline = new Trampoline();
            trampoline.TryBegin(turn);
        }

        Start(trampoline);
    }

    public static void Start(Trampoline trampoline)
    {
        Interlocked.Increment(ref _count);
        ThreadPool.UnsafeQueueUserWorkItem(trampoline, preferLocal: false);
    }

    public static void Ended() => Interlocked.Decrement(ref _count);

    public static void Recycle(Trampoline trampoline) => Spare.Put(trampoline);
}
