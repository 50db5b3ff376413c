namespace Astra.Kernel.Actors;

/// <summary>Who is restarted along with a child that failed.</summary>
public enum RestartStrategy
{
    /// <summary>Only the child itself: the children know nothing of each other.</summary>
    OneForOne,

    /// <summary>Every child: they make no sense without each other.</summary>
    OneForAll,

    /// <summary>The child and those spawned after it: each may rely on the earlier ones.</summary>
    RestForOne,
}

/// <summary>What a supervisor does about a failure.</summary>
public enum Directive
{
    /// <summary>Skip the message, keep the state. Where no state is left to keep, a restart.</summary>
    Resume,

    /// <summary>A new incarnation, after the backoff, with the same mailbox.</summary>
    Restart,

    /// <summary>Stop the child for good.</summary>
    Stop,

    /// <summary>Fail oneself, and leave it to one's own supervisor.</summary>
    Escalate,
}

/// <summary>What becomes of a message on which a child failed. No incarnation ever sees it again.</summary>
public enum PoisonPolicy
{
    /// <summary>To the dead-letter office, with the exception.</summary>
    DeadLetter,

    /// <summary>
    /// Nothing of it is kept: for children whose messages are worthless a moment later, or secret. Whoever asked
    /// still hears of the failure, and the failure itself is told as <see cref="ActorFailed"/> like any other.
    /// </summary>
    Skip,
}

/// <summary>Delay before the n-th restart: doubling from <paramref name="First"/> to <paramref name="Cap"/>.</summary>
/// <param name="First">Before the first restart.</param>
/// <param name="Cap">Never longer than this.</param>
/// <param name="Jitter">
/// The share of each delay that is left to the dice, so that a crowd does not come back at once.
/// </param>
public sealed record Backoff(TimeSpan First, TimeSpan Cap, double Jitter = 0.2)
{
    public static Backoff Default { get; } = new(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(30));

    /// <summary>The longest delay before restart number <paramref name="restart"/>, counted from 1.</summary>
    public TimeSpan LongestBefore(int restart)
    {
        // Doubling stops at 2^40 of anything, long before a TimeSpan overflows and long after any cap.
        double delay = First.Ticks * Math.Pow(2, Math.Min(restart - 1, 40));
        return delay < Cap.Ticks ? TimeSpan.FromTicks((long)delay) : Cap;
    }

    public TimeSpan Before(int restart, IRandomness randomness) =>
        LongestBefore(restart) * (1 - (Jitter * randomness.NextDouble()));
}

/// <summary>
/// More than <paramref name="RestartsMax"/> restarts within <paramref name="Window"/> is a failure of the supervisor.
/// </summary>
public sealed record RestartIntensity(int RestartsMax, TimeSpan Window)
{
    // Five restarts with the default backoff take about three seconds, so a child that cannot start escalates in
    // seconds, and one that fails every quarter of a minute is merely restarted.
    public static RestartIntensity Default { get; } = new(5, TimeSpan.FromMinutes(1));
}

/// <summary>
/// How a supervisor treats the failures of its children. It is checked when it is made: a policy that contradicts
/// itself would otherwise be found out on the night when the first child dies.
/// </summary>
/// <remarks>A message on which a child fails is never handled again, whatever the directive: a poison message handed to
/// the next incarnation would kill that too. What becomes of it is <see cref="Poison"/>.</remarks>
public sealed class SupervisionPolicy
{
    // Of every child that fails, its restarts within the window are remembered.
    private const int RestartsMaxMost = 1_000_000;

    // Above Default, whose check needs it.
    private static readonly TimeSpan BackoffMax = TimeSpan.FromDays(365);

    public static SupervisionPolicy Default { get; } = new();

    public SupervisionPolicy(
        RestartStrategy strategy = RestartStrategy.OneForOne,
        Func<Exception, Directive>? decide = null,
        Backoff? backoff = null,
        RestartIntensity? intensity = null,
        PoisonPolicy poison = PoisonPolicy.DeadLetter)
    {
        Strategy = strategy;
        Decide = decide ?? DecideByKind;
        Poison = poison;
        Backoff = backoff ?? Backoff.Default;
        Intensity = intensity ?? RestartIntensity.Default;
        Check(isBackoffGiven: backoff is not null);
    }

    public RestartStrategy Strategy { get; }

    public Func<Exception, Directive> Decide { get; }

    public Backoff Backoff { get; }

    /// <summary>
    /// Counted per child where children are independent (one-for-one), per supervisor where they are not.
    /// </summary>
    public RestartIntensity Intensity { get; }

    public PoisonPolicy Poison { get; }

    /// <summary>A structural failure escalates, anything else restarts.</summary>
    public static Directive DecideByKind(Exception failure) =>
        failure is StructuralFailureException ? Directive.Escalate : Directive.Restart;

    private void Check(bool isBackoffGiven)
    {
        if (!Enum.IsDefined(Strategy))
            throw new InvalidPolicyException($"There is no strategy {Strategy}.");
        if (!Enum.IsDefined(Poison))
            throw new InvalidPolicyException($"There is no treatment {Poison} of a poison message.");
        if (Backoff.First <= TimeSpan.Zero)
            throw new InvalidPolicyException($"A backoff from {Backoff.First} never grows: restarts would spin.");
        if (Backoff.Cap < Backoff.First)
            throw new InvalidPolicyException($"The backoff starts at {Backoff.First}, above its cap {Backoff.Cap}.");
        if (Backoff.Cap > BackoffMax)
            throw new InvalidPolicyException($"Nobody lives to see a restart after {Backoff.Cap}.");
        if (Backoff.Jitter is not (>= 0 and < 1))
            throw new InvalidPolicyException($"A jitter of {Backoff.Jitter} is not a share in [0, 1).");
        if (Intensity.RestartsMax < 0 || Intensity.Window <= TimeSpan.Zero)
            throw new InvalidPolicyException(
                $"{Intensity.RestartsMax} restarts within {Intensity.Window} is not a limit.");
        if (Intensity.RestartsMax > RestartsMaxMost)
            throw new InvalidPolicyException(
                $"{Intensity.RestartsMax} restarts are no limit; {RestartsMaxMost} is the most that is kept count of.");
        if (Intensity.RestartsMax == 0 && isBackoffGiven)
            throw new InvalidPolicyException("A backoff before restarts is given, but no restart is allowed.");
        if (Intensity.RestartsMax == 0 && Strategy != RestartStrategy.OneForOne)
            throw new InvalidPolicyException($"{Strategy} restarts a group, but no restart is allowed.");
        if (ShortestExhaustion() > Intensity.Window)
            throw new InvalidPolicyException(
                $"The backoff spreads {Intensity.RestartsMax} restarts over at least {ShortestExhaustion()}, more " +
                $"than the window {Intensity.Window}: the limit could never be reached and a dead child would be " +
                "restarted for ever.");
    }

    // From the first failure to the one that escalates, for a child that dies as soon as it is started.
    private TimeSpan ShortestExhaustion()
    {
        double total = 0;
        for (int restart = 1; restart <= Intensity.RestartsMax && total <= Intensity.Window.Ticks; restart++)
        {
            var longest = Backoff.LongestBefore(restart);
            // From the cap on they are all alike.
            int alike = longest == Backoff.Cap ? Intensity.RestartsMax - restart + 1 : 1;
            total += longest.Ticks * (1 - Backoff.Jitter) * alike;
            restart += alike - 1;
        }

        return total < TimeSpan.MaxValue.Ticks ? TimeSpan.FromTicks((long)total) : TimeSpan.MaxValue;
    }
}
