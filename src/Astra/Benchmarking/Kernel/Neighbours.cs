using System.Diagnostics;
using Astra.Kernel.Actors;

namespace Astra.Benchmarking.Kernel;

/// <summary>
/// Actors that have nothing to do with the trouble next door: pairs that play ping-pong, and a receiver that is told as
/// much as it takes. What they get done while all is quiet is compared with what they get done in the middle of it.
/// </summary>
internal sealed class Neighbours : IAsyncDisposable
{
    private const int PairCount = 4;
    private const int RoundCount = 4;
    private static readonly TimeSpan SettleTime = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan RoundTime = TimeSpan.FromMilliseconds(500);

    private readonly CancellationTokenSource _ended = new();
    private readonly List<Counting> _counting = [];
    private readonly Task _telling;

    public Neighbours(ActorSystem actors)
    {
        for (var pair = 0; pair < PairCount; pair++)
        {
            var (ping, pong) = (Spawn(actors), Spawn(actors));
            ping.TrySend(new object(), pong);
        }
        var receiver = Spawn(actors);
        _telling = Task.Run(() => TellAsync(receiver));
    }

    /// <summary>
    /// Quiet and disturbed rounds by turns, in one run, so that whatever else this machine does happens to both.
    /// </summary>
    /// <returns>The share of their undisturbed throughput, in per cent.</returns>
    public async Task<double> ShareAsync(Action<bool> disturb, CancellationToken cancellationToken)
    {
        await Task.Delay(SettleTime, cancellationToken);
        var (quiet, disturbed) = (0.0, 0.0);
        for (var round = 0; round < RoundCount; round++)
        {
            quiet += await RateAsync(cancellationToken);
            disturb(true);
            disturbed += await RateAsync(cancellationToken);
            disturb(false);
            await Task.Delay(SettleTime, cancellationToken);
        }
        return disturbed / quiet * 100;
    }

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        await _telling;
        _ended.Dispose();
    }

    private async Task<double> RateAsync(CancellationToken cancellationToken)
    {
        var (before, since) = (Total(), Stopwatch.GetTimestamp());
        await Task.Delay(RoundTime, cancellationToken);
        return (Total() - before) / Stopwatch.GetElapsedTime(since).TotalSeconds;
    }

    private long Total() => _counting.Sum(actor => actor.Count);

    private ActorRef Spawn(ActorSystem actors)
    {
        var actor = new Counting(_ended.Token);
        _counting.Add(actor);
        return actors.Spawn(new ActorOptions { Create = () => actor });
    }

    private async Task TellAsync(ActorRef receiver)
    {
        var message = new object();
        while (!_ended.IsCancellationRequested)
        {
            var sending = receiver.SendAsync(message);
            if (!sending.IsCompletedSuccessfully)
                await sending;
        }
    }

    /// <summary>Counts what it is sent, and sends it back if somebody is there to play with.</summary>
    private sealed class Counting(CancellationToken ended) : Actor
    {
        private long _count;

        public long Count => Volatile.Read(ref _count);

        protected override ValueTask ReceiveAsync(object message, ActorTurn turn)
        {
            Volatile.Write(ref _count, _count + 1);
            if (!ended.IsCancellationRequested)
                turn.Sender?.TrySend(message, turn.Self);
            return default;
        }
    }
}
