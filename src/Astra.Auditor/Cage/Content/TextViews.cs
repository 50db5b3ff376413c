using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.RegularExpressions;

namespace Astra.Auditor.Cage.Content;

/// <param name="How">How it was won from the text; empty for the text itself.</param>
/// <param name="IsDecoded">Not merely put together: some step turned data into text.</param>
internal sealed record TextView(string How, string Text, bool IsDecoded = false);

/// <summary>
/// A text as written, and what it turns into when its disguises are taken off: pieces joined, names replaced by their
/// constants, escapes resolved, base64, hex, character codes and reversed or rotated literals decoded, again and again.
/// Nothing is executed; each step is bounded, and a text that needs more steps than the bounds allow is itself odd.
/// </summary>
internal static partial class TextViews
{
    private const int DepthMax = 4;
    private const int ViewCountMax = 48;
    private const int TextLengthMax = 512 << 10;
    private const int DecodedBytesMax = 512 << 10;
    private const int DataLengthMin = 40;
    private const int NumbersTriedMax = 1_024;

    /// <summary>For text that runs unasked: every disguise, however short.</summary>
    public static List<TextView> Of(string text)
    {
        if (text.Length > TextLengthMax)
            text = text[..TextLengthMax];
        var views = new List<TextView> { new("", text) };
        var seen = new HashSet<string>(StringComparer.Ordinal) { text };
        Unwrap(views[0], 0, views, seen);
        return views;
    }

    /// <summary>For text that a library holds: only what decodes from data long enough to carry a programme. What is won
    /// that way is then unwrapped like any other suspect.</summary>
    public static IEnumerable<TextView> DecodedFromData(string text)
    {
        if (text.Length > TextLengthMax)
            text = text[..TextLengthMax];
        var views = new List<TextView>();
        var seen = new HashSet<string>(StringComparer.Ordinal) { text };
        var joined = Concatenation().Replace(text, "");
        var runs = EncodedRun().Matches(joined).Where(match => match.Length >= DataLengthMin).SelectMany(match => Decode(match.Value));
        var escaped = EscapedRun().Matches(joined).Select(match => (How: "escapes", Text: Unescape(match.Value)));
        foreach (var (how, result) in runs.Concat(DecodeNumbers(text).Select(decoded => (How: "character codes", Text: decoded))).Concat(escaped))
        {
            if (views.Count >= ViewCountMax)
                break;
            if (result.Length < DataLengthMin / 2 || !seen.Add(result))
                continue;
            views.Add(new TextView(how, result, IsDecoded: true));
            Unwrap(views[^1], 1, views, seen);
        }
        return views;
    }

    private static void Unwrap(TextView from, int depth, List<TextView> views, HashSet<string> seen)
    {
        if (depth >= DepthMax)
            return;
        foreach (var (step, result) in Steps(from.Text))
        {
            if (views.Count >= ViewCountMax)
                return;
            if (result.Length < 4 || !seen.Add(result))
                continue;
            var label = from.How.Length == 0 ? step : from.How + ", " + step;
            views.Add(new TextView(label, result, from.IsDecoded || step is not ("joined" or "escapes")));
            Unwrap(views[^1], depth + 1, views, seen);
        }
    }

    private static IEnumerable<(string How, string Text)> Steps(string text)
    {
        var unescaped = Unescape(text);
        if (unescaped != text)
            yield return ("escapes", unescaped);
        var joined = Join(ReplaceConstants(unescaped));
        if (joined != unescaped)
            yield return ("joined", joined);
        foreach (var decoded in DecodeNumbers(text))
            yield return ("character codes", decoded);
        foreach (var source in joined == unescaped ? [text] : new[] { text, joined })
        {
            foreach (Match match in EncodedRun().Matches(source))
            {
                foreach (var decoded in Decode(match.Value))
                    yield return (decoded.How, decoded.Text);
            }
            foreach (Match match in Literal().Matches(source))
            {
                var body = match.Groups["body"].Value;
                if (Turned(body) is { } turned)
                    yield return turned;
            }
        }
    }

