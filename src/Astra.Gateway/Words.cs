using System.Text;

namespace Astra.Gateway;

/// <summary>Text from outside that ends up in rows, lists and terminals.</summary>
internal static class Words
{
    private const int LengthMax = 1_000;

    /// <summary>No control characters (a terminal would obey them, and PostgreSQL refuses the zero), no half characters.</summary>
    public static bool IsPlain(string text)
    {
        foreach (var rune in text.EnumerateRunes())
            if (Rune.IsControl(rune) || rune == Rune.ReplacementChar)
                return false;
        return true;
    }

    /// <summary>One plain line.</summary>
    public static string? Clean(string? text)
    {
        if (text is null)
            return null;
        var clean = new StringBuilder(Math.Min(text.Length, LengthMax));
        foreach (var rune in text.EnumerateRunes())
        {
            if (clean.Length >= LengthMax)
                return clean.Append('…').ToString();
            clean.Append(Rune.IsControl(rune) ? " " : rune.ToString());
        }
        return clean.ToString().Trim();
    }
}
