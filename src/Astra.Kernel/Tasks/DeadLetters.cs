using System.Security.Cryptography;
using System.Text;

namespace Astra.Kernel.Tasks;

/// <summary>A task with what a list says about its goal, whichever node that goal lives on.</summary>
public sealed record TitledTask(TaskRow Task, string GoalTitle, string? Agent);

/// <summary>The dead letters of a tenant that share a cause.</summary>
/// <param name="FirstAt">When the first of those that are still here died, and the last.</param>
public sealed record DeadGroup(
    string Fingerprint, int Count, DateTimeOffset FirstAt, DateTimeOffset LastAt, IReadOnlyList<string> Kinds, IReadOnlyList<string> Executors, string SampleReason, TaskId SampleTask)
{
    private const int IdLength = 12;

    /// <summary>What a group is called on a command line: short, and made of the fingerprint alone, so that it is the same for ever.</summary>
    public static string IdOf(string fingerprint) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(fingerprint)))[..IdLength];
}

/// <summary>How many tasks of a kind became dead letters on an executor within one hour, whatever has become of them since.</summary>
public sealed record DeathRate(DateTimeOffset Hour, string Kind, string Executor, int Count);
