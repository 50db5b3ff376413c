using System.Globalization;
using System.Text;

namespace Astra.Auditor.Cage.Content;

/// <summary>Names alone: where an entry would land, and what a person would read.</summary>
internal static class NameChecks
{
    private static readonly HashSet<string> ReservedNames = new(StringComparer.OrdinalIgnoreCase)
    {
        "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "lpt1", "lpt2", "lpt3",
    };

    /// <summary>Whether some extractor would write this entry outside the directory it extracts into.</summary>
    public static bool Escapes(string name)
    {
        // Archives are extracted on every system, so both separators count everywhere.
        var path = name.Replace('\\', '/');
        if (path.StartsWith('/') || (path.Length > 1 && path[1] == ':' && char.IsAsciiLetter(path[0])))
            return true;
        return LeavesRoot(path) || (path.Contains('%') && LeavesRoot(Uri.UnescapeDataString(path).Replace('\\', '/')));
    }

    /// <summary>Whether a link at <paramref name="name"/> pointing to <paramref name="target"/> leads out.</summary>
    public static bool LinkEscapes(string name, string target)
    {
        var to = target.Replace('\\', '/');
        if (Escapes(to) && !to.StartsWith("..", StringComparison.Ordinal))
            return true;
        var directory = Path.GetDirectoryName(name.Replace('\\', '/'))?.Replace('\\', '/') ?? "";
        return LeavesRoot(directory + "/" + to);
    }

    public static void Check(string name, Observations observations)
    {
        if (name.EnumerateRunes().Any(Deceives))
            observations.Add("name-deceives", name, "The name contains control characters or direction overrides.", evidence: Escape(name));
        else if (HasSecondExtension(name))
            observations.Add("name-deceives", name, "The name has a document's extension before the one that counts.");
        foreach (var part in name.Split('/', '\\'))
        {
            var stem = part.Split('.')[0];
            if (part.Length > 0 && part is not ("." or "..") && (part.EndsWith('.') || part.EndsWith(' ') || part.Contains(':') || ReservedNames.Contains(stem)))
                observations.Add("name-odd", name, "Windows would store it under another name, or not at all.");
        }
    }

    /// <summary>For people to read: nothing that moves the cursor or turns the writing round.</summary>
    public static string Escape(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            if (rune.Value == '\t')
                result.Append(' ');
            else if (Deceives(rune) || Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator)
                result.Append($"\\u{rune.Value:X4}");
            else
                result.Append(rune);
        }
        return result.ToString();
    }

    private static bool LeavesRoot(string path)
    {
        var depth = 0;
        foreach (var part in path.Split('/'))
        {
            if (part is "" or ".")
                continue;
            // Windows drops trailing spaces, so ".. " climbs there too.
            depth += part.TrimEnd(' ') == ".." ? -1 : 1;
            if (depth < 0)
                return true;
        }
        return false;
    }

    private static bool Deceives(Rune rune) => rune.Value
        is < 0x20 or 0x7F
        or (>= 0x202A and <= 0x202E) or (>= 0x2066 and <= 0x2069) or 0x200E or 0x200F
        or 0x200B or 0x2060 or 0xFEFF or 0x3164 or 0x00AD;

    private static bool HasSecondExtension(string name)
    {
        var file = Path.GetFileName(name);
        var last = Path.GetExtension(file);
        if (!FileKinds.IsRunnableExtension(last) || last.Equals(".dll", StringComparison.OrdinalIgnoreCase))
            return false;
        // `install.html.cmd`, and `readme.txt            .exe`.
        var before = Path.GetExtension(file[..^last.Length].TrimEnd());
        return before.ToUpperInvariant() is ".TXT" or ".PDF" or ".DOC" or ".DOCX" or ".PNG" or ".JPG" or ".JPEG" or ".GIF" or ".HTML" or ".MD" or ".XLSX" or ".CSV" or ".MP3" or ".MP4";
    }
}
