using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Astra.Gateway;

/// <summary>
/// What the nodes of a fleet know and nobody else. A question is signed for one node and one minute, its answer for that
/// very question, so that neither can be made up or used elsewhere.
/// </summary>
/// <remarks>A question that is sent again within its minute is answered again. That is harmless: a report is fenced by its
/// attempt, a lease can only be renewed for the worker that has it, and a message to an agent is taken once.</remarks>
public sealed class FleetSecret(ReadOnlyMemory<byte> secret)
{
    /// <summary>Clocks of a fleet may be this far apart, the time on the way included.</summary>
    public static readonly TimeSpan AgeMax = TimeSpan.FromMinutes(1);

    private readonly byte[] _secret = secret.Length == 32 ? secret.ToArray() : throw new ArgumentException("A fleet secret has 256 bits.", nameof(secret));

    public static string NewNonce() => Convert.ToHexString(RandomNumberGenerator.GetBytes(16));

    public FleetStamp SignQuestion(string to, DateTimeOffset now, ReadOnlySpan<byte> question)
    {
        var (at, nonce) = (now.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture), NewNonce());
        return new FleetStamp(at, nonce, Sign(question, "question", to, at, nonce));
    }

    public bool IsGoodQuestion(string to, DateTimeOffset now, FleetStamp stamp, ReadOnlySpan<byte> question) =>
        long.TryParse(stamp.At, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var at)
        && Math.Abs((double)now.ToUnixTimeMilliseconds() - at) <= AgeMax.TotalMilliseconds
        && IsGood(stamp.Signature, Sign(question, "question", to, stamp.At, stamp.Nonce));

    public string SignAnswer(FleetStamp question, ReadOnlySpan<byte> answer) => Sign(answer, "answer", question.Signature);

    public bool IsGoodAnswer(FleetStamp question, string signature, ReadOnlySpan<byte> answer) => IsGood(signature, SignAnswer(question, answer));

    private string Sign(ReadOnlySpan<byte> body, params ReadOnlySpan<string> words)
    {
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, _secret);
        Span<byte> length = stackalloc byte[4];
        // Each word with its length, so that no two lists of words are the same bytes.
        foreach (var word in words)
        {
            var bytes = Encoding.UTF8.GetBytes(word);
            BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
            hmac.AppendData(length);
            hmac.AppendData(bytes);
        }
        hmac.AppendData(body);
        return Convert.ToHexString(hmac.GetHashAndReset());
    }

    private static bool IsGood(string given, string expected) =>
        CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given), Encoding.UTF8.GetBytes(expected));
}

/// <param name="At">Unix milliseconds.</param>
public sealed record FleetStamp(string At, string Nonce, string Signature);
