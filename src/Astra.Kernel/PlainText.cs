using System.Buffers;
using System.Text;

namespace Astra.Kernel;

/// <summary>What the kernel takes for text. PostgreSQL holds neither U+0000 nor half a surrogate pair, and UTF-8 turns the
/// latter into something else: names that hold them are refused at the door, sentences are mended.</summary>
internal static class PlainText
{
    public const string WhatIsNot = "a character that is not text (U+0000, or half of a surrogate pair)";

    private const char Replacement = '\uFFFD';

    public static bool IsText(string? text)
    {
        for (var rest = text.AsSpan(); !rest.IsEmpty;)
        {
            if (Rune.DecodeFromUtf16(rest, out var rune, out var consumed) != OperationStatus.Done || rune.Value == 0)
                return false;
            rest = rest[consumed..];
        }
        return true;
    }

    /// <summary>The text with everything that is none replaced, and cut where it is too long.</summary>
    public static string Clean(string text, int lengthMax)
    {
        var cut = text.Length > lengthMax ? string.Concat(text.AsSpan(0, lengthMax - 1), "…") : text;
        if (IsText(cut))
            return cut;
        var clean = new StringBuilder(cut.Length);
        foreach (var rune in cut.EnumerateRunes())
            clean.Append(rune.Value == 0 ? Replacement.ToString() : rune.ToString());
        return clean.ToString();
    }
}
