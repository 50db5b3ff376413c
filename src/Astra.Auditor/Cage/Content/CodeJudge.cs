using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;

namespace Astra.Auditor.Cage.Content;

/// <summary>
/// Judges code that runs when it is called. A library may use the network and may decode data, so only what has no
/// honest reading counts: decoded text that acts, decoders fed straight to an interpreter, secrets next to a fixed drop
/// address. Most files are let go by one search for a few telling words.
/// </summary>
internal static partial class CodeJudge
{
    private const int LongLiteralMin = 1024;
    private const int InspectedLengthMax = 2 << 20;

    // The first pass over every source file: without one of these there is nothing for the slow pass to find.
    private static readonly SearchValues<string> Telling = SearchValues.Create(
        ["eval", "exec(", "Function(", "runIn", "marshal", "__import__", "Invoke-Expression", "iex", "scriptblock", "atob", "webhook", "ngrok", "pastebin", "telegram",
         "oast", ".onion", "transfer.sh", "0x0.st", "requestbin", "pipedream", "interact.sh", "burpcollab", ".ssh", "id_rsa", ".aws", "/etc/passwd", "/etc/shadow", ".npmrc", "_compile", "://1", "://2", "://3", "://4", "://5", "://6", "://7", "://8", "://9", "_0x"],
        StringComparison.OrdinalIgnoreCase);

    public static void Judge(string text, Language language, string where, Observations observations, ISet<string> hosts)
    {
        Addresses.CollectHosts(text, hosts, countMax: 64);
        if (text.Length > InspectedLengthMax)
            text = text[..InspectedLengthMax];
        var isTelling = text.AsSpan().ContainsAny(Telling);
        if (isTelling || HasLongRun(text))
            JudgeLiterals(text, language, where, observations);
        if (!isTelling)
            return;

        if (DecodeIntoInterpreter().Match(text) is { Success: true } direct)
            observations.Add("decodes-and-runs", where, "A decoder's result is executed.", ScriptJudge.LineAt(text, direct.Index), ScriptJudge.Quote(text, direct.Index));
        var firstAt = new Dictionary<Behaviour, int>();
        var found = Behaviours.Find(text, language, firstAt);
        if (!found.HasFlag(Behaviour.DropHost))
            return;
        var at = firstAt[Behaviour.DropHost];
        var collects = found.Overlaps(Behaviour.Secrets | Behaviour.Environment) && found.HasFlag(Behaviour.Network);
        observations.Add(collects ? "code-collects-secrets" : "suspicious-host", where, collects ? "Secrets, the network and a drop address in one file." : "A drop address.",
            ScriptJudge.LineAt(text, at), ScriptJudge.Quote(text, at));
    }

    /// <summary>Literals that decode to programs, or to text that acts.</summary>
    public static void JudgeLiterals(string text, Language language, string where, Observations observations)
    {
        var behaviours = Behaviours.Find(text, language);
        var longest = 0;
        var longestAt = 0;
        foreach (Match match in LongRun().Matches(text))
        {
            if (match.Length > longest)
                (longest, longestAt) = (match.Length, match.Index);
            if (ProgramIn(match.Value) is { } program)
                observations.Add("encoded-executable", where, $"{match.Length} characters decode to {program}.", ScriptJudge.LineAt(text, match.Index), match.Value);
        }
        JudgeDecoded(text, behaviours, where, observations);
        if (longest >= LongLiteralMin)
            observations.Add("encoded-literal", where, $"{longest} characters of encoded data.", ScriptJudge.LineAt(text, longestAt));
    }

