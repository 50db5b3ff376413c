using System.Diagnostics;

namespace Astra.Kernel;

// This is where the handed-in clock comes from: the one place in the kernel that may look at the machine's.
#pragma warning disable RS0030

/// <summary>The machine's clocks: monotonic since this object was made, and the calendar.</summary>
public sealed class SystemClock : IClock
{
    private readonly long _origin = Stopwatch.GetTimestamp();

    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(_origin);

    /// <remarks>In whole microseconds, which is what PostgreSQL keeps: the same instant is then told the same before and
    /// after a restart.</remarks>
    public DateTimeOffset UtcNow
    {
        get
        {
            var now = DateTimeOffset.UtcNow;
            return now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMicrosecond));
        }
    }
}
