using System.Buffers;
using Astra.Llm.Wire;
using Microsoft.AspNetCore.Http;

namespace Astra.Gateway;

/// <summary>The whole body of a request in one rented piece.</summary>
internal static class RequestBody
{
    private const int SizeUnknown = 4096;
    private const int TrustedMax = 1 << 20;

    public static async ValueTask<PooledBuffer> ReadAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        // What a client claims is believed up to a point; beyond it the buffer grows with what really comes.
        var body = new PooledBuffer((int)Math.Clamp(request.ContentLength ?? SizeUnknown, 256, TrustedMax));
        try
        {
            while (true)
            {
                var read = await request.BodyReader.ReadAsync(cancellationToken);
                foreach (var piece in read.Buffer)
                    body.Write(piece.Span);
                request.BodyReader.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted)
                    return body;
            }
        }
        catch
        {
            body.Dispose();
            throw;
        }
    }
}
