using Astra.Kernel;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Astra.Gateway;

/// <summary>
/// A request about something that is moving from one node to another is made again here, until whoever has it now answers or
/// the patience is used up: a client need not know that shards move. Only what nobody has looked at is made again.
/// </summary>
/// <remarks>The node that the client has asked waits. One that a request was handed on to says at once that it cannot, and
/// marks its answer: the asking node looks again who has it.</remarks>
internal sealed class MovingRequests(RequestDelegate next, TimeSpan patience, CancellationToken stopping)
{
    /// <summary>On the answer of a node that was handed a request and has not looked at it.</summary>
    public const string UntouchedHeader = "Astra-Untouched";

    private static readonly TimeSpan DelayMin = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan DelayMax = TimeSpan.FromMilliseconds(250);

    // Each holds a connection and its body. A fleet that has lost a node must not drown in those that wait for it.
    private const int WaitingMax = 4_096;

    private int _waiting;

    public async Task InvokeAsync(HttpContext http)
    {
        if (OwnerForwarding.IsForwarded(http.Request))
        {
            await next(http);
            return;
        }
        var round = new Round();
        http.Features.Set(round);
        var since = TimeProvider.System.GetTimestamp();
        for (var delay = DelayMin; ; delay = delay * 2 < DelayMax ? delay * 2 : DelayMax)
        {
            round.Refused = null;
            // The last round answers whatever there is to answer. A server that stops lets nobody wait.
            round.IsLast = stopping.IsCancellationRequested || TimeProvider.System.GetElapsedTime(since) >= patience || Volatile.Read(ref _waiting) >= WaitingMax;
            await next(http);
            if (round.Refused is null)
                return;
            Interlocked.Increment(ref _waiting);
            try
            {
                await Task.Delay(delay, TimeProvider.System, http.RequestAborted);
            }
            finally
            {
                Interlocked.Decrement(ref _waiting);
            }
            Rewind(http);
        }
    }

    /// <summary>Whether the request will be made again: then nothing may be answered to it now.</summary>
    public static bool TakesBack(HttpContext http, Refusal refusal)
    {
        if (!refusal.IsMoving || http.Response.HasStarted || http.Features.Get<Round>() is not { IsLast: false } round)
            return false;
        round.Refused = refusal;
        return true;
    }

    private static void Rewind(HttpContext http)
    {
        if (!http.Request.Body.CanSeek)
            return;
        http.Request.Body.Position = 0;
        // A reader that has seen the end of the body stays there.
        http.Features.Set<IRequestBodyPipeFeature>(new RequestBodyPipeFeature(http));
    }

    private sealed class Round
    {
        public bool IsLast { get; set; }
        public Refusal? Refused { get; set; }
    }
}
