using System.Collections.Concurrent;

namespace Astra.Chaos.Audit;

/// <summary>The columns of the report that have to be zero.</summary>
internal enum Loss
{
    /// <summary>Acknowledged, and not there.</summary>
    Lost,

    /// <summary>Completed twice, or an effect made twice.</summary>
    Doubled,

    /// <summary>Started before what it waits for had completed.</summary>
    OutOfOrder,

    /// <summary>Not ended by the deadline although nothing kept it back.</summary>
    Unended,

    /// <summary>Written by somebody who was no longer the owner, or for an attempt that was over.</summary>
    Stale,

    /// <summary>Log, rows, ledger and receiver do not say the same.</summary>
    Unequal,
}

internal sealed record Finding(Loss Loss, string Sentence);

/// <summary>Everything that should not have been. One is enough to end a run.</summary>
internal sealed class Findings
{
    private readonly ConcurrentQueue<Finding> _all = new();

    public IReadOnlyCollection<Finding> All => _all;

    public bool IsClean => _all.IsEmpty;

    public void Add(Loss loss, string sentence) => _all.Enqueue(new Finding(loss, sentence));

    public int CountOf(Loss loss) => _all.Count(finding => finding.Loss == loss);
}
