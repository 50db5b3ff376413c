using System.Globalization;
using Astra.Kernel;
using Astra.Kernel.Effects;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Testing.Time;

namespace Astra.Simulation;

/// <summary>What happened, as a fingerprint that two runs of one seed must share, and as lines when somebody wants to read:
/// when, on which node, in which shard, what.</summary>
internal sealed class Trace(VirtualWorld world, Action<string>? write)
{
    private readonly byte[] _fold = new byte[64];

    public ulong Fingerprint { get; private set; }

    public bool IsRead => write is not null;

    public void Committed(string node, JournalEntry entry, string? taskName)
    {
        Fold((ulong)world.StepCount, (ulong)world.Clock.Elapsed.Ticks, (ulong)entry.Shard.Value, (ulong)entry.Seq, (ulong)entry.Kind, (ulong)entry.Attempt, StableHash.Of(entry.Data.Span));
        if (!IsRead)
            return;
        var move = entry.To is { } to ? $"{(entry.From is { } from ? from.ToString() : "-")} > {to}" : "";
        var about = entry.Task is { } task ? $"{taskName ?? Short(task.Value)} of {Short(entry.Goal.Value)}" : Short(entry.Goal.Value);
        Write(node, $"{entry.Shard.Value}/{entry.Seq}", $"{entry.Kind,-17} {about,-28} {move,-22} {(entry.Attempt > 0 ? $"#{entry.Attempt} " : "")}{Describe(entry.Event)}");
    }

    public void Happened(int what) => Fold((ulong)world.StepCount, (ulong)what);

    /// <param name="who">A node, a client, or nobody in particular.</param>
    public void Note(string who, string what) => Write(who, "", what);

    public static string Short(Guid id) => id.ToString()[^6..];

    private void Write(string who, string where, string what) =>
        write?.Invoke(string.Create(CultureInfo.InvariantCulture, $"{world.Clock.Elapsed.TotalSeconds,9:0.0000}  {who,-8}  {where,-9}  {what}").TrimEnd());

    private static string Describe(KernelEvent kernelEvent) => kernelEvent switch
    {
        KernelEvent.GoalSubmitted submitted => $"{submitted.Title}{(submitted.Extras.After is { } after ? $" after {string.Join(", ", after.Select(one => $"{Short(one.On.Value)} {one.Condition}"))}" : "")}{(submitted.Extras.Parent is { } parent ? $" child of {Short(parent.Value)}" : "")}, {submitted.DeadTaskPolicy}",
        KernelEvent.PlanEdited edited => $"revision {edited.Revision} by {edited.By}",
        KernelEvent.TaskAdded added => Describe(added.Spec, added.After),
        KernelEvent.TaskReplaced replaced => Describe(replaced.Spec, []),
        KernelEvent.TaskRewired rewired => Describe(rewired.After),
        KernelEvent.TaskExtended extended => Describe(extended.After),
        KernelEvent.TaskPrioritised prioritised => $"to {prioritised.Priority}",
        KernelEvent.TaskDoomed doomed => $"by {Short(doomed.By.Value)}",
        KernelEvent.TaskSkipped skipped => $"by {Short(skipped.By.Value)}",
        KernelEvent.TaskClaimed claimed => $"by {claimed.WorkerName}",
        KernelEvent.TaskCompleted { Outcome: { } outcome } => $"with {outcome}",
        KernelEvent.TaskRetried retried => $"{retried.Failure.Reason} Due at {retried.DueAt:HH:mm:ss.fff}.",
        KernelEvent.TaskDied died => $"{died.Failure.Kind}: {died.Failure.Reason}",
        KernelEvent.TaskExpired expired => expired.Reason,
        KernelEvent.TaskReleased released => released.Reason,
        KernelEvent.TaskCancelled cancelled => cancelled.Reason,
        KernelEvent.GoalFailed failed => failed.Reason,
        KernelEvent.EffectSettled settled => $"{settled.State}{(settled.By is { } by ? $" by {by}" : "")}",
        KernelEvent.PredecessorEnded ended => $"{Short(ended.On.Value)} is {ended.State}",
        KernelEvent.GoalDelegated delegated => delegated.Name,
        _ => "",
    };

    private static string Describe(TaskSpec spec, IReadOnlyList<Dependency> after) =>
        $"for {spec.Executor}, {spec.AttemptCountMax} attempts, lease {spec.LeaseDuration.TotalSeconds:0.#} s{(spec.Extras.NotBefore is { } start ? $", from {start:HH:mm:ss}" : "")}{(spec.Extras.Deadline is { } end ? $", until {end:HH:mm:ss}" : "")} {Describe(after)}";

    private static string Describe(IReadOnlyList<Dependency> after) =>
        after.Count == 0 ? "" : $"after {string.Join(", ", after.Select(one => $"{Short(one.On.Value)} {one.Kind}{(one.Outcome is { } outcome ? $"={outcome}" : "")}"))}";

    private void Fold(params ReadOnlySpan<ulong> values)
    {
        var bytes = _fold.AsSpan(0, (values.Length + 1) * sizeof(ulong));
        BitConverter.TryWriteBytes(bytes, Fingerprint);
        for (var i = 0; i < values.Length; i++)
            BitConverter.TryWriteBytes(bytes[((i + 1) * sizeof(ulong))..], values[i]);
        Fingerprint = StableHash.Of(bytes);
    }
}
