using System.Diagnostics.Metrics;
using Astra.Kernel.Metrics;

namespace Astra.Gateway;

/// <summary>What the node is like at the moment of the scrape. The number of series is bounded, whatever the number of
/// tenants, workers and actors.</summary>
internal sealed class NodeGauges : IDisposable
{
    private NodeSample? _sample;

    public NodeGauges(DateTimeOffset startedAt)
    {
        Gauge("astra.shards.owned", "Shards of this node.", sample => sample.Summary.ShardsOwned);
        Gauge("astra.nodes.alive", "Nodes of the fleet that live.", sample => sample.Summary.Nodes.Count(node => node.IsAlive));
        Gauge("astra.goals.active", "Goals of this node that have not ended.", sample => sample.Summary.GoalsActive);
        Gauge("astra.tasks.ready", "Tasks that wait for a worker or for their time.", sample => sample.Summary.TasksReady);
        Gauge("astra.tasks.not.due", "Ready tasks whose time has not come.", sample => sample.TasksNotDue);
        Gauge("astra.tasks.without.worker", "Ready tasks that no worker connected to this node would take.", sample => sample.TasksWithoutWorker);
        Gauge("astra.tasks.running", "Tasks that a worker holds.", sample => sample.Summary.TasksRunning);
        Gauges("astra.tenant.tasks.ready", "Ready tasks by tenant: those with the most to do, and all others.", sample => sample.Tenants.Select(load => Of(load.Ready, "tenant", NameOf(load))));
        Gauges("astra.tenant.tasks.running", "Running tasks by tenant: those with the most to do, and all others.", sample => sample.Tenants.Select(load => Of(load.Running, "tenant", NameOf(load))));
        Gauges("astra.shards.tasks.ready", "Ready tasks by group of shards.", sample => sample.ShardGroups.Select(group => Of(group.Ready, "shards", NameOf(group))));
        Gauges("astra.shards.tasks.running", "Running tasks by group of shards.", sample => sample.ShardGroups.Select(group => Of(group.Running, "shards", NameOf(group))));
        Gauge("astra.workers.connected", "Workers connected to this node.", sample => sample.Summary.Workers.Count);
        Gauge("astra.worker.slots", "Tasks they take at once.", sample => sample.Summary.Workers.Sum(worker => worker.Slots));
        Gauge("astra.worker.slots.taken", "Tasks they have.", sample => sample.Summary.Workers.Sum(worker => worker.SlotsTaken));
        Gauge("astra.projection.backlog", "Committed entries that the tables do not show yet.", sample => sample.Summary.Backlog, "{entries}");
        Meter.CreateObservableGauge("astra.projection.lag", () => Read(sample => sample.ProjectionLag.TotalSeconds), "s", "How far the tables are behind the log.");
        Gauge("astra.actors", "Actors of this node.", sample => sample.Actors.Totals.ActorCount);
        Gauge("astra.actors.not.running", "Actors that start, restart, stop or have failed.", sample => sample.Actors.Totals.NotRunningCount);
        Gauge("astra.mailbox.depth", "Messages in all mailboxes.", sample => sample.Actors.Totals.MailboxDepth, "{messages}");
        Gauge("astra.mailbox.depth.max", "Messages in the fullest mailbox.", sample => sample.Actors.MailboxDepthMax, "{messages}");
        Meter.CreateObservableCounter("astra.actor.dead.letters", () => Read(sample => sample.ActorDeadLetters), description: "Messages that no actor took.");
        Meter.CreateObservableGauge("process.resident.memory", () => Environment.WorkingSet, "By", "Memory of the process.");
        Meter.CreateObservableGauge("dotnet.gc.last_collection.heap.size", () => GC.GetGCMemoryInfo(GCKind.Any).HeapSizeBytes, "By", "What the last collection has left in the heap of the runtime.");
        Meter.CreateObservableGauge("process.start.time", () => startedAt.ToUnixTimeMilliseconds() / 1000.0, "s", "When it started.");
    }

    public Meter Meter { get; } = new(new MeterOptions("Astra.Node") { Scope = new object() });

    public void Show(NodeSample sample) => Volatile.Write(ref _sample, sample);

    public void Dispose() => Meter.Dispose();

    private void Gauge(string name, string help, Func<NodeSample, long> read, string? unit = null) =>
        Meter.CreateObservableGauge(name, () => Read(read), unit, help);

    private void Gauges(string name, string help, Func<NodeSample, IEnumerable<Measurement<long>>> read) =>
        Meter.CreateObservableGauge(name, () => Volatile.Read(ref _sample) is { } sample ? read(sample) : [], description: help);

    private IEnumerable<Measurement<T>> Read<T>(Func<NodeSample, T> read) where T : struct =>
        Volatile.Read(ref _sample) is { } sample ? [new Measurement<T>(read(sample))] : [];

    private static Measurement<long> Of(long value, string label, string name) => new(value, new KeyValuePair<string, object?>(label, name));

    private static string NameOf(TenantLoad load) => load.Tenant?.ToString() ?? "other";

    private static string NameOf(ShardGroup group) => $"{group.First.Value:0000}-{group.First.Value + ShardGroup.Size - 1:0000}";
}
