using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Journal;

/// <summary>
/// The binary form of events. What was written once is read for ever: a change of form is a new version beside the old
/// one, and EventCodecTests holds a frozen sample of every kind in every version.
/// </summary>
/// <remarks>Little-endian numbers; text and bytes are length-prefixed (LEB128); text that may be absent has
/// a byte in front, 0 or 1.</remarks>
public static class EventCodec
{
    public const short Version = 1;

    public static byte[] Encode(KernelEvent kernelEvent)
    {
        var writer = new EventWriter();
        switch (kernelEvent)
        {
            case KernelEvent.GoalSubmitted e:
                writer.OptionalText(e.Agent);
                writer.Text(e.Title);
                writer.Bytes(e.Input.Span);
                writer.Int32(e.Priority);
                writer.Byte((byte)e.DeadTaskPolicy);
                writer.OptionalText(e.IdempotencyKey);
                writer.Int64((long)e.RequestDigest);
                writer.Text(e.SubmittedBy);
                break;
            case KernelEvent.PlanEdited e:
                writer.Int64(e.Revision);
                writer.Text(e.By);
                writer.OptionalText(e.Reason);
                break;
            case KernelEvent.TaskAdded e:
                writer.Text(e.Spec.Name);
                writer.Text(e.Spec.Executor);
                writer.Text(e.Spec.Kind);
                writer.Bytes(e.Spec.Input.Span);
                writer.Int32(e.Spec.Priority);
                writer.Int32(e.Spec.AttemptCountMax);
                writer.Int64(e.Spec.LeaseDuration.Ticks);
                writer.Dependencies(e.After);
                break;
            case KernelEvent.TaskRewired e:
                writer.Dependencies(e.After);
                break;
            case KernelEvent.TaskPrioritised e:
                writer.Int32(e.Priority);
                break;
            case KernelEvent.TaskDoomed e:
                writer.Id(e.By.Value);
                break;
            case KernelEvent.TaskClaimed e:
                writer.Id(e.Worker.Value);
                writer.Text(e.WorkerName);
                writer.Id(e.WorkerProcess ?? Guid.Empty);
                break;
            case KernelEvent.TaskCompleted e:
                writer.Bytes(e.Output.Span);
                break;
            case KernelEvent.TaskRetried e:
                writer.Failure(e.Failure);
                writer.Int64(e.DueAt.UtcTicks);
                break;
            case KernelEvent.TaskDied e:
                writer.Failure(e.Failure);
                break;
            case KernelEvent.TaskExpired e:
                writer.Text(e.Reason);
                break;
            case KernelEvent.TaskCancelled e:
                writer.Text(e.Reason);
                break;
            case KernelEvent.TaskRedriven e:
                writer.Text(e.By);
                break;
            case KernelEvent.GoalCompleted e:
                writer.Bytes(e.Result.Span);
                break;
            case KernelEvent.GoalFailed e:
                writer.Text(e.Reason);
                break;
            case KernelEvent.GoalCancelled e:
                writer.Text(e.Reason);
                break;
            case KernelEvent.GoalReopened e:
                writer.Text(e.By);
                break;
            case KernelEvent.TaskRemoved or KernelEvent.TaskUnblocked or KernelEvent.TaskBlocked or KernelEvent.TaskSuspended:
                break;
            default:
                throw new InvalidOperationException($"No binary form for {kernelEvent.Kind}.");
        }
        return writer.ToArray();
    }

    public static KernelEvent Decode(EventKind kind, short version, ReadOnlySpan<byte> data)
    {
        if (version != Version)
            throw new InvalidDataException($"An entry is in codec version {version}, and this build reads only {Version}. Run a newer build.");
        var reader = new EventReader(data);
        return kind switch
        {
            EventKind.GoalSubmitted => new KernelEvent.GoalSubmitted
            {
                Agent = reader.OptionalText(),
                Title = reader.Text(),
                Input = reader.Bytes(),
                Priority = reader.Int32(),
                DeadTaskPolicy = (DeadTaskPolicy)reader.Byte(),
                IdempotencyKey = reader.OptionalText(),
                RequestDigest = (ulong)reader.Int64(),
                SubmittedBy = reader.Text(),
            },
            EventKind.PlanEdited => new KernelEvent.PlanEdited(reader.Int64(), reader.Text(), reader.OptionalText()),
            EventKind.TaskAdded => new KernelEvent.TaskAdded(
                new TaskSpec
                {
                    Name = reader.Text(),
                    Executor = reader.Text(),
                    Kind = reader.Text(),
                    Input = reader.Bytes(),
                    Priority = reader.Int32(),
                    AttemptCountMax = reader.Int32(),
                    LeaseDuration = TimeSpan.FromTicks(reader.Int64()),
                },
                reader.Dependencies()),
            EventKind.TaskRemoved => new KernelEvent.TaskRemoved(),
            EventKind.TaskRewired => new KernelEvent.TaskRewired(reader.Dependencies()),
            EventKind.TaskPrioritised => new KernelEvent.TaskPrioritised(reader.Int32()),
            EventKind.TaskUnblocked => new KernelEvent.TaskUnblocked(),
            EventKind.TaskBlocked => new KernelEvent.TaskBlocked(),
            EventKind.TaskDoomed => new KernelEvent.TaskDoomed(new TaskId(reader.Id())),
            EventKind.TaskClaimed => new KernelEvent.TaskClaimed(new WorkerId(reader.Id()), reader.Text(), reader.OptionalId()),
            EventKind.TaskCompleted => new KernelEvent.TaskCompleted(reader.Bytes()),
            EventKind.TaskRetried => new KernelEvent.TaskRetried(reader.Failure(), new DateTimeOffset(reader.Int64(), TimeSpan.Zero)),
            EventKind.TaskDied => new KernelEvent.TaskDied(reader.Failure()),
            EventKind.TaskExpired => new KernelEvent.TaskExpired(reader.Text()),
            EventKind.TaskSuspended => new KernelEvent.TaskSuspended(),
            EventKind.TaskCancelled => new KernelEvent.TaskCancelled(reader.Text()),
            EventKind.TaskRedriven => new KernelEvent.TaskRedriven(reader.Text()),
            EventKind.GoalCompleted => new KernelEvent.GoalCompleted(reader.Bytes()),
            EventKind.GoalFailed => new KernelEvent.GoalFailed(reader.Text()),
            EventKind.GoalCancelled => new KernelEvent.GoalCancelled(reader.Text()),
            EventKind.GoalReopened => new KernelEvent.GoalReopened(reader.Text()),
            _ => throw new InvalidDataException($"An entry is of the unknown kind {(short)kind}. Run a newer build."),
        };
    }

