using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Astra.Kernel.Approvals;
using Astra.Kernel.Effects;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Journal;

/// <summary>
/// The fields of every binary form of the kernel. Little-endian numbers; text and bytes are length-prefixed (LEB128); what
/// may be absent has a byte in front, 0 or 1.
/// </summary>
internal sealed class FieldWriter
{
    private const int CapacityMin = 256;
    private const int CapacityKeptMax = 16 << 10;

    // What one writer has written to serves the next one of the same thread.
    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _spare;

    private ArrayBufferWriter<byte> _buffer;

    public FieldWriter() => (_buffer, _spare) = (_spare ?? new ArrayBufferWriter<byte>(CapacityMin), null);

    /// <summary>What was written. Nothing can be written after it.</summary>
    public byte[] End()
    {
        var (buffer, written) = (_buffer, _buffer.WrittenSpan.ToArray());
        _buffer = null!;
        if (buffer.Capacity <= CapacityKeptMax)
        {
            buffer.ResetWrittenCount();
            _spare = buffer;
        }
        return written;
    }

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

    public void Time(DateTimeOffset value) => Int64(value.UtcTicks);

    /// <summary>A tag and the time behind it, or nothing.</summary>
    public void OptionalTime(byte tag, DateTimeOffset? value)
    {
        if (value is not { } time)
            return;
        Byte(tag);
        Time(time);
    }

    /// <summary>A tag and the number behind it, or nothing.</summary>
    public void OptionalInt32(byte tag, int? value)
    {
        if (value is not { } number)
            return;
        Byte(tag);
        Int32(number);
    }

    public void Effect(EffectRecord value)
    {
        Int32(value.Attempt);
        Byte((byte)value.State);
        Text(value.What);
        Time(value.At);
        Bytes(value.Output.Span);
        OptionalText(value.By);
    }

    public void Approval(Approval value)
    {
        Int32(value.VotesNeeded);
        OptionalText(value.AskedBy);
        Length(value.Votes.Count);
        foreach (var vote in value.Votes)
        {
            Text(vote.By);
            Text(vote.Digest);
            Time(vote.At);
            OptionalText(vote.Reason);
        }
    }

    /// <summary>A tag and the text behind it, or nothing.</summary>
    public void OptionalText(byte tag, string? value)
    {
        if (value is null)
            return;
        Byte(tag);
        Text(value);
    }

    public void Failure(Failure value)
    {
        Byte((byte)value.Kind);
        Text(value.Reason);
        Text(value.Fingerprint);
    }

    public void Spec(TaskSpec value)
    {
        Text(value.Name);
        Text(value.Executor);
        Text(value.Kind);
        Bytes(value.Input.Span);
        Int32(value.Priority);
        Int32(value.AttemptCountMax);
        Int64(value.LeaseDuration.Ticks);
    }

    public void Dependencies(IReadOnlyList<Dependency> value)
    {
        Length(value.Count);
        foreach (var dependency in value)
        {
            Id(dependency.On.Value);
            Byte((byte)dependency.Kind);
            if (dependency.Kind == DependencyKind.Outcome)
                Text(dependency.Outcome ?? "");
        }
    }

    /// <summary>Of bytes, or of a list of what is written next.</summary>
    public void Length(int value)
    {
        var rest = (uint)value;
        for (; rest >= 0x80; rest >>= 7)
            Byte((byte)(rest | 0x80));
        Byte((byte)rest);
    }
}

/// <summary>Reads what a <see cref="FieldWriter"/> wrote; whatever else it is given is an InvalidDataException.</summary>
internal ref struct FieldReader(ReadOnlySpan<byte> data)
{
    private const string EndsTooEarly = "The bytes are damaged: they end too early.";

    private ReadOnlySpan<byte> _rest = data;

    public readonly bool IsAtEnd => _rest.IsEmpty;

    public byte Byte() => Take(1)[0];

    public int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Take(4));

    public long Int64() => BinaryPrimitives.ReadInt64LittleEndian(Take(8));

    public Guid Id() => new(Take(16), bigEndian: true);

    public Guid? OptionalId() => Id() is var id && id == Guid.Empty ? null : id;

    public DateTimeOffset Time() => new(Int64(), TimeSpan.Zero);

    public TimeSpan Duration() => TimeSpan.FromTicks(Int64());

    public EffectRecord Effect() => new(Int32(), (EffectState)Byte(), Text(), Time(), Bytes(), OptionalText());

    public Approval Approval()
    {
        var approval = new Approval(Int32()) { AskedBy = OptionalText() };
        var votes = new Vote[Count(bytesEachMin: 11)];
        for (var i = 0; i < votes.Length; i++)
            votes[i] = new Vote(Text(), Text(), Time(), OptionalText());
        return votes.Length == 0 ? approval : approval with { Votes = votes };
    }

    public byte[] Bytes() => Take(Length()).ToArray();

    public ReadOnlySpan<byte> Span() => Take(Length());

    public string Text() => Encoding.UTF8.GetString(Take(Length()));

    public string? OptionalText() => Byte() == 0 ? null : Text();

    public string?[] OptionalTexts()
    {
        var texts = new string?[Count(bytesEachMin: 1)];
        for (var i = 0; i < texts.Length; i++)
            texts[i] = OptionalText();
        return texts;
    }

    public Failure Failure() => new((FailureKind)Byte(), Text(), Text());

    public TaskSpec Spec() => new()
    {
        Name = Text(),
        Executor = Text(),
        Kind = Text(),
        Input = Bytes(),
        Priority = Int32(),
        AttemptCountMax = Int32(),
        LeaseDuration = TimeSpan.FromTicks(Int64()),
    };

    public Dependency[] Dependencies()
    {
        var dependencies = new Dependency[Count(bytesEachMin: 17)];
        for (var i = 0; i < dependencies.Length; i++)
        {
            var (on, kind) = (new TaskId(Id()), (DependencyKind)Byte());
            dependencies[i] = new Dependency(on, kind, kind == DependencyKind.Outcome ? Text() : null);
        }
        return dependencies;
    }

    /// <summary>The length of a list. One that cannot be in what is left is found out before anything is made for it.</summary>
    public int Count(int bytesEachMin)
    {
        var count = Length();
        return (uint)count <= (uint)(_rest.Length / bytesEachMin) ? count : throw new InvalidDataException(EndsTooEarly);
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
                throw new InvalidDataException("The bytes are damaged: a length does not end.");
        }
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if ((uint)count > (uint)_rest.Length)
            throw new InvalidDataException(EndsTooEarly);
        var taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }
}