    /// <summary>Only a file that decodes, and then runs or sends something, can use what it hides.</summary>
    private static void JudgeDecoded(string text, Behaviour behaviours, string where, Observations observations)
    {
        if (!behaviours.HasFlag(Behaviour.Decode) || !behaviours.Overlaps(Behaviour.Interpret | Behaviour.Process | Behaviour.Network))
            return;
        var interprets = behaviours.HasFlag(Behaviour.Interpret);
        foreach (var view in TextViews.DecodedFromData(text))
        {
            var acts = Behaviours.Find(view.Text, Language.Any);
            var capable = acts & (Behaviour.Network | Behaviour.Process | Behaviour.Secrets | Behaviour.Environment | Behaviour.PipeToShell | Behaviour.DropHost);
            // One word in decoded data is chance or a test's fixture; two kinds together are a programme.
            if (int.PopCount((int)capable) < 2 && !(interprets && capable != Behaviour.None))
                continue;
            observations.Add(interprets ? "encoded-code-runs" : "encoded-code", where, $"Decoded by {view.How}: {ScriptJudge.Words(capable)}.", evidence: ScriptJudge.Quote(view.Text, 0));
        }
    }

    /// <summary>Documents and data: they run nothing, but they can carry a program for something that does.</summary>
    public static void JudgeData(string text, string where, Observations observations)
    {
        if (!HasLongRun(text))
            return;
        foreach (Match match in LongRun().Matches(text))
        {
            if (ProgramIn(match.Value) is { } program)
                observations.Add("encoded-executable", where, $"{match.Length} characters decode to {program}.", ScriptJudge.LineAt(text, match.Index));
        }
    }

    /// <summary>What a run of base64 or hex digits is the beginning of, when it is a program.</summary>
    public static string? ProgramIn(string run)
    {
        var start = run.Length > 4096 ? run[..4096] : run;
        byte[]? bytes = start.Length % 2 == 0 && start.All(char.IsAsciiHexDigit) ? Convert.FromHexString(start) : TextViews.FromBase64(start);
        if (bytes is null)
            return null;
        return FileKinds.Of(bytes) switch
        {
            FileKind.Pe => "a Windows program",
            FileKind.Elf => "a Linux program",
            FileKind.MachO => "a macOS program",
            _ => null,
        };
    }

    /// <summary>Whether the text has a stretch without blanks long enough to carry a payload.</summary>
    private static bool HasLongRun(ReadOnlySpan<char> text)
    {
        while (text.Length >= LongLiteralMin)
        {
            // Probe where a run long enough must have a character; most texts have a blank close by and are skipped quickly.
            var end = text.IndexOfAnyExcept(EncodedCharacters);
            if (end < 0 || end >= LongLiteralMin)
                return true;
            text = text[(end + 1)..];
        }
        return false;
    }

    private static readonly SearchValues<char> EncodedCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_\\x");

    [GeneratedRegex(@"[A-Za-z0-9+/_-]{256,}={0,2}", RegexOptions.CultureInvariant)]
    private static partial Regex LongRun();

    [GeneratedRegex(
        @"(?<![.\w])(?:eval|exec|Function|execScript|runInThisContext|Invoke-Expression|iex)\b\s*\(?\s*(?:compile\s*\()?\s*(?:__import__\([""'](?:base64|zlib|codecs|marshal|binascii|bz2|lzma)[""']\)|Buffer\.from\s*\([^()]{0,200000}?[""'](?:base64|hex)[""']|Buffer\.from\s*\(\s*\[|atob\s*\(|(?:window|globalThis)\.atob\s*\(|unescape\s*\(|decodeURIComponent\s*\(|String\.fromCharCode|base64\.[bu]|b64decode|zlib\.decompress|codecs\.decode|bytes\.fromhex|binascii\.|marshal\.loads|gzip\.decompress|lzma\.decompress|bytes\s*\(\s*\[|bytearray\s*\(\s*\[|[""']{2}\.join\s*\(\s*(?:map\s*\(\s*chr|\[?\s*chr\s*\()|\(?\s*\[(?:System\.)?(?:Text\.Encoding|Convert)\])",
        RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex DecodeIntoInterpreter();

    /// <summary>Text for analysis: UTF-8 or UTF-16, never failing.</summary>
    public static string TextOf(ReadOnlySpan<byte> bytes)
    {
        if (bytes is [0xFF, 0xFE, ..])
            return Encoding.Unicode.GetString(bytes[2..]);
        if (bytes is [0xFE, 0xFF, ..])
            return Encoding.BigEndianUnicode.GetString(bytes[2..]);
        return Encoding.UTF8.GetString(bytes);
    }
}
