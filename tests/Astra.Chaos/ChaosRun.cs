using Astra.Chaos.Audit;
using Astra.Chaos.Episodes;
using Astra.Chaos.Load;
using Astra.Chaos.Report;
using Astra.Sdk;

namespace Astra.Chaos;

/// <summary>
/// A run: load, a fault at a random moment, the first goal after it, then no load until everything has ended, and the
/// audit; again and again. Ends with the first finding, and otherwise with its time.
/// </summary>
internal sealed class ChaosRun(ChaosOptions options, Action<string> say)
{
    private static readonly TimeSpan CalmTimeMax = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan CalmRound = TimeSpan.FromSeconds(50);

    private readonly Findings _findings = new();
    private readonly List<EpisodeResult> _episodes = [];
    private readonly Random _dice = new((int)(options.Seed ^ 0x5eed));
    private readonly TimeSpan _began = Awake.Now;
    private volatile bool _isEnding;

    private TimeSpan Elapsed => Awake.Now - _began;

    /// <summary>No more faults after the one under way; the run ends with its report.</summary>
    /// <returns>False when it was asked for before.</returns>
    public bool End()
    {
        var isFirst = !_isEnding;
        _isEnding = true;
        return isFirst;
    }

    public async Task<ChaosReport> RunAsync(CancellationToken cancellationToken)
    {
        var directory = Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), $"astra-chaos-{Environment.ProcessId}-{options.Seed}")).FullName;
        // PostgreSQL's account has to reach its own directory in it.
        File.SetUnixFileMode(directory, (UnixFileMode)0b111_101_101);
        ChaosReport? report = null;
        try
        {
            await using var world = await World.MakeAsync(options, directory, say, cancellationToken);
            report = await RunAsync(world, cancellationToken);
            return report;
        }
        finally
        {
            if (report is { IsClean: true } && !options.Keeps)
                Directory.Delete(directory, recursive: true);
            else
                say($"Logs and ledger are in {directory}.");
        }
    }

    private async Task<ChaosReport> RunAsync(World world, CancellationToken cancellationToken)
    {
        var deck = new EpisodeDeck(options.IsCalm ? ["worker-kill"] : options.Only, world, _dice, options.Once);
        foreach (var problem in deck.Problems)
            say($"Left out: {problem}.");
        var auditor = new Auditor(world.View, world.Ledger.Book, world.Receiver, _findings, options.WatchesWriters);
        var person = new Operator(world.Caller, world.Receiver);
        await using var samples = new Samples(world);

        await LoadAsync(world, WarmUp, cancellationToken);
        await CalmAsync(world, auditor, person, cancellationToken);
        samples.Start();
        var end = Elapsed + TimeSpan.FromMinutes(options.Minutes);
        while (_findings.IsClean && !_isEnding && (options.Once || Elapsed < end) && deck.Next() is { } episode)
        {
            await LoadAsync(world, options.IsCalm ? CalmRound : TimeSpan.FromSeconds(1 + _dice.NextDouble() * 1.5), cancellationToken);
            _episodes.Add(await PlayAsync(episode, world, auditor, person, cancellationToken));
        }
        await samples.StopAsync();
        await world.Load.StopAsync();
        var balance = await auditor.ConcludeAsync(world.LedgerPath, cancellationToken);
        return new ChaosReport
        {
            Options = options, Duration = Elapsed, Episodes = _episodes, LeftOut = deck.Problems, Findings = [.. _findings.All], Balance = balance,
            Entries = auditor.Log.EntryCount, Attempts = auditor.Log.ClaimCount, LostAttempts = auditor.Log.LostAttemptCount, Appends = auditor.Writers.AppendCount,
            Takeovers = auditor.Writers.TakeoverCount, Effects = world.Receiver.Total, ResolvedEffects = person.ResolvedCount, Retries = world.Caller.Retried.ToDictionary(),
            Shapes = world.Ledger.Book.Pages.GroupBy(page => page.Shape).ToDictionary(group => group.Key, group => group.Count()),
            EditsAcknowledged = world.Ledger.Book.Pages.Sum(page => page.Edits.Count(edit => edit.WasAcknowledged == true)),
            WorkerStarts = world.Workers.Sum(worker => worker.StartCount) + world.Pythons.Sum(worker => worker.StartCount),
            ServerEnds = world.Servers.Sum(server => server.OwnEndCount), PostgresEnds = world.Postgres.OwnEndCount, Series = samples.Summarise(),
        };
    }

    private async Task<EpisodeResult> PlayAsync(Episode episode, World world, Auditor auditor, Operator person, CancellationToken cancellationToken)
    {
        var scene = new EpisodeScene(world, new Random(_dice.Next()));
        var began = Awake.Now;
        await episode.RunAsync(scene, cancellationToken);
        scene.Over();
        var (accepted, done) = await RecoverAsync(world, scene.EndedAt!.Value, cancellationToken);
        var calm = await CalmAsync(world, auditor, person, cancellationToken);
        var result = new EpisodeResult
        {
            Kind = episode.Kind, ServerKills = scene.ServerKills, WorkerKills = scene.WorkerKills, PostgresKills = scene.PostgresKills, Pauses = scene.Pauses, FencedCommits = scene.FencedCommits,
            Fault = scene.EndedAt.Value - began, Accepted = accepted, Done = done,
            AllEnded = calm is { } at ? at - scene.EndedAt.Value : null, Notes = scene.Notes,
        };
        say($"{Elapsed:hh\\:mm\\:ss} {result}");
        return result;
    }

    private static async Task LoadAsync(World world, TimeSpan time, CancellationToken cancellationToken)
    {
        world.Load.IsPaused = false;
        await Task.Delay(time, cancellationToken);
        world.Load.ThrowIfFailed();
    }

    /// <summary>From the fault's end to the first goal that was submitted after it: acknowledged, and completed.</summary>
    private async Task<(TimeSpan? Accepted, TimeSpan? Done)> RecoverAsync(World world, TimeSpan faultEnd, CancellationToken cancellationToken)
    {
        using var patience = Awake.Patience(CalmTimeMax, cancellationToken);
        TimeSpan? accepted = null;
        try
        {
            if ((await world.Load.SubmitAsync(Shape.Probe, patience.Token)).Goal is not { } goal)
                return (null, null);
            accepted = Awake.Now - faultEnd;
            while ((await world.Caller.AskAsync((server, token) => server.GetGoalAsync(goal, token), patience.Token)).State == GoalState.Active)
                await Task.Delay(10, patience.Token);
            return (accepted, Awake.Now - faultEnd);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            _findings.Add(Loss.Unended, $"No goal was {(accepted is null ? "taken" : "done")} within {CalmTimeMax.TotalSeconds:0} s of the fault's end.");
            return (accepted, null);
        }
    }

    /// <summary>No more load, until everything has ended; then the audit.</summary>
    /// <returns>When everything had; null when it has not.</returns>
    private async Task<TimeSpan?> CalmAsync(World world, Auditor auditor, Operator person, CancellationToken cancellationToken)
    {
        world.Load.IsPaused = true;
        var since = Awake.Now;
        TimeSpan? calm = null;
        using var patience = Awake.Patience(CalmTimeMax, cancellationToken);
        try
        {
            while (calm is null)
            {
                await Task.Delay(50, patience.Token);
                world.Load.ThrowIfFailed();
                if (world.Load.UnderWay > 0)
                    continue;
                var open = auditor.OpenGoals();
                if (await world.View.CountEndedAsync(open, patience.Token) == open.Length)
                    calm = Awake.Now;
                else if (Awake.Now - since > TimeSpan.FromSeconds(1))
                    await person.LookAsync(patience.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            _findings.Add(Loss.Unended, $"{world.Load.UnderWay} requests had no answer and not all goals had ended within {CalmTimeMax.TotalSeconds:0} s.");
            await ExplainAsync(world, auditor, cancellationToken);
        }
        await auditor.AuditAsync(cancellationToken);
        return calm;
    }

    /// <summary>What the servers themselves say about goals that do not end.</summary>
    private async Task ExplainAsync(World world, Auditor auditor, CancellationToken cancellationToken)
    {
        const int AskedMax = 5;
        var ended = (await world.View.ReadGoalsAsync(auditor.OpenGoals(), cancellationToken)).Where(goal => goal.State != Kernel.Tasks.GoalState.Active).Select(goal => goal.Id).ToHashSet();
        foreach (var goal in auditor.OpenGoals().Where(goal => !ended.Contains(goal)).Take(AskedMax))
        {
            using var patience = Awake.Patience(TimeSpan.FromSeconds(10), cancellationToken);
            try
            {
                var state = (await world.Caller.AskAsync((server, token) => server.GetGoalAsync(goal, token), patience.Token)).State;
                _findings.Add(Loss.Unended, $"{goal}, {state}: {(await world.Caller.AskAsync((server, token) => server.WhyAsync(goal, token), patience.Token)).Sentence}");
            }
            catch (Exception e) when (e is AstraException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
            {
                _findings.Add(Loss.Unended, $"{goal}: asking why gave {e.Message}");
            }
        }
    }
}
