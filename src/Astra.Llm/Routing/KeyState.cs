using System.Security.Cryptography;
using System.Text;

namespace Astra.Llm.Routing;

/// <summary>
/// What is known of one key of a provider: whether it is refused, and until when it has to rest. The key itself is not here:
/// a refused one is remembered by its hash, and another under the same name is tried again.
/// </summary>
internal sealed class KeyState(string? secret, TimeProvider clock)
{
    public static readonly TimeSpan RestDefault = TimeSpan.FromSeconds(5);

    /// <summary>A provider that asks for more is asked again then, and says so again.</summary>
    public static readonly TimeSpan RestMax = TimeSpan.FromMinutes(10);

    private byte[]? _refused;
    private long _coolSince;
    private long _coolTicks;

    /// <summary>The name of the secret; null for a provider without keys.</summary>
    public string? Secret { get; } = secret;

    public bool IsRefused => Volatile.Read(ref _refused) is not null;

    /// <summary>How long the key rests from now; zero when it may be used.</summary>
    public TimeSpan Rest
    {
        get
        {
            var ticks = Volatile.Read(ref _coolTicks);
            if (ticks == 0)
                return TimeSpan.Zero;
            var rest = TimeSpan.FromTicks(ticks) - clock.GetElapsedTime(Volatile.Read(ref _coolSince));
            return rest > TimeSpan.Zero ? rest : TimeSpan.Zero;
        }
    }

    public bool Refuses(string? key) => Volatile.Read(ref _refused) is { } refused && refused.AsSpan().SequenceEqual(HashOf(key));

    /// <summary>Without a key there is nothing to put another in the place of: it rests, and is asked again.</summary>
    public void Refuse(string? key)
    {
        if (Secret is null)
            Cool(RestMax);
        else
            Volatile.Write(ref _refused, HashOf(key));
    }

    public void Accept()
    {
        if (Volatile.Read(ref _refused) is not null)
            Volatile.Write(ref _refused, null);
        if (Volatile.Read(ref _coolTicks) != 0)
            Volatile.Write(ref _coolTicks, 0);
    }

    public void Cool(TimeSpan? asked)
    {
        var rest = asked is { } wait && wait > TimeSpan.Zero ? wait : RestDefault;
        Volatile.Write(ref _coolSince, clock.GetTimestamp());
        Volatile.Write(ref _coolTicks, (rest < RestMax ? rest : RestMax).Ticks);
    }

    private static byte[] HashOf(string? key) => SHA256.HashData(Encoding.UTF8.GetBytes(key ?? ""));
}
