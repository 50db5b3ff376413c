using Astra.Kernel.Actors;
using FsCheck;
using FsCheck.Fluent;

namespace Astra.Kernel.Tests.Actors.Model;

internal enum Verb
{
    Spawn,
    Send,
    Fail,
    FailStructurally,
    Hold,
    Release,
    Stop,
    NextStartFails,
    Watch,
    WaitHalfABackoff,
    WaitTwoBackoffs,
}

/// <summary>One thing that happens to one of the places of the tree.</summary>
internal sealed record LifeStep(Verb Verb, int Place);

/// <summary>
/// What the same random life is lived under. The top level restarts one for one, so that one tree cannot disturb the
/// actor that watches it.
/// </summary>
internal sealed record LifeRules(RestartStrategy Strategy, Directive OnFailure, Directive OnEscalation, PoisonPolicy Poison)
{
    public static readonly TimeSpan Backoff = TimeSpan.FromSeconds(1);

    private static readonly Backoff Steady = new(Backoff, Backoff, Jitter: 0);
    private static readonly RestartIntensity Tireless = new(1_000, TimeSpan.FromDays(365));

    public SupervisionPolicy Inner => new(
        Strategy, failure => failure is StructuralFailureException ? Directive.Escalate : OnFailure, Steady, Tireless, Poison);

    public SupervisionPolicy TopLevel => new(
        decide: failure => failure is StructuralFailureException ? OnEscalation : OnFailure,
        backoff: Steady, intensity: Tireless, poison: Poison);
}

internal sealed record LifeStory(LifeRules Rules, ulong Schedule, LifeStep[] Steps)
{
    /// <summary>The place of the parent of each place; the first is at the top.</summary>
    public static readonly int[] ParentOf = [-1, 0, 0, 0, 1, 1];

    public static int PlaceCount => ParentOf.Length;

    public override string ToString() =>
        $"{Rules}, schedule {Schedule}: {string.Join(", ", Steps.Select(step => $"{step.Verb} {step.Place}"))}";

    public static Arbitrary<LifeStory> Stories => Arb.From(Generator, Shrink);

    private static Gen<LifeStory> Generator =>
        from strategy in Gen.Elements(Enum.GetValues<RestartStrategy>())
        from onFailure in Gen.Elements(Directive.Resume, Directive.Restart, Directive.Restart, Directive.Stop, Directive.Escalate)
        from onEscalation in Gen.Elements(Enum.GetValues<Directive>())
        from poison in Gen.Elements(Enum.GetValues<PoisonPolicy>())
        from schedule in Gen.Choose(0, 1_000_000)
        from steps in Step.ArrayOf()
        select new LifeStory(
            new LifeRules(strategy, onFailure, onEscalation, poison), (ulong)schedule, [.. WholeTree, .. steps]);

    // A story that has to build its tree by chance is over before anything happens.
    private static IEnumerable<LifeStep> WholeTree =>
        Enumerable.Range(0, PlaceCount).Select(place => new LifeStep(Verb.Spawn, place));

    private static Gen<LifeStep> Step =>
        from verb in Gen.Elements(Enum.GetValues<Verb>())
        from place in Gen.Choose(0, PlaceCount - 1)
        select new LifeStep(verb, place);

    // Half of it, then all but one step: what is left after a failure is what is needed for it.
    private static IEnumerable<LifeStory> Shrink(LifeStory story)
    {
        var steps = story.Steps;
        if (steps.Length > 3)
        {
            yield return story with { Steps = steps[..(steps.Length / 2)] };
            yield return story with { Steps = steps[(steps.Length / 2)..] };
        }

        for (int i = 0; i < steps.Length; i++)
            yield return story with { Steps = [.. steps[..i], .. steps[(i + 1)..]] };
        if (story.Schedule != 0)
            yield return story with { Schedule = 0 };
    }
}
