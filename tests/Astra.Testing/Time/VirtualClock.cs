using Astra.Kernel;

namespace Astra.Testing.Time;

/// <summary>A clock that moves when its world is told to advance, and never by itself.</summary>
public sealed class VirtualClock : IClock
{
    /// <summary>The calendar at the beginning of every world: a day nobody has to look up.</summary>
    public static readonly DateTimeOffset Beginning = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private TimeSpan _calendarShift;

    public TimeSpan Elapsed { get; private set; }

    public DateTimeOffset UtcNow => Beginning + Elapsed + _calendarShift;

    /// <summary>Somebody sets the machine's clock. Elapsed time does not notice.</summary>
    public void ShiftCalendar(TimeSpan by) => _calendarShift += by;

    internal void MoveTo(TimeSpan instant)
    {
        if (instant > Elapsed)
            Elapsed = instant;
    }
}
