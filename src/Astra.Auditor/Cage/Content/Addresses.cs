using System.Buffers;
using System.Net;
using System.Text.RegularExpressions;

namespace Astra.Auditor.Cage.Content;

/// <summary>URLs and IP addresses in text.</summary>
internal static partial class Addresses
{
    /// <summary>Hosts in URLs, sorted; what a report lists.</summary>
    public static void CollectHosts(ReadOnlySpan<char> text, ISet<string> hosts, int countMax)
    {
        var rest = text;
        for (var at = rest.IndexOf("://"); at >= 0 && hosts.Count < countMax; at = rest.IndexOf("://"))
        {
            var scheme = rest[..at];
            var isWeb = EndsWithWord(scheme, "http") || EndsWithWord(scheme, "https") || EndsWithWord(scheme, "ws") || EndsWithWord(scheme, "wss") || EndsWithWord(scheme, "ftp");
            rest = rest[(at + 3)..];
            if (!isWeb)
                continue;
            var end = rest.IndexOfAnyExcept(HostCharacters);
            var host = end < 0 ? rest : rest[..end];
            if (host.Length is > 3 and < 100 && host.Contains('.') && char.IsAsciiLetterOrDigit(host[0]))
                hosts.Add(host.TrimEnd('.').ToString().ToLowerInvariant());
        }
    }

    /// <summary>Where the text names a public IPv4 address as a host: in a URL, or with a port. Version numbers look like
    /// addresses too, so a bare quad says nothing.</summary>
    public static int? FindBareIp(string text)
    {
        foreach (var match in BareIp().EnumerateMatches(text))
        {
            var digits = text.AsSpan(match.Index, match.Length).TrimStart("htpsfw:/@\"'`");
            var end = digits.IndexOfAnyExcept(QuadCharacters);
            if (IPAddress.TryParse(end < 0 ? digits : digits[..end], out var address) && IsPublic(address))
                return match.Index;
        }
        return null;
    }

    private static bool EndsWithWord(ReadOnlySpan<char> text, string word) =>
        text.EndsWith(word, StringComparison.OrdinalIgnoreCase) && (text.Length == word.Length || !char.IsAsciiLetter(text[^(word.Length + 1)]));

    private static bool IsPublic(IPAddress address)
    {
        var bytes = address.GetAddressBytes();
        return bytes.Length == 4 && bytes[0] switch
        {
            0 or 10 or 127 or >= 224 => false,
            // The metadata address is a secret's place, which another rule names.
            169 => bytes[1] != 254,
            172 => bytes[1] is < 16 or > 31,
            192 => bytes[1] != 168,
            198 => bytes[1] is not (18 or 19),
            // The public resolvers appear in every network library's tests and defaults.
            8 => !((bytes[1] == 8 && bytes[2] == 8) || (bytes[1] == 8 && bytes[2] == 4)),
            1 => !(bytes[1] is 0 or 1 or 2),
            _ => true,
        };
    }

    private static readonly SearchValues<char> HostCharacters =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");

    private static readonly SearchValues<char> QuadCharacters = SearchValues.Create("0123456789.");

    [GeneratedRegex(@"(?:(?:https?|wss?|ftp)://(?:[^\s/@""']{1,60}@)?|/dev/(?:tcp|udp)/)(?:\d{1,3}\.){3}\d{1,3}\b|[""'`](?:\d{1,3}\.){3}\d{1,3}(?::\d{2,5}\b|[""'`]\s*,\s*\d{2,5}\b)", RegexOptions.CultureInvariant)]
    private static partial Regex BareIp();
}
