using System.Buffers;
using System.IO.Pipelines;
using Astra.Llm.Caching;

namespace Astra.Llm.Recording;

/// <summary>An answer on its way to its client, of which a copy stays.</summary>
internal sealed class KeptReply(IModelReply inner) : IModelReply
{
    private KeptBody? _body;
    private int _status;
    private bool _isEvents;

    public string Model { get; private set; } = "";

    public PipeWriter Body => _body ??= new KeptBody(inner.Body);

    public void SetHeader(string name, string value)
    {
        if (name == "x-astra-model")
            Model = value;
        inner.SetHeader(name, value);
    }

    public void Start(int status, string contentType, long? length)
    {
        (_status, _isEvents) = (status, length is null);
        inner.Start(status, contentType, length);
    }

    public void Break() => inner.Break();

    /// <summary>Null when it was refused, broke off, or is longer than what is kept.</summary>
    public byte[]? Whole(Operation operation)
    {
        if (_status != 200 || _body is not { IsTooLong: false } body)
            return null;
        return _isEvents ? WholeOfStream.Gather(operation, body.Kept) : body.Kept.ToArray();
    }

    private sealed class KeptBody(PipeWriter inner) : PipeWriter
    {
        private readonly ArrayBufferWriter<byte> _kept = new();
        private Memory<byte> _handedOut;

        public bool IsTooLong { get; private set; }

        public ReadOnlySpan<byte> Kept => _kept.WrittenSpan;

        public override Memory<byte> GetMemory(int sizeHint = 0) => _handedOut = inner.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

        public override void Advance(int bytes)
        {
            IsTooLong |= _kept.WrittenCount + (long)bytes > Recorder.AnswerBytesMax;
            if (!IsTooLong)
                _kept.Write(_handedOut.Span[..bytes]);
            inner.Advance(bytes);
        }

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => inner.FlushAsync(cancellationToken);

        public override void CancelPendingFlush() => inner.CancelPendingFlush();

        public override void Complete(Exception? exception = null) => inner.Complete(exception);
    }
}
