using Astra.Chaos.Processes;
using Astra.Sdk;

namespace Astra.Chaos.Worker;

/// <summary>What a step is told to do.</summary>
/// <param name="Milliseconds">How long it works.</param>
/// <param name="Times">In how many of its first attempts it does what it must not do.</param>
internal sealed record StepOrder(int Milliseconds = 0, int Times = 0);

/// <summary>The agent of the remote workers. It does what its steps say, dying included, and looks whether everything that a
/// step waits for has ended as it should.</summary>
internal sealed class ChaosAgent(Uri receiver) : Agent, IDisposable
{
    public const string AgentName = "chaos";

    public const string Work = "work";
    public const string Flaky = "flaky";
    public const string Permanent = "permanent";
    public const string Exhaust = "exhaust";
    public const string Dies = "dies";
    public const string Effect = "effect";
    public const string EffectDiesBefore = "effect-dies-before";
    public const string EffectDiesAfter = "effect-dies-after";
    public const string Hog = "hog";

    /// <summary>The sum over the whole graph above it, so that an output shows whether anything was left out or came twice.</summary>
    public static long ValueOf(IEnumerable<long> dependencies) => 1 + dependencies.Sum();

    private readonly HttpClient _http = new() { BaseAddress = receiver, Timeout = TimeSpan.FromSeconds(2) };

    public override string Name => AgentName;

    public override ValueTask<Plan> PlanAsync(PlanningTurn turn, CancellationToken cancellationToken) => ValueTask.FromResult(Plan.Empty);

    public override async ValueTask<StepResult> ExecuteAsync(StepTurn turn, CancellationToken cancellationToken)
    {
        foreach (var (name, step) in turn.Dependencies)
            if (step.State != StepState.Completed)
                throw new PermanentFailureException($"{turn.Name} was started although {name} is {step.State}.");
        var order = turn.InputAs<StepOrder>();
        if (order.Milliseconds > 0)
            await Task.Delay(order.Milliseconds, cancellationToken);
        var isEarly = turn.Attempt <= order.Times;
        switch (turn.Kind)
        {
            case Flaky when isEarly:
                throw new InvalidOperationException("The first attempts of this step fail.");
            case Permanent:
                throw new PermanentFailureException("This step never works.");
            case Exhaust:
                throw new InvalidOperationException("This step fails whenever it is tried.");
            case Dies when isEarly:
                Signals.KillSelf();
                break;
            case Hog when isEarly:
                Grow();
                break;
            case Effect or EffectDiesBefore or EffectDiesAfter:
                await turn.EffectAsync("tells the receiver", (key, cancelled) => ActAsync(turn.Kind, isEarly, key, cancelled), cancellationToken);
                break;
        }
        return StepResult.Done(new { value = ValueOf(turn.Dependencies.Values.Select(step => step.Output.GetProperty("value").GetInt64())) });
    }

    public void Dispose() => _http.Dispose();

    private async ValueTask<object?> ActAsync(string kind, bool isEarly, string key, CancellationToken cancellationToken)
    {
        if (isEarly && kind == EffectDiesBefore)
            Signals.KillSelf();
        using var request = new HttpRequestMessage(HttpMethod.Post, "effects");
        request.Headers.Add(EffectReceiver.KeyHeader, key);
        using var response = await _http.SendAsync(request, cancellationToken);
        response.EnsureSuccessStatusCode();
        if (isEarly && kind == EffectDiesAfter)
            Signals.KillSelf();
        return null;
    }

    /// <summary>Takes memory until there is none.</summary>
    private static void Grow()
    {
        var taken = new List<byte[]>();
        while (true)
        {
            taken.Add(GC.AllocateUninitializedArray<byte>(4 << 20));
            taken[^1].AsSpan().Fill(1);
        }
    }
}
