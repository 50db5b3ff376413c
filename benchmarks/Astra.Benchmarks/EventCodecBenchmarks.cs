using Astra.Kernel;
using Astra.Kernel.Journal;
using BenchmarkDotNet.Attributes;

namespace Astra.Benchmarks;

/// <summary>What the journal pays for the form of an entry.</summary>
[MemoryDiagnoser]
public class EventCodecBenchmarks
{
    private readonly KernelEvent _claimed =
        new KernelEvent.TaskClaimed(new WorkerId(Guid.NewGuid()), "worker-1", Guid.NewGuid());

    private readonly KernelEvent _completed = new KernelEvent.TaskCompleted(new byte[256]);
    private byte[] _claimedBytes = [];
    private byte[] _completedBytes = [];

    [GlobalSetup]
    public void SetUp() => (_claimedBytes, _completedBytes) = (EventCodec.Encode(_claimed), EventCodec.Encode(_completed));

    [Benchmark]
    public byte[] EncodeClaimed() => EventCodec.Encode(_claimed);

    [Benchmark]
    public byte[] EncodeCompleted() => EventCodec.Encode(_completed);

    [Benchmark]
    public KernelEvent DecodeClaimed() => EventCodec.Decode(EventKind.TaskClaimed, EventCodec.VersionOf(_claimed), _claimedBytes);

    [Benchmark]
    public KernelEvent DecodeCompleted() => EventCodec.Decode(EventKind.TaskCompleted, EventCodec.VersionOf(_completed), _completedBytes);
}
