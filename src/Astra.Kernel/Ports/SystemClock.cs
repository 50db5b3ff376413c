using System.Diagnostics;

namespace Astra.Kernel;

// This is where the handed-in clock comes from: the one place in the kernel that may look at the machine's.
#pragma warning disable RS0030

/// <summary>The machine's clocks: monotonic since this object was made, and the calendar.</summary>
public sealed class SystemClock : IClock
{
    private readonly long _origin = Stopwatch.GetTimestamp();

    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(_origin);

    public DateTimeOffset UtcNow => DateTimeOffset.UtcNow;
}
