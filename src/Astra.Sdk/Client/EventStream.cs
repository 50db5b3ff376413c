using System.Net;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;

namespace Astra.Sdk;

/// <summary>One goal's events over SSE, across broken connections, each exactly once.</summary>
internal sealed class EventStream(ServerRequests requests, Guid goal, long after, TimeProvider machine)
{
    private static readonly TimeSpan RetryDelayMin = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan RetryDelayMax = TimeSpan.FromSeconds(10);

    // The server sends a comment every 15 seconds when nothing happens; a connection silent for longer is a dead one.
    private static readonly TimeSpan SilenceMax = TimeSpan.FromSeconds(60);

    private long _after = after;
    private bool _hasEnded;
    private TimeSpan _retryDelay = RetryDelayMin;

    public async IAsyncEnumerable<EventView> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (true)
        {
            await using (var events = ReadOnceAsync(cancellationToken).GetAsyncEnumerator(cancellationToken))
                while (await NextAsync(events, cancellationToken))
                    yield return events.Current;
            if (_hasEnded)
                yield break;
            await Task.Delay(_retryDelay, machine, cancellationToken);
            _retryDelay = TimeSpan.FromTicks(Math.Min(_retryDelay.Ticks * 2, RetryDelayMax.Ticks));
        }
    }

    /// <summary>A connection that breaks ends the enumeration; a refusal ends it with the exception.</summary>
    private static async ValueTask<bool> NextAsync(IAsyncEnumerator<EventView> events, CancellationToken cancellationToken)
    {
        try
        {
            return await events.MoveNextAsync();
        }
        catch (AstraException e) when (HttpStatus.IsPassing(e.Status))
        {
            return false;
        }
        catch (Exception e) when (e is IOException or HttpRequestException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    private async IAsyncEnumerable<EventView> ReadOnceAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var response = await requests.SendAsync(HttpMethod.Get, $"goals/{goal}/events?after={_after}", null, cancellationToken,
            headers => headers.Accept.ParseAdd("text/event-stream"));
        if (response.StatusCode == HttpStatusCode.NoContent)
        {
            _hasEnded = true;
            yield break;
        }

        using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var body = new WatchedStream(await response.Content.ReadAsStreamAsync(cancellationToken), () => silence.CancelAfter(SilenceMax));
        await foreach (var item in SseParser.Create(body).EnumerateAsync(silence.Token))
        {
            var view = AstraJson.Read<EventView>(System.Text.Encoding.UTF8.GetBytes(item.Data));
            _retryDelay = RetryDelayMin;
            if (item.EventType == "progress")
            {
                yield return view;
                continue;
            }
            if (view.Seq <= _after)
                continue;
            _after = view.Seq;
            yield return view;
        }
    }

    /// <summary>Says when something arrives, comments included; the parser does not show those.</summary>
    private sealed class WatchedStream(Stream inner, Action onArrival) : Stream
    {
        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            onArrival();
            return await inner.ReadAsync(buffer, cancellationToken);
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override void Flush() => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