    private sealed class EventWriter
    {
        private readonly ArrayBufferWriter<byte> _buffer = new(64);

        public byte[] ToArray() => _buffer.WrittenSpan.ToArray();

        public void Byte(byte value)
        {
            _buffer.GetSpan(1)[0] = value;
            _buffer.Advance(1);
        }

        public void Int32(int value)
        {
            BinaryPrimitives.WriteInt32LittleEndian(_buffer.GetSpan(4), value);
            _buffer.Advance(4);
        }

        public void Int64(long value)
        {
            BinaryPrimitives.WriteInt64LittleEndian(_buffer.GetSpan(8), value);
            _buffer.Advance(8);
        }

        public void Id(Guid value)
        {
            value.TryWriteBytes(_buffer.GetSpan(16), bigEndian: true, out _);
            _buffer.Advance(16);
        }

        public void Bytes(ReadOnlySpan<byte> value)
        {
            Length(value.Length);
            _buffer.Write(value);
        }

        public void Text(string value)
        {
            var length = Encoding.UTF8.GetByteCount(value);
            Length(length);
            Encoding.UTF8.GetBytes(value, _buffer.GetSpan(length));
            _buffer.Advance(length);
        }

        public void OptionalText(string? value)
        {
            Byte(value is null ? (byte)0 : (byte)1);
            if (value is not null)
                Text(value);
        }

        public void Failure(Failure value)
        {
            Byte((byte)value.Kind);
            Text(value.Reason);
            Text(value.Fingerprint);
        }

        public void Dependencies(IReadOnlyList<Dependency> value)
        {
            Length(value.Count);
            foreach (var dependency in value)
            {
                Id(dependency.On.Value);
                Byte((byte)dependency.Kind);
            }
        }

        private void Length(int value)
        {
            var rest = (uint)value;
            for (; rest >= 0x80; rest >>= 7)
                Byte((byte)(rest | 0x80));
            Byte((byte)rest);
        }
    }

    private ref struct EventReader(ReadOnlySpan<byte> data)
    {
        private ReadOnlySpan<byte> _rest = data;

        public byte Byte() => Take(1)[0];

        public int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Take(4));

        public long Int64() => BinaryPrimitives.ReadInt64LittleEndian(Take(8));

        public Guid Id() => new(Take(16), bigEndian: true);

        public Guid? OptionalId() => Id() is var id && id == Guid.Empty ? null : id;

        public byte[] Bytes() => Take(Length()).ToArray();

        public string Text() => Encoding.UTF8.GetString(Take(Length()));

        public string? OptionalText() => Byte() == 0 ? null : Text();

        public Failure Failure() => new((FailureKind)Byte(), Text(), Text());

        public Dependency[] Dependencies()
        {
            var dependencies = new Dependency[Length()];
            for (var i = 0; i < dependencies.Length; i++)
                dependencies[i] = new Dependency(new TaskId(Id()), (DependencyKind)Byte());
            return dependencies;
        }

        private int Length()
        {
            uint value = 0;
            for (var shift = 0; ; shift += 7)
            {
                var next = Byte();
                value |= (uint)(next & 0x7F) << shift;
                if (next < 0x80)
                    return (int)value;
                if (shift > 28)
                    throw new InvalidDataException("An entry of the log is damaged: a length does not end.");
            }
        }

        private ReadOnlySpan<byte> Take(int count)
        {
            if ((uint)count > (uint)_rest.Length)
                throw new InvalidDataException("An entry of the log is damaged: it ends too early.");
            var taken = _rest[..count];
            _rest = _rest[count..];
            return taken;
        }
    }
}
