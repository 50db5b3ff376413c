namespace Astra.Llm.Routing;

/// <summary>
/// How long a target takes to its first token: a moving average that rises at once and falls slowly, and the 95th percentile of
/// the latest. Written by many at once without a lock; a figure that is lost in a race is one of many.
/// </summary>
internal sealed class Latency(TimeProvider clock)
{
    // Who was slow once is not slow for ever; without samples its figure halves, until it is tried again.
    private static readonly TimeSpan HalfLife = TimeSpan.FromSeconds(10);

    // Buckets grow by a fifth: from 1 ms, the last one begins at 100 s.
    private const int BucketCount = 64;
    private const double BucketGrowth = 1.2;
    private const int SamplesMin = 20;
    private const int SamplesKept = 1024;
    private const double Weight = 0.1;

    private readonly int[] _buckets = new int[BucketCount];
    private double _average;
    private long _sampledAt;
    private int _samples;

    /// <summary>In milliseconds, as last measured; zero before the first.</summary>
    public double Average => Volatile.Read(ref _average);

    /// <summary>The average as a reason to avoid the target: it fades with its age.</summary>
    public double Expected => Average * Math.Pow(0.5, clock.GetElapsedTime(Volatile.Read(ref _sampledAt)) / HalfLife);

    /// <summary>Null while too little is known.</summary>
    public TimeSpan? P95
    {
        get
        {
            var total = 0;
            foreach (var count in _buckets)
                total += count;
            if (total < SamplesMin)
                return null;
            var rest = total / 20;
            var bucket = BucketCount - 1;
            for (; bucket > 0 && (rest -= _buckets[bucket]) >= 0; bucket--)
            {
            }
            return TimeSpan.FromMilliseconds(Math.Pow(BucketGrowth, bucket + 1));
        }
    }

    public void Add(TimeSpan time)
    {
        var sample = time.TotalMilliseconds;
        var average = Volatile.Read(ref _average);
        // A target that has become slow is avoided from the first slow answer; it earns its way back.
        Volatile.Write(ref _average, sample > average ? sample : average + Weight * (sample - average));
        Volatile.Write(ref _sampledAt, clock.GetTimestamp());
        var bucket = sample <= 1 ? 0 : Math.Min(BucketCount - 1, (int)(Math.Log(sample) / Math.Log(BucketGrowth)));
        Interlocked.Increment(ref _buckets[bucket]);
        if (Interlocked.Increment(ref _samples) % SamplesKept == 0)
            Forget();
    }

    private void Forget()
    {
        for (var i = 0; i < BucketCount; i++)
            Volatile.Write(ref _buckets[i], _buckets[i] / 2);
    }
}
