using System.Buffers;
using Astra.Llm.Wire;

namespace Astra.Llm.Translation;

/// <summary>Two conversions, one behind the other: what the inner one makes of the provider's answer is what the outer one reads.</summary>
internal sealed class Chained(Conversion outer, Conversion inner) : Conversion
{
    public override Operation Upstream => inner.Upstream;

    public override void WriteRequest(ReadOnlySpan<byte> body, RequestScan scan, Additions additions, IBufferWriter<byte> output)
    {
        using var between = new PooledBuffer(body.Length + 256);
        outer.WriteRequest(body, scan, additions, between);
        inner.WriteRequest(between.Span, RequestScan.Read(between.Span), additions, output);
    }

    public override void WriteAnswer(ReadOnlySpan<byte> answer, IBufferWriter<byte> output)
    {
        using var between = new PooledBuffer(answer.Length + 256);
        inner.WriteAnswer(answer, between);
        outer.WriteAnswer(between.Span, output);
    }

    public override void WriteEvent(in StreamEvent told, IBufferWriter<byte> output)
    {
        using var between = new PooledBuffer();
        inner.WriteEvent(told, between);
        Pass(between, output);
    }

    public override void WriteEnd(IBufferWriter<byte> output)
    {
        using var between = new PooledBuffer();
        inner.WriteEnd(between);
        Pass(between, output);
        outer.WriteEnd(output);
    }

    private void Pass(PooledBuffer between, IBufferWriter<byte> output)
    {
        while (true)
        {
            var told = StreamEvents.Next(between.Span, out var length);
            if (length == 0)
                return;
            if (!told.Data.SequenceEqual("[DONE]"u8))
                outer.WriteEvent(told, output);
            between.Consume(length);
        }
    }
}
