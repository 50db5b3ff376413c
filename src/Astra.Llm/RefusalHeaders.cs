using System.Globalization;

namespace Astra.Llm;

/// <summary>What the official clients read beside the body: whether to try again, and when.</summary>
public static class RefusalHeaders
{
    public static void Set(ModelRefusal refusal, Action<string, string> set)
    {
        if (refusal.RetryAfter is { } wait)
        {
            set("retry-after-ms", Math.Ceiling(wait.TotalMilliseconds).ToString("0", CultureInfo.InvariantCulture));
            set("retry-after", Math.Max(1, Math.Ceiling(wait.TotalSeconds)).ToString("0", CultureInfo.InvariantCulture));
        }
        if (refusal.ShouldRetry is { } should)
            set("x-should-retry", should ? "true" : "false");
    }
}
