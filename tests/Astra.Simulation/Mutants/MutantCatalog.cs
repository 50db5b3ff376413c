namespace Astra.Simulation.Mutants;

/// <summary>What each switch of the kernel breaks, in the words of the promise.</summary>
public static class MutantCatalog
{
    private static readonly IReadOnlyDictionary<string, string> Promises = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["no-fencing"] = "The log takes entries only under the epoch that their shard has.",
        ["acknowledge-before-commit"] = "Nothing is answered before it is durable.",
        ["effect-before-commit"] = "No shard is handed over, and no row written, ahead of the log.",
        ["dispatch-before-commit"] = "No attempt is handed out before its claim is durable.",
        ["failed-commit-acknowledged"] = "A commit that failed, or was refused, ends the shard's life and is acknowledged to nobody.",
        ["sequence-repeats"] = "A new owner goes on numbering where the log ends.",
        ["lease-by-node-clock"] = "The owner of shards counts their lease from when it asked, not from when it heard.",
        ["deposed-owner-answers"] = "Whoever holds no lease any more answers nothing.",
        ["two-leases"] = "Shards are taken from nobody whose lease holds.",
        ["takeover-keeps-epoch"] = "A takeover raises the epoch.",
        ["takeover-without-replay"] = "A new owner reads the log beyond the rows.",
        ["reopened-goal-forgotten"] = "A finished goal that was reopened is there after a restart.",
        ["reaper-off"] = "The lease of a silent worker ends.",
        ["unbounded-retries"] = "A task is tried as often as it says, and then it is a dead letter.",
        ["poison-unnoticed"] = "A task that loses one worker after another becomes a dead letter.",
        ["permanent-failure-retried"] = "What failed for good is not tried again.",
        ["dead-letter-dropped"] = "What is given up is kept as a dead letter.",
        ["double-dispatch-after-reconnect"] = "After a lost worker the next attempt has a number of its own.",
        ["completion-from-old-attempt"] = "The report of an attempt that is over is late.",
        ["slot-leaked"] = "A slot is free again when its attempt is over.",
        ["lost-unblock"] = "A task is ready when the last it waits for has ended (1 in 50 is forgotten).",
        ["cycle-check-off"] = "A graph never has a cycle.",
        ["dependency-count-off-by-one"] = "A task begins only when everything it waits for has ended.",
        ["unmet-dependency-counts"] = "A dependency counts as met only when the other ended as it asks.",
        ["wait-policy-dooms"] = "Under the policy wait a death dooms nobody.",
        ["cascade-forgets-one"] = "A doom reaches everything behind it.",
        ["redrive-leaves-doomed"] = "A redrive brings back what the death had doomed.",
        ["redrive-leaves-ready"] = "What waits for a redriven task is not ready any more.",
        ["cancel-leaves-running"] = "A cancelled goal has nothing running.",
        ["goal-ends-early"] = "A goal ends when nothing of it is open.",
        ["edit-ignores-version"] = "An edit of an older revision is refused.",
        ["goal-begins-too-early"] = "A goal begins after the goals it comes after.",
        ["predecessor-heard-twice"] = "The end of another goal is taken note of once.",
        ["lost-word-not-asked-again"] = "A goal hears of the end of another although the word was lost.",
        ["orphan-goes-on"] = "A child ends with its cancelled parent.",
        ["delegation-repeated"] = "A goal that a task submits is submitted once, however often it asks.",
        ["idempotency-key-ignored"] = "One idempotency key is one goal.",
        ["rows-unfenced"] = "A deposed owner writes no rows.",
        ["projection-skips-one"] = "Every task that changed is in the image of its shard.",
        ["rows-lost-on-error"] = "Rows that could not be written are written with the next round.",
        ["removed-row-stays"] = "The row of a removed task goes.",
        ["evicted-unseen"] = "A goal leaves memory only after the rows show it.",
        ["effect-resent"] = "An effect that was sent is not begun again.",
        ["effect-guessed"] = "An effect that nobody knows about is not tried again by itself.",
        ["intent-repeated"] = "An intent that is said twice is one intent.",
        ["timer-lost"] = "What is due later is handed out when it is due.",
        ["retry-at-once"] = "A retry waits until it is due.",
        ["start-ignored"] = "Nothing is handed out before it may begin.",
        ["deadline-timer-lost"] = "What has a deadline lapses at it.",
        ["pause-ignored"] = "Nothing of a paused goal is handed out.",
        ["limit-ignored"] = "No tenant and no agent runs more at once than the node allows.",
        ["admission-off"] = "Submissions beyond the rate are refused at the door.",
        ["priority-inversion"] = "Of two tasks of one kind the more urgent goes first.",
        ["shares-uncharged"] = "Whoever has used the least slot time is next.",
    };

    public static IEnumerable<string> Names => Promises.Keys;

    public static string PromiseOf(string mutant) => Promises[mutant];
}
