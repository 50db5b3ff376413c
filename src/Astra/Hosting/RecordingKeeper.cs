using Astra.Postgres.Recording;

namespace Astra.Hosting;

/// <summary>Forgets what was recorded of goals that have been over for as long as recordings are kept.</summary>
/// <param name="kept">Null keeps them for good.</param>
/// <param name="count">Told how many went.</param>
public sealed class RecordingKeeper(PostgresRecordings recordings, TimeSpan? kept, TimeProvider machine, Action<long> count)
{
    // Small, so that nobody who records waits for one.
    private const int BatchMax = 500;

    private static readonly TimeSpan Period = TimeSpan.FromHours(1);

    private long? _lookedAt;

    /// <summary>Does nothing most of the time: once a minute is right.</summary>
    public async ValueTask LookAsync(CancellationToken cancellationToken)
    {
        if (kept is not { } lifetime || _lookedAt is { } last && machine.GetElapsedTime(last) < Period)
            return;
        _lookedAt = machine.GetTimestamp();
        count(await recordings.ForgetAsync(lifetime, BatchMax, cancellationToken));
    }
}
