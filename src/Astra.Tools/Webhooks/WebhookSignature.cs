using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Astra.Tools.Webhooks;

/// <summary>
/// What a receiver checks, as Standard Webhooks has it: an HMAC-SHA256 over the message's id, the second of this try and
/// the body, joined by dots. The id is the same at every try, so that a repetition can be told from a new message.
/// </summary>
public static class WebhookSignature
{
    public const string IdHeader = "webhook-id";
    public const string TimestampHeader = "webhook-timestamp";
    public const string SignatureHeader = "webhook-signature";

    private const string Version = "v1,";

    public static string IdOf(Guid message) => $"msg_{message:N}";

    public static string TimestampOf(DateTimeOffset at) => at.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);

    public static string Of(ReadOnlySpan<byte> secret, string id, string timestamp, ReadOnlySpan<byte> body)
    {
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, secret);
        hmac.AppendData(Encoding.ASCII.GetBytes($"{id}.{timestamp}."));
        hmac.AppendData(body);
        return Version + Convert.ToBase64String(hmac.GetHashAndReset());
    }
}
