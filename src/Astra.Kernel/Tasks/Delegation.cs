using System.Buffers.Binary;
using System.Text;

namespace Astra.Kernel.Tasks;

/// <summary>A goal that an attempt at a task has submitted for another agent. It is kept with the task, so that an attempt
/// that comes later, and asks for the same under the same name, is given the same goal.</summary>
/// <param name="Name">What the task calls it; attempts that do the same say the same.</param>
/// <param name="Digest">Tells a repetition from another goal under the same name.</param>
public readonly record struct Delegation(string Name, ulong Digest)
{
    /// <summary>The goal's id follows from the task and the name: the same for every attempt, and on the task's own shard,
    /// where goal and note are one commit.</summary>
    public static GoalId GoalOf(TaskId task, string name)
    {
        var text = Encoding.UTF8.GetBytes(name);
        var named = new byte[16 + text.Length];
        task.Value.TryWriteBytes(named, bigEndian: true, out _);
        text.CopyTo(named, 16);
        Span<byte> id = stackalloc byte[16];
        // Time and shard are the task's; what is random in other ids is the name here.
        named.AsSpan(0, 8).CopyTo(id);
        BinaryPrimitives.WriteUInt64BigEndian(id[8..], (StableHash.Of(named) >> 2) | 0x8000_0000_0000_0000);
        return new GoalId(new Guid(id, bigEndian: true));
    }
}
