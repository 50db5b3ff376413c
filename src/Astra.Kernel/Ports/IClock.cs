namespace Astra.Kernel;

/// <summary>The only way the kernel learns what time it is.</summary>
public interface IClock
{
    /// <summary>Time since an arbitrary origin; never goes back and never jumps. Deadlines and leases use this.</summary>
    TimeSpan Elapsed { get; }

    /// <summary>The calendar, for people and for due times. May jump when the machine's clock is set.</summary>
    DateTimeOffset UtcNow { get; }
}
