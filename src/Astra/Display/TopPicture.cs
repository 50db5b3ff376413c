using System.Globalization;
using Astra.Sdk;

namespace Astra.Display;

/// <summary>One picture of `astra top`: what stands now, and how fast it moved since the picture before.</summary>
public sealed class TopPicture(VitalsView before, VitalsView now)
{
    private const int ActorsShown = 10;
    private const int TenantsShown = 8;
    private const int WorkersShown = 5;

    // A server that was restarted in between counts from zero again; then nothing is known about the interval.
    private readonly bool _isSameLife = before.StartedAt == now.StartedAt && now.ClockSeconds > before.ClockSeconds;

    private double Seconds => now.ClockSeconds - before.ClockSeconds;

    public object ToJson() => new
    {
        seconds = _isSameLife ? Seconds : (double?)null,
        rates = _isSameLife ? Rates() : null,
        commits = Commits(),
        busiestActors = Busiest().Select(actor => new { actor.View.Path, actor.View.MailboxDepth, actor.View.Processed, processedPerSecond = actor.PerSecond }),
        now = now with { BusiestActors = [] },
    };

    public string ToText(int width)
    {
        var output = new StringWriter { NewLine = "\n" };
        var terminal = new Terminal(output, output, TextReader.Null, IsLive: false, width);
        var (rates, commits) = (_isSameLife ? Rates() : null, Commits());
        Tables.WriteFacts(
            output,
            ("Node", $"{now.NodeId}, {now.Version}, {now.ShardsOwned} shards, {Words.Size(now.ResidentBytes)}, {now.NodesAlive} alive in the fleet"),
            ("Goals", $"{ActorViews.Count(now.GoalsActive)} active"),
            ("Tasks", $"{ActorViews.Count(now.TasksReady)} ready ({ActorViews.Count(now.TasksNotDue)} not due, {ActorViews.Count(now.TasksWithoutWorker)} without a worker), {ActorViews.Count(now.TasksRunning)} running"),
            ("Per second", rates is null ? "not known yet" :
                $"{rates.Submitted:0.0} submitted, {rates.Started:0.0} started, {rates.Completed:0.0} completed, {rates.Failed:0.0} failed, {rates.Expired:0.0} lost, {rates.Refused:0.0} refused"),
            ("Commits", commits is null ? "none in this interval" : $"{commits.PerSecond:0.0}/s, {commits.Entries:0.0} entries and {commits.Milliseconds:0.0} ms each"),
            ("Tables", $"{now.ProjectionLagSeconds:0.00} s behind, {ActorViews.Count(now.ProjectionBacklog)} entries"),
            ("Dead letters", $"{ActorViews.Count(now.DeadLettersLastHour)} in the last hour"),
            ("Hooks", now.HookMessagesWaiting is { } waiting ? $"{ActorViews.Count(waiting)} messages waiting, the oldest for {now.HookOldestWaitingSeconds ?? 0:0} s" : "not known"),
            ("Workers", $"{now.WorkersConnected} connected, {ActorViews.Count(now.SlotsTaken)} of {ActorViews.Count(now.Slots)} slots taken"),
            ("Actors", $"{ActorViews.Count(now.Actors.Actors)} ({ActorViews.Count(now.Actors.NotRunning)} not running), {ActorViews.Count(now.Actors.MailboxDepth)} messages waiting, "
                + $"{ActorViews.Count(now.MailboxDepthMax)} at most in one mailbox, {ActorViews.Count(now.Actors.Restarts)} restarts, {ActorViews.Count(now.ActorDeadLetters)} messages that nobody took"));
        if (now.Tenants.Any(tenant => tenant.Ready + tenant.Running > 0))
            Tables.Write(
                terminal, ["Tenant", "Ready", "Running"],
                now.Tenants.Take(TenantsShown).Select(tenant => (IReadOnlyList<string>)[tenant.TenantId?.ToString() ?? "all others", ActorViews.Count(tenant.Ready), ActorViews.Count(tenant.Running)]), "");
        if (now.Workers.Count > 0)
            Tables.Write(
                terminal, ["Worker", "Slots", "Taken"],
                now.Workers.Take(WorkersShown).Select(worker => (IReadOnlyList<string>)[worker.Name, ActorViews.Count(worker.Slots), ActorViews.Count(worker.Taken)]), "");
        Tables.Write(
            terminal, ["Actor", "Mailbox", "Handled/s", "Handled", "Restarts"],
            Busiest().Take(ActorsShown).Select(actor => (IReadOnlyList<string>)
            [
                actor.View.Path, ActorViews.Count(actor.View.MailboxDepth), actor.PerSecond is { } rate ? rate.ToString("0.0", CultureInfo.InvariantCulture) : "",
                ActorViews.Count(actor.View.Processed), ActorViews.Count(actor.View.Restarts),
            ]), "No actors.");
        return output.ToString();
    }

    private RatesPerSecond Rates() => new(
        Rate(counters => counters.Submitted), Rate(counters => counters.Started), Rate(counters => counters.Completed), Rate(counters => counters.Failed),
        Rate(counters => counters.Expired), Rate(counters => counters.Died), Rate(counters => counters.Refused), Rate(counters => counters.Entries));

    private double Rate(Func<VitalCounters, long> counter) => (counter(now.Counters) - counter(before.Counters)) / Seconds;

    private CommitFigures? Commits()
    {
        var commits = now.Counters.Commits - before.Counters.Commits;
        return !_isSameLife || commits == 0 ? null : new CommitFigures(
            commits / Seconds, (double)(now.Counters.Entries - before.Counters.Entries) / commits,
            (now.Counters.CommitSeconds - before.Counters.CommitSeconds) * 1_000 / commits);
    }

    /// <summary>The deepest mailboxes first, then those that handle the most.</summary>
    private IEnumerable<(ActorView View, double? PerSecond)> Busiest()
    {
        var earlier = before.BusiestActors.ToDictionary(actor => actor.Path, actor => actor.Processed, StringComparer.Ordinal);
        return now.BusiestActors
            .Select(actor => (View: actor, PerSecond: _isSameLife && earlier.TryGetValue(actor.Path, out var processed) ? Math.Max(0, actor.Processed - processed) / Seconds : (double?)null))
            .OrderByDescending(actor => actor.View.MailboxDepth).ThenByDescending(actor => actor.PerSecond ?? 0).ThenByDescending(actor => actor.View.Processed);
    }

    private sealed record RatesPerSecond(
        double Submitted, double Started, double Completed, double Failed, double Expired, double Died, double Refused, double Entries);

    /// <param name="Entries">In one commit, on average.</param>
    /// <param name="Milliseconds">One commit took, on average.</param>
    private sealed record CommitFigures(double PerSecond, double Entries, double Milliseconds);
}