    /// <summary>The readable texts behind a run of base64 or hex digits.</summary>
    private static IEnumerable<(string How, string Text)> Decode(string run)
    {
        var reversed = new string([.. run.Reverse()]);
        foreach (var (how, candidate) in new[] { ("", run), ("reversed ", reversed) })
        {
            if (candidate.Length % 2 == 0 && candidate.All(char.IsAsciiHexDigit) && AsText(Convert.FromHexString(candidate)) is { } fromHex)
                yield return (how + "hex", fromHex);
            else if (FromBase64(candidate) is { } bytes && AsText(bytes) is { } fromBase64)
                yield return (how + "base64", fromBase64);
        }
    }

    public static byte[]? FromBase64(string run)
    {
        var body = run.Replace('-', '+').Replace('_', '/').TrimEnd('=');
        if (body.Length % 4 == 1)
            body = body[..^1];
        var padded = body.PadRight((body.Length + 3) / 4 * 4, '=');
        var bytes = new byte[padded.Length / 4 * 3];
        return Convert.TryFromBase64String(padded, bytes, out var count) ? bytes[..count] : null;
    }

    /// <summary>The bytes as text when they are text: directly, as UTF-16, or after decompression.</summary>
    private static string? AsText(byte[] bytes)
    {
        if (Inflate(bytes) is { } inflated)
            bytes = inflated;
        if (bytes.Length < 4)
            return null;
        if (bytes.Length >= 8 && bytes[1] == 0 && bytes[3] == 0 && bytes[5] == 0)
            return Readable(Encoding.Unicode.GetString(bytes));
        return Readable(Encoding.Latin1.GetString(bytes));
    }

    private static byte[]? Inflate(byte[] bytes)
    {
        if (bytes.Length < 8)
            return null;
        var isGzip = bytes[0] == 0x1F && bytes[1] == 0x8B;
        var isZlib = bytes[0] == 0x78 && ((bytes[0] << 8) | bytes[1]) % 31 == 0;
        if (!isGzip && !isZlib)
            return null;
        try
        {
            using Stream inflater = isGzip
                ? new GZipStream(new MemoryStream(bytes), CompressionMode.Decompress)
                : new ZLibStream(new MemoryStream(bytes), CompressionMode.Decompress);
            var output = new byte[DecodedBytesMax];
            var count = inflater.ReadAtLeast(output, output.Length, throwOnEndOfStream: false);
            return output[..count];
        }
        catch (Exception failure) when (failure is InvalidDataException or IOException)
        {
            return null;
        }
    }

    private static string? Readable(string text)
    {
        if (text.Length > TextLengthMax)
            text = text[..TextLengthMax];
        var odd = text.Count(character => character is (< ' ' and not ('\n' or '\r' or '\t')) or > '~');
        return odd * 20 <= text.Length ? text : null;
    }

    /// <summary>A literal written backwards or rotated by 13, when that makes it say something.</summary>
    private static (string How, string Text)? Turned(string body)
    {
        var reversed = new string([.. body.Reverse()]);
        if (Telling(reversed) && !Telling(body))
            return ("reversed", reversed);
        var rotated = string.Create(body.Length, body, (span, source) =>
        {
            for (var index = 0; index < span.Length; index++)
                span[index] = Rotate(source[index]);
        });
        return Telling(rotated) && !Telling(body) ? ("rot13", rotated) : null;

        static char Rotate(char character) => character switch
        {
            >= 'a' and <= 'z' => (char)('a' + ((character - 'a' + 13) % 26)),
            >= 'A' and <= 'Z' => (char)('A' + ((character - 'A' + 13) % 26)),
            _ => character,
        };

        static bool Telling(string text) =>
            TellingWords.Any(word => text.Contains(word, StringComparison.OrdinalIgnoreCase));
    }

