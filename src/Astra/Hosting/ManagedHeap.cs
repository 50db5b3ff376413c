namespace Astra.Hosting;

/// <summary>The runtime's heap. By itself it collects what lived for a while, goals that have ended and images of their rows,
/// only now and then: in half an hour of mixed load a server that holds 20 MB came to 100.</summary>
internal static class ManagedHeap
{
    private const double GrowthMax = 1.5;
    private const long GrowthFloorBytes = 16 << 20;

    /// <summary>Begins a collection of everything, beside the work, when there is half as much again as the last one has left.</summary>
    public static void CollectWhenGrown()
    {
        var (blocking, background) = (GC.GetGCMemoryInfo(GCKind.FullBlocking), GC.GetGCMemoryInfo(GCKind.Background));
        if (UsedOf(GC.GetGCMemoryInfo(GCKind.Any)) > GrowthMax * UsedOf(blocking.Index > background.Index ? blocking : background) + GrowthFloorBytes)
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: false);
    }

    private static long UsedOf(GCMemoryInfo collection) => collection.HeapSizeBytes - collection.FragmentedBytes;
}
