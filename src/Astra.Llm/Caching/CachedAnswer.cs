namespace Astra.Llm.Caching;

/// <summary>One answer as it is kept: whole, in the dialect in which it was asked for, and as streams once somebody wants one.</summary>
internal sealed class CachedAnswer(Operation operation, byte[] whole, string model)
{
    // What an answer costs beside its bytes: the object, its places in two tables and in the queue.
    private const int Overhead = 512;

    private readonly byte[]?[] _forms = [whole, null, null];

    public Operation Operation => operation;

    public ReadOnlyMemory<byte> Whole => whole;

    /// <summary>Who gave it: provider/model.</summary>
    public string Model => model;

    /// <summary>All that it takes; the store counts it.</summary>
    public long Bytes { get; private set; } = Overhead + whole.Length;

    // The rest is the store's, under its lock.

    /// <summary>Keys that lead here without the request being read.</summary>
    public List<RawKey> Aliases { get; } = [];

    public Digest Key { get; set; }
    public long StoredAt { get; set; }
    public LinkedListNode<CachedAnswer>? Place { get; set; }

    /// <summary>Somebody wanted it since it was last looked at for leaving.</summary>
    public bool WasUsed { get; set; }

    /// <summary>Of an answer that the store holds, under its lock: a form that is made here has to be counted there.</summary>
    public ReadOnlyMemory<byte> In(AnswerForm form)
    {
        if (_forms[(int)form] is { } known)
            return known;
        var made = StreamOfWhole.Write(operation, whole, form == AnswerForm.StreamWithUsage);
        _forms[(int)form] = made;
        Bytes += made.Length;
        return made;
    }

    public void Charge(long bytes) => Bytes += bytes;
}

/// <summary>A request by its bytes and whatever beside them decides: found without reading it.</summary>
/// <param name="Generation">Of the configuration: under another one, names may lead elsewhere.</param>
internal readonly record struct RawKey(
    Guid Tenant, long Generation, Operation Operation, CacheWish Wish, string? Kind, string? AnthropicVersion, string? AnthropicBeta, Digest Body)
{
    public override int GetHashCode() => Body.GetHashCode();
}

/// <summary>What a raw key leads to: the bytes that are the answer.</summary>
internal sealed record PreparedAnswer(CachedAnswer Answer, ReadOnlyMemory<byte> Body, bool IsStream);