    private static readonly string[] TellingWords =
        ["http://", "https://", "curl ", "wget ", "child_process", "/etc/passwd", ".ssh/", "subprocess", "powershell", "os.system", "exec(", "eval(", "import os", "/bin/sh", "urllib", "require("];

    /// <summary>Lists of numbers that are characters, as they are or under one constant (added, or exclusive-or).</summary>
    private static IEnumerable<string> DecodeNumbers(string text)
    {
        foreach (Match match in NumberList().Matches(text))
        {
            var numbers = new List<int>();
            foreach (Match number in Number().Matches(match.Value))
            {
                var digits = number.Value;
                var isHex = digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
                if (int.TryParse(isHex ? digits[2..] : digits, isHex ? NumberStyles.HexNumber : NumberStyles.Integer, CultureInfo.InvariantCulture, out var value))
                    numbers.Add(value);
            }
            if (numbers.Count < 6 || numbers.Exists(number => number is < 0 or > 0xFFFF))
                continue;
            var plain = string.Concat(numbers.Select(number => (char)number));
            if (plain.Any(char.IsAsciiLetter) && Readable(plain) is { } readable)
                yield return readable;
            if (FindKey(numbers) is { } undo)
                yield return string.Concat(numbers.Select(undo));
        }
    }

    /// <summary>The constant that turns the numbers into something telling, tried on their beginning only.</summary>
    private static Func<int, char>? FindKey(List<int> numbers)
    {
        if (numbers.Exists(number => number > byte.MaxValue + byte.MaxValue))
            return null;
        var start = numbers[..Math.Min(numbers.Count, NumbersTriedMax)];
        for (var key = 1; key <= byte.MaxValue; key++)
        {
            var constant = key;
            foreach (var undo in new Func<int, char>[] { number => (char)((number ^ constant) & 0xFFFF), number => (char)((number - constant) & 0xFFFF) })
            {
                var text = string.Concat(start.Select(undo));
                if (TellingWords.Any(text.Contains) && Readable(text) is not null)
                    return undo;
            }
        }
        return null;
    }

