using System.Globalization;
using System.Text;
using System.Threading.Channels;
using Astra.Agents;
using Astra.Governance;
using Astra.Sdk;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Astra.Gateway;

/// <summary>
/// Server-sent events: `id:` is the sequence number to resume from, a comment goes out when nothing happens, and
/// progress lines go in between without an id. Ends with the goal, or when the key that opened it is revoked.
/// </summary>
internal sealed class EventStreamResult(GoalEvents events, ProgressFeed progress, IApiKeyStore keys, GatewayOptions options, CancellationToken stopping) : IResult
{
    // What the reader has not taken yet. The log is read no faster than that, so a slow reader costs this and no more.
    private const int QueuedMessagesMax = 64;

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-store";
        response.Headers["X-Accel-Buffering"] = "no";
        httpContext.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();

        using var ending = CancellationTokenSource.CreateLinkedTokenSource(httpContext.RequestAborted, stopping);
        var messages = Channel.CreateBounded<string>(new BoundedChannelOptions(QueuedMessagesMax) { SingleReader = true });
        var producers = Task.WhenAll(
            EndingAsync(ending, messages.Writer, WriteEventsAsync(messages.Writer, ending.Token)),
            IgnoringEndAsync(WriteProgressAsync(messages.Writer, ending.Token)),
            IgnoringEndAsync(WriteSignsOfLifeAsync(messages.Writer, httpContext.Principal(), ending)));
        try
        {
            await response.StartAsync(ending.Token);
            await foreach (var message in messages.Reader.ReadAllAsync(httpContext.RequestAborted))
            {
                await response.WriteAsync(message, httpContext.RequestAborted);
                if (messages.Reader.Count == 0)
                    await response.Body.FlushAsync(httpContext.RequestAborted);
            }
        }
        finally
        {
            await ending.CancelAsync();
            await producers;
        }
    }

    private async Task WriteEventsAsync(ChannelWriter<string> messages, CancellationToken ending)
    {
        await foreach (var view in events.ReadAsync(ending))
            await messages.WriteAsync(Format(view, view.Seq), ending);
    }

    private async Task WriteProgressAsync(ChannelWriter<string> messages, CancellationToken ending)
    {
        using var watch = progress.Subscribe(events.Tenant, events.Goal);
        await foreach (var line in watch.Reader.ReadAllAsync(ending))
        {
            var view = new EventView
            {
                Seq = events.LastSeq, At = line.At, Kind = "progress", GoalId = line.Goal.Value,
                TaskId = line.Task.Value, Task = line.Name, Attempt = line.Attempt, Text = line.Text,
            };
            await messages.WriteAsync(Format(view, seq: null), ending);
        }
    }

    private async Task WriteSignsOfLifeAsync(ChannelWriter<string> messages, Principal principal, CancellationTokenSource ending)
    {
        using var timer = new PeriodicTimer(options.KeyCheckPeriod < options.KeepAlivePeriod ? options.KeyCheckPeriod : options.KeepAlivePeriod);
        var lastSign = TimeProvider.System.GetTimestamp();
        while (await timer.WaitForNextTickAsync(ending.Token))
        {
            if (await keys.FindAsync(principal.KeyHash, ending.Token) is not { RevokedAt: null })
            {
                await ending.CancelAsync();
                return;
            }
            if (TimeProvider.System.GetElapsedTime(lastSign) < options.KeepAlivePeriod)
                continue;
            lastSign = TimeProvider.System.GetTimestamp();
            await messages.WriteAsync(": keep-alive\n\n", ending.Token);
        }
    }

    private static string Format(EventView view, long? seq)
    {
        var message = new StringBuilder(256);
        if (seq is { } id)
            message.Append("id: ").Append(id.ToString(CultureInfo.InvariantCulture)).Append('\n');
        return message.Append("event: ").Append(view.Kind).Append("\ndata: ")
            .Append(Encoding.UTF8.GetString(AstraJson.Write(view))).Append("\n\n").ToString();
    }

    /// <summary>When the events end, so does everything else.</summary>
    private static async Task EndingAsync(CancellationTokenSource ending, ChannelWriter<string> messages, Task writing)
    {
        try
        {
            await IgnoringEndAsync(writing);
        }
        finally
        {
            messages.TryComplete();
            await ending.CancelAsync();
        }
    }

    private static async Task IgnoringEndAsync(Task writing)
    {
        try
        {
            await writing;
        }
        catch (Exception e) when (e is OperationCanceledException or ChannelClosedException)
        {
            // The stream ends.
        }
    }
}
