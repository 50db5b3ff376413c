using System.Globalization;
using Astra.Kernel.Controls;
using Astra.Kernel.Workers;

namespace Astra.Kernel.Scheduling;

/// <summary>The scheduler's part of every "why": it looks, and changes nothing.</summary>
internal readonly struct SchedulerWhy(
    IClock clock, FairQueue queue, WorkerPool workers, LimitBook book, LaterTasks later, RunTimes runTimes, bool isDraining)
{
    public WaitReason Of(ExplainReady explain)
    {
        var evidence = new Dictionary<string, string>(StringComparer.Ordinal) { ["executor"] = explain.Class.Executor };
        if (explain.Class.Requires is { } requires)
            evidence["requires"] = requires;
        if (explain.Class.Queue is { } queueName)
            evidence["queue"] = queueName;
        if (later.Find(explain.Task) is { } waiting)
            return OfDue(waiting, evidence);
        if (isDraining)
            return new WaitReason("This node drains and hands nothing out; end that with `astra drain --off`, or wait until another node has the shard.", evidence);

        var pool = workers.Standing(explain.Tenant, explain.Class);
        (evidence["workers"], evidence["slots"], evidence["slotsTaken"]) = (Text(pool.Open), Text(pool.Slots), Text(pool.Taken));
        if (pool.Offering == 0)
            return new WaitReason($"No connected worker offers {explain.Class.Executor}; start one that does.", evidence);
        if (pool.Missing.Count > 0)
            return new WaitReason($"No worker that offers {explain.Class.Executor} has {string.Join(" and ", pool.Missing)}, which it requires; start one that has.", evidence);
        if (pool.Able == 0)
            return new WaitReason($"No one worker that offers {explain.Class.Executor} has all it requires ({explain.Class.Requires}); start one that has.", evidence);
        if (pool.Silent.Count > 0)
            evidence["silent"] = string.Join(", ", pool.Silent.Select(silent => silent.Name));
        if (pool.Open == 0 && pool.Silent.Count > 0)
        {
            var (name, since) = pool.Silent[0];
            var who = pool.Silent.Count == pool.Able
                ? $"Every worker that could take it has fallen silent ({name}, for {Text(clock.Elapsed - since)} seconds)"
                : $"Every worker that could take it drains or has fallen silent ({name}, for {Text(clock.Elapsed - since)} seconds)";
            return new WaitReason($"{who} and is given nothing until it is heard; see what holds it up, or start another that offers {explain.Class.Executor}.", evidence);
        }
        if (pool.Open == 0)
            return new WaitReason($"Every worker that could take it drains and takes nothing more; start another that offers {explain.Class.Executor}.", evidence);
        if (Probe(explain) is { } obstacle)
            return OfObstacle(obstacle, evidence);
        if (pool.Taken >= pool.Slots)
        {
            AddBound(pool.Slots, evidence);
            return new WaitReason($"All {pool.Slots} slots of the workers that could take it are taken ({explain.Class.Executor}).", evidence);
        }
        return new WaitReason("It is next in line and is being handed to a worker.", evidence);
    }

    /// <returns>A <see cref="NoReason"/> when there is no such worker, or it is another tenant's.</returns>
    public object Of(ExplainWorker explain)
    {
        if (workers.Summary.FirstOrDefault(worker => worker.Id == explain.Worker && (worker.Tenant is null || worker.Tenant == explain.Tenant)) is not { } worker)
            return NoReason.Instance;
        var evidence = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["name"] = worker.Name, ["executors"] = string.Join(", ", worker.Executors.Order(StringComparer.Ordinal)),
            ["capabilities"] = string.Join(", ", worker.Capabilities.Order(StringComparer.Ordinal)),
            ["slots"] = Text(worker.Slots), ["slotsTaken"] = Text(worker.SlotsTaken),
        };
        if (worker.SilentSince is { } since)
            evidence["silentSeconds"] = Text(clock.Elapsed - since);
        return new WaitReason(
            worker.SilentSince is { } heard ? $"Worker {worker.Name} has been silent for {Text(clock.Elapsed - heard)} seconds and is given nothing until it is heard: a lease of it ended."
            : worker.IsDraining && worker.SlotsTaken > 0 ? $"Worker {worker.Name} drains: it takes nothing more and finishes the {worker.SlotsTaken} it has."
            : worker.IsDraining ? $"Worker {worker.Name} drains and has nothing left to do; it can be stopped."
            : isDraining ? $"Worker {worker.Name} is given nothing because its node drains; connect it to another, or end that with `astra drain --off`."
            : worker.SlotsTaken >= worker.Slots ? $"Worker {worker.Name} is busy: all {worker.Slots} of its slots are taken."
            : worker.SlotsTaken > 0 ? $"Worker {worker.Name} runs {worker.SlotsTaken} and has room for {worker.Slots - worker.SlotsTaken} more."
            : $"Worker {worker.Name} is idle: nothing that it may take is waiting for it.", evidence);
    }

    public WaitReason Of(ExplainAgent explain)
    {
        var running = book.RunningOf(explain.Tenant, LimitScope.Agent, explain.Agent);
        var pool = workers.Standing(explain.Tenant, new TaskClass(explain.Executor, null, null));
        var evidence = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["running"] = Text(running), ["workers"] = Text(pool.Open), ["slots"] = Text(pool.Slots), ["slotsTaken"] = Text(pool.Taken),
        };
        var obstacle = Probe(explain.Tenant, explain.Agent, new TaskClass(explain.Executor, null, null));
        return obstacle is { } found ? OfObstacle(found, evidence)
            : isDraining ? new WaitReason("This node drains and hands nothing out; end that with `astra drain --off`.", evidence)
            : pool.Open == 0 ? new WaitReason($"No connected worker offers {explain.Executor}; start one that does.", evidence)
            : new WaitReason($"Agent {explain.Agent} runs {running} tasks here, and nothing keeps it from more.", evidence);
    }

    public SchedulerSummary Summarise()
    {
        var summary = workers.Summary;
        var slots = summary.Where(worker => !worker.IsDraining && worker.SilentSince is null).Sum(worker => worker.Slots);
        return new SchedulerSummary(
            queue.Count + later.Count, workers.TakenCount, summary, queue.TenantsWaiting, LongestTask, slots == 0 ? null : WaitBound.Of(slots, queue.TenantsWaiting, LongestTask), isDraining);
    }

    private TimeSpan LongestTask => runTimes.LongestOfAll(clock.Elapsed) is var seen && workers.LongestSince(clock.Elapsed) is var running && running > seen ? running : seen;

    private void AddBound(int slots, Dictionary<string, string> evidence)
    {
        (evidence["tenantsWaiting"], evidence["longestTaskSeconds"]) = (Text(queue.TenantsWaiting), Text(LongestTask));
        evidence["waitAtMostSeconds"] = Text(WaitBound.Of(slots, queue.TenantsWaiting, LongestTask));
    }

    private WaitReason OfDue(ReadyTask ready, Dictionary<string, string> evidence)
    {
        if (ready.NotBefore is { } start && start > clock.UtcNow)
        {
            evidence["notBefore"] = start.ToString("O", CultureInfo.InvariantCulture);
            return new WaitReason($"It may not start before {start:yyyy-MM-dd HH:mm:ss} UTC.", evidence);
        }
        if (ready.DueAt is not { } due || due <= clock.UtcNow)
            return new WaitReason("It has just become due, and is handed out within a second.", evidence);
        evidence["dueAt"] = due.ToString("O", CultureInfo.InvariantCulture);
        return new WaitReason($"It is due at {due:yyyy-MM-dd HH:mm:ss} UTC, not before.", evidence);
    }

    private Obstacle? Probe(ExplainReady explain) => Probe(explain.Tenant, explain.Agent, explain.Class);

    private Obstacle? Probe(TenantId tenant, string? agent, TaskClass what) => book.Find(tenant, agent, what);

    private WaitReason OfObstacle(Obstacle obstacle, Dictionary<string, string> evidence)
    {
        var who = obstacle.Scope switch
        {
            LimitScope.Tenant => "The tenant",
            LimitScope.Agent when obstacle.Name.Length == 0 => "What has no agent",
            LimitScope.Agent => $"Agent {obstacle.Name}",
            LimitScope.Tool => $"Tool {obstacle.Name}",
            _ => $"Queue {obstacle.Name}",
        };
        (evidence["limit"], evidence["running"]) = (obstacle.Barrier.ToString(), Text(obstacle.Running));
        switch (obstacle.Barrier)
        {
            case Barrier.Paused:
                var pause = obstacle.Pause!;
                (evidence["pausedBy"], evidence["pausedAt"]) = (pause.By, pause.At.ToString("O", CultureInfo.InvariantCulture));
                return new WaitReason($"{who} is paused by {pause.By}{(pause.Reason is { } reason ? $" ({reason})" : "")}; `astra agent resume {pause.Agent}` goes on.", evidence);
            case Barrier.Concurrency:
                evidence["max"] = Text(obstacle.Max);
                var share = obstacle.Share < obstacle.Max ? $", and this node's part of it is {obstacle.Share}" : "";
                return new WaitReason($"{who} runs {obstacle.Running} tasks here, and {obstacle.Max} is its limit{share}.", evidence);
            default:
                evidence["max"] = Text(obstacle.Max);
                var wait = obstacle.NextAt - clock.Elapsed;
                evidence["nextSeconds"] = Text(wait);
                var per = obstacle.Barrier == Barrier.PerSecond ? "second" : "minute";
                return new WaitReason($"{who} has started the {obstacle.Max} per {per} that are its limit; the next may start in {Text(wait)} seconds.", evidence);
        }
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Text(TimeSpan value) => Math.Max(0, value.TotalSeconds).ToString("0.0##", CultureInfo.InvariantCulture);
}
