namespace Astra.Kernel.Tasks;

/// <summary>A task with what a list says about its goal, whichever node that goal lives on.</summary>
public sealed record TitledTask(TaskRow Task, string GoalTitle, string? Agent);

/// <summary>The dead letters of a tenant that share a cause.</summary>
/// <param name="FirstAt">When the first of those that are still here died, and the last.</param>
public sealed record DeadGroup(
    string Fingerprint, int Count, DateTimeOffset FirstAt, DateTimeOffset LastAt, IReadOnlyList<string> Kinds, IReadOnlyList<string> Executors, string SampleReason, TaskId SampleTask);