    private static string Unescape(string text)
    {
        if (!text.Contains('\\') && !text.Contains('%') && !text.Contains('&'))
            return text;
        return Escapes().Replace(text, match =>
        {
            var digits = match.Groups["digits"].ValueSpan;
            return int.TryParse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var code) && code is >= 0x20 and < 0x7F
                ? ((char)code).ToString()
                : match.Value;
        });
    }

    /// <summary>Pieces put together: literals with a plus, a dot or nothing between them, arrays that are joined, shell
    /// words broken by empty quotes, PowerShell's backticks and cmd's carets.</summary>
    private static string Join(string text)
    {
        var joined = JoinedArray().Replace(text, match => "'" + string.Concat(Literal().Matches(match.Groups["items"].Value).Select(piece => piece.Groups["body"].Value)) + "'");
        joined = Template().Replace(joined, "${value}");
        joined = Concatenation().Replace(joined, "");
        joined = EmptyQuotes().Replace(joined, "");
        return InsideWord().Replace(joined, "");
    }

    /// <summary>Names that are assigned a literal once, replaced by it: `a="cu";b="rl";run(a+b)`.</summary>
    private static string ReplaceConstants(string text)
    {
        if (text.Length > 128 << 10)
            return text;
        var constants = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (Match match in Assignment().Matches(text))
        {
            if (constants.Count < 64)
                constants.TryAdd(match.Groups["name"].Value, match.Groups["value"].Value);
        }
        foreach (var (name, value) in constants)
        {
            var use = name.StartsWith('$')
                ? Regex.Escape(name) + @"\b(?!\s*=)|\$\{" + Regex.Escape(name[1..]) + @"\}"
                : @"(?<![\w$.""'/-])(?:\$\{" + Regex.Escape(name) + @"\}|\$" + Regex.Escape(name) + @"\b|\b" + Regex.Escape(name) + @"\b)(?!\s*[=:(""'\w-])";
            text = Regex.Replace(text, use, value.Replace("$", "$$", StringComparison.Ordinal), RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1));
        }
        return text;
    }

    [GeneratedRegex(@"[A-Za-z0-9+/_-]{16,}={0,2}", RegexOptions.CultureInvariant)]
    private static partial Regex EncodedRun();

    [GeneratedRegex(@"(?:\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|%[2-7][0-9a-fA-F]){16,}", RegexOptions.CultureInvariant)]
    private static partial Regex EscapedRun();

    [GeneratedRegex(@"(?<quote>[""'`])(?<body>[^""'`\r\n]{1,4000})\k<quote>", RegexOptions.CultureInvariant)]
    private static partial Regex Literal();

    [GeneratedRegex(@"(?:(?:0x[0-9a-fA-F]{1,4}|\d{1,5})[)\]]?\s*(?:,|;|\s|\+\s*(?:String\.fromCharCode|chr|\[char\])\(?)+\s*(?:\[char\]\s*|chr\()?){5,}(?:0x[0-9a-fA-F]{1,4}|\d{1,5})", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex NumberList();

    [GeneratedRegex(@"0x[0-9a-fA-F]+|\d+", RegexOptions.CultureInvariant)]
    private static partial Regex Number();

    [GeneratedRegex(@"\\x(?<digits>[0-9a-fA-F]{2})|\\u\{?(?<digits>[0-9a-fA-F]{4})\}?|%(?<digits>[2-7][0-9a-fA-F])|&#x(?<digits>[0-9a-fA-F]{2});", RegexOptions.CultureInvariant)]
    private static partial Regex Escapes();

    [GeneratedRegex(@"\[(?<items>(?:\s*[""'`][^""'`\r\n]{0,200}[""'`]\s*,?){2,400})\]\s*\.\s*join\s*\(\s*(?:""""|''|``)?\s*\)|(?:""""|'')\s*\.\s*join\s*\(\s*[\[(](?<items>(?:\s*[""'][^""'\r\n]{0,200}[""']\s*,?){2,400})[\])]\s*\)|\(?(?<items>(?:\s*[""'][^""'\r\n]{0,200}[""']\s*,){1,400}\s*[""'][^""'\r\n]{0,200}[""'])\)?\s*-join\s*(?:""""|'')", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex JoinedArray();

    [GeneratedRegex(@"\$\{\s*[""'](?<value>[^""'\r\n]{0,200})[""']\s*\}", RegexOptions.CultureInvariant)]
    private static partial Regex Template();

    [GeneratedRegex(@"[""'`]\s*(?:\+|\.concat\(|&)\s*(?:\r?\n\s*)?[bru]?[""'`]|(?<=\w)[""']\s+[""'](?=\w)", RegexOptions.CultureInvariant)]
    private static partial Regex Concatenation();

    [GeneratedRegex(@"(?<=\w)(?:""""|'')(?=\w)", RegexOptions.CultureInvariant)]
    private static partial Regex EmptyQuotes();

    [GeneratedRegex(@"(?<=[A-Za-z])[`^](?=[A-Za-z])|(?<=\b[a-z])\\(?=[a-z]{2})", RegexOptions.CultureInvariant)]
    private static partial Regex InsideWord();

    [GeneratedRegex(@"(?:\b(?:const|let|var|set|export|local)\s+|(?<=^|[;\n\r,{&|]\s*))(?<name>\$?[A-Za-z_][\w]{0,40})\s*=\s*(?<value>[bru]?""[^""\r\n]{0,2000}""|[bru]?'[^'\r\n]{0,2000}'|`[^`$\r\n]{0,2000}`|process\.env\b(?!\.|\[)|os\.environ\b(?!\.|\[)|require\([""'][\w:/.-]{1,60}[""']\)|(?<=\w=)[\w./:-]{1,200}(?=\s*[;&\n\r]))", RegexOptions.CultureInvariant)]
    private static partial Regex Assignment();
}
