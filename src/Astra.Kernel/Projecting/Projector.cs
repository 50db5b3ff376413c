using Astra.Kernel.Actors;
using Astra.Kernel.Shards;

namespace Astra.Kernel.Projecting;

internal sealed record ShardDirty(ShardId Shard, Epoch Epoch, ActorRef Actor);

internal sealed record ShardImage(ShardProjection Image, ActorRef Actor);

/// <summary>Nothing more will come of the shard under this epoch.</summary>
internal sealed record ShardGone(ShardId Shard, Epoch Epoch);

/// <summary>Answered when the rows show everything that was committed before it was asked.</summary>
internal sealed record CatchUp
{
    public static readonly CatchUp Instance = new();
}

internal sealed record CaughtUp
{
    public static readonly CaughtUp Instance = new();
}

/// <summary>
/// Keeps the rows behind the log. It works in rounds, a few times a second: asks each shard that changed for an image,
/// writes the images of all shards in a few transactions, tells the shards how far the rows have come.
/// </summary>
internal sealed class Projector(IProjection projection, KernelLimits limits, KernelNotices notices, ProjectionProgress progress) : Actor
{
    // Of different shards. While one waits for the disk or for a core the other goes on.
    private const int CommitsAtOnce = 2;

    // Under load the rows are written less often: what changes again meanwhile is written once. Whoever asks to be caught
    // up with does not wait for it.
    private const int PausePerRound = 4;
    private static readonly TimeSpan PauseMax = TimeSpan.FromSeconds(1);

    private static readonly object Tick = new();

    private readonly SortedDictionary<ShardId, ShardDirty> _dirty = [];
    private readonly SortedDictionary<ShardId, ShardDirty> _awaited = [];
    private readonly List<ShardImage> _images = [];
    private readonly List<(ActorRef Shard, Projected Told)> _untold = [];
    private List<ActorRef> _waiting = [];
    private List<ActorRef> _waitingForNext = [];
    private bool _isInRound;
    private TimeSpan _roundBeganAt;
    private TimeSpan _pause = limits.ProjectionInterval;

    protected internal override ValueTask StartedAsync(ActorTurn turn)
    {
        turn.Schedule(_pause, Tick);
        return default;
    }

    protected internal override async ValueTask ReceiveAsync(object message, ActorTurn turn)
    {
        switch (message)
        {
            case ShardDirty dirty:
                _dirty[dirty.Shard] = dirty;
                return;
            case ShardGone gone:
                Remove(_dirty, gone.Shard, gone.Epoch);
                Remove(_awaited, gone.Shard, gone.Epoch);
                _images.RemoveAll(image => image.Image.Shard == gone.Shard && image.Image.Epoch <= gone.Epoch);
                break;
            // Whether or not it was still waited for: what is in an image is in no later one.
            case ShardImage image:
                Remove(_awaited, image.Image.Shard, image.Image.Epoch);
                _images.Add(image);
                break;
            case CatchUp when turn.Sender is { } sender:
                (_isInRound ? _waitingForNext : _waiting).Add(sender);
                if (!_isInRound)
                    BeginRound(turn);
                break;
            case var tick when ReferenceEquals(tick, Tick):
                turn.Schedule(_pause, Tick);
                if (!_isInRound)
                    BeginRound(turn);
                break;
        }

        if (_images.Count > 0 && (_awaited.Count == 0 || _images.Sum(RowCount) >= CommitsAtOnce * limits.RowsPerCommitMax))
            await WriteAsync();
        // A shard whose mailbox is full is told with the next message or tick.
        _untold.RemoveAll(untold => untold.Shard.TrySend(untold.Told) != SendResult.Full);
        if (_isInRound && _awaited.Count == 0 && _images.Count == 0)
            EndRound(turn);
    }

    private static void Remove(SortedDictionary<ShardId, ShardDirty> shards, ShardId shard, Epoch upTo)
    {
        if (shards.TryGetValue(shard, out var dirty) && dirty.Epoch <= upTo)
            shards.Remove(shard);
    }

    private void BeginRound(ActorTurn turn)
    {
        _isInRound = true;
        _roundBeganAt = turn.Clock.Elapsed;
        foreach (var (shard, dirty) in _dirty.ToList())
        {
            // A full mailbox keeps the shard dirty: the next round asks again.
            if (dirty.Actor.TrySend(new TakeImage(dirty.Epoch), turn.Self) == SendResult.Full)
                continue;
            _dirty.Remove(shard);
            _awaited[shard] = dirty;
        }
    }

    private void EndRound(ActorTurn turn)
    {
        _isInRound = false;
        var pause = (turn.Clock.Elapsed - _roundBeganAt) * PausePerRound;
        _pause = Max(limits.ProjectionInterval, pause < PauseMax ? pause : PauseMax);
        progress.CaughtUpTo(_roundBeganAt);
        foreach (var waiting in _waiting)
            waiting.TrySend(CaughtUp.Instance);
        (_waiting, _waitingForNext) = (_waitingForNext, []);
        if (_waiting.Count > 0)
            BeginRound(turn);
    }

    private async ValueTask WriteAsync()
    {
        while (_images.Count > 0)
        {
            var written = await Task.WhenAll(TakeBatches().Select(WriteAsync).ToList());
            if (written.Contains(false))
                return;
        }
    }

    /// <summary>Two images of one shard, because the first could not be written in its round, go one after the other.</summary>
    private List<List<ShardImage>> TakeBatches()
    {
        var batches = new List<List<ShardImage>>();
        var shards = new HashSet<ShardId>();
        var taken = 0;
        while (batches.Count < CommitsAtOnce && taken < _images.Count && !shards.Contains(_images[taken].Image.Shard))
        {
            var batch = new List<ShardImage>();
            for (var rows = 0; rows < limits.RowsPerCommitMax && taken < _images.Count && shards.Add(_images[taken].Image.Shard); taken++)
            {
                batch.Add(_images[taken]);
                rows += RowCount(_images[taken]);
            }
            batches.Add(batch);
        }
        _images.RemoveRange(0, taken);
        return batches;
    }

    /// <summary>One transaction.</summary>
    /// <returns>Whether anybody knows how it ended.</returns>
    private async Task<bool> WriteAsync(List<ShardImage> batch)
    {
        IReadOnlyList<ProjectionOutcome> outcomes;
        try
        {
            outcomes = await projection.ProjectAsync([.. batch.Select(image => image.Image)], CancellationToken.None);
        }
        catch (Exception e)
        {
            // The images are of this moment and cannot be taken again, so they are kept and written with the next
            // round; meanwhile the backlog grows and pushes back on submission.
            if (!Mutants.RowsLostOnError)
                _images.InsertRange(0, batch);
            notices.Publish(new KernelNotice.ProjectionDelayed(e.Message));
            return false;
        }
        for (var i = 0; i < batch.Count; i++)
        {
            foreach (var quarantined in outcomes[i].Quarantined)
                notices.Publish(new KernelNotice.GoalQuarantined(quarantined.Goal, quarantined.Reason));
            if (!outcomes[i].IsFenced)
                _untold.Add((batch[i].Actor, new Projected(batch[i].Image.Watermark, [.. outcomes[i].Quarantined.Select(refused => refused.Goal)], batch[i].Image.Released)));
        }
        return true;
    }

    private static TimeSpan Max(TimeSpan one, TimeSpan other) => one > other ? one : other;

    private static int RowCount(ShardImage image) => image.Image.Goals.Count + image.Image.Tasks.Count + image.Image.Removed.Count;
}
