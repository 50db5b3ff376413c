using Astra.Kernel.Tasks;

namespace Astra.Kernel.Journal;

/// <summary>
/// The binary form of <see cref="TaskExtras"/> and <see cref="GoalExtras"/>: for each field that is there, in ascending
/// order, its tag and its bytes. Nothing at all when there is none. A tag is on disk for ever; one that this build does
/// not know stops the read, because leaving it out would change what was promised.
/// </summary>
public static class ExtrasCodec
{
    private const byte TaskNotBefore = 20;
    private const byte TaskDeadline = 21;
    private const byte TaskQueue = 22;
    private const byte TaskRequires = 23;

    private const byte GoalParent = 1;
    private const byte GoalPaused = 20;

    public static byte[] Encode(TaskExtras extras)
    {
        if (extras == TaskExtras.None)
            return [];
        var writer = new FieldWriter();
        writer.OptionalTime(TaskNotBefore, extras.NotBefore);
        writer.OptionalTime(TaskDeadline, extras.Deadline);
        writer.OptionalText(TaskQueue, extras.Queue);
        writer.OptionalText(TaskRequires, extras.Requires);
        return writer.ToArray();
    }

    public static byte[] Encode(GoalExtras extras)
    {
        if (extras == GoalExtras.None)
            return [];
        var writer = new FieldWriter();
        if (extras.Parent is { } parent)
        {
            writer.Byte(GoalParent);
            writer.Id(parent.Value);
        }
        if (extras.Pause is { } pause)
        {
            writer.Byte(GoalPaused);
            writer.Text(pause.By);
            writer.OptionalText(pause.Reason);
            writer.Time(pause.At);
        }
        return writer.ToArray();
    }

    public static TaskExtras DecodeTask(ReadOnlySpan<byte> data)
    {
        var extras = TaskExtras.None;
        for (var reader = new FieldReader(data); !reader.IsAtEnd;)
        {
            var tag = reader.Byte();
            extras = tag switch
            {
                TaskNotBefore => extras with { NotBefore = reader.Time() },
                TaskDeadline => extras with { Deadline = reader.Time() },
                TaskQueue => extras with { Queue = reader.Text() },
                TaskRequires => extras with { Requires = reader.Text() },
                _ => throw Unknown(tag),
            };
        }
        return extras;
    }

    public static GoalExtras DecodeGoal(ReadOnlySpan<byte> data)
    {
        var extras = GoalExtras.None;
        for (var reader = new FieldReader(data); !reader.IsAtEnd;)
        {
            var tag = reader.Byte();
            extras = tag switch
            {
                GoalParent => extras with { Parent = new GoalId(reader.Id()) },
                GoalPaused => extras with { Pause = new GoalPause(reader.Text(), reader.OptionalText(), reader.Time()) },
                _ => throw Unknown(tag),
            };
        }
        return extras;
    }

    private static InvalidDataException Unknown(byte tag) => new($"A field has the unknown tag {tag}. Run a newer build.");
}
