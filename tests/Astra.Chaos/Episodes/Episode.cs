using Astra.Chaos.Processes;

namespace Astra.Chaos.Episodes;

/// <summary>One fault, or a few of one kind at once, from its beginning to its end. What comes after it is not its concern.</summary>
internal abstract class Episode(string kind)
{
    /// <summary>A shard's lease; the servers' own, nobody can choose another.</summary>
    protected static readonly TimeSpan ShardLease = TimeSpan.FromSeconds(9);

    public string Kind => kind;

    /// <summary>Why it cannot be done on this machine; null when it can.</summary>
    public virtual string? ProblemIn(World world) => null;

    /// <summary>Returns when the fault is over.</summary>
    public abstract Task RunAsync(EpisodeScene scene, CancellationToken cancellationToken);

    protected static Task Hold(double seconds, CancellationToken cancellationToken) => Task.Delay(TimeSpan.FromSeconds(seconds), cancellationToken);
}

/// <summary>What an episode is given, and what it reports of itself.</summary>
internal sealed class EpisodeScene(World world, Random dice)
{
    public World World => world;
    public Random Dice => dice;

    public int ServerKills { get; set; }
    public int WorkerKills { get; set; }
    public int PostgresKills { get; set; }
    public int Pauses { get; set; }

    /// <summary>Commits that the log has refused to those who were paused.</summary>
    public double FencedCommits { get; set; }

    /// <summary>When the fault was over; now, unless the episode has said so before.</summary>
    public TimeSpan? EndedAt { get; set; }

    public List<string> Notes { get; } = [];

    public ServerProcess AnyServer() => world.Servers[dice.Next(world.Servers.Count)];

    public WorkerProcess AnyWorker() => world.Workers[dice.Next(world.Workers.Count)];

    public void Over() => EndedAt ??= Awake.Now;
}
