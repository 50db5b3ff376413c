using System.Text;

namespace Astra.Auditor.Cage.Content;

/// <summary>
/// Judges text that runs without being called: install scripts, build commands, start-up lines. One behaviour alone is
/// often normal; what counts are combinations, and whether a behaviour shows only after a disguise is taken off.
/// </summary>
internal static class ScriptJudge
{
    private const Behaviour Acts = Behaviour.Network | Behaviour.Process | Behaviour.Secrets | Behaviour.Environment | Behaviour.PipeToShell | Behaviour.DropHost | Behaviour.Persist | Behaviour.HookRuntime;

    /// <param name="ignored">Behaviours that are normal for this kind of script.</param>
    /// <returns>Everything found, for callers that combine several texts into one judgement.</returns>
    public static Behaviour Judge(string text, Language language, string where, Observations observations, Behaviour ignored = Behaviour.None)
    {
        var code = WithoutCommentLines(text, language);
        var firstAt = new Dictionary<Behaviour, int>();
        var open = Behaviours.Find(code, language, firstAt) & ~ignored;
        var hidden = Behaviour.None;
        foreach (var view in TextViews.Of(code).Skip(1))
        {
            var inView = Behaviours.Find(view.Text, Language.Any) & ~ignored;
            // Any language counts in decoded text, where chance resemblance is the price: a word found only there must act.
            var news = inView & ~open & Acts;
            if (!view.IsDecoded)
                news = Behaviours.Find(view.Text, language) & ~ignored & ~open & Acts;
            if (news == Behaviour.None)
                continue;
            hidden |= news;
            observations.Add("auto-hides", where, $"{Words(news)}, only visible after: {view.How}.", evidence: Quote(view.Text, FirstOf(view.Text, news)));
        }
        Combine(open, open | hidden, code, firstAt, where, observations);
        if (LooksScrambled(code))
            observations.Add("auto-obfuscated", where, "Names and strings were replaced by an obfuscator.");
        return open | hidden;
    }

    /// <summary>The words for behaviours, for people.</summary>
    public static string Words(Behaviour behaviours)
    {
        var words = new List<string>();
        if (behaviours.HasFlag(Behaviour.Network)) words.Add("uses the network");
        if (behaviours.HasFlag(Behaviour.Process)) words.Add("starts processes");
        if (behaviours.HasFlag(Behaviour.Interpret)) words.Add("executes text");
        if (behaviours.HasFlag(Behaviour.Secrets)) words.Add("touches credentials");
        if (behaviours.HasFlag(Behaviour.Environment)) words.Add("reads the whole environment");
        if (behaviours.HasFlag(Behaviour.Persist)) words.Add("arranges to run again");
        if (behaviours.HasFlag(Behaviour.HookRuntime)) words.Add("hooks a runtime");
        if (behaviours.HasFlag(Behaviour.DropHost)) words.Add("names a drop address");
        if (behaviours.HasFlag(Behaviour.PipeToShell)) words.Add("pipes into an interpreter");
        return words.Count == 0 ? "nothing of note" : string.Join(", ", words);
    }

    public static string Quote(string text, int at)
    {
        var start = Math.Max(0, text.LastIndexOf('\n', Math.Max(0, at - 1)) + 1);
        start = Math.Max(start, at - 60);
        return text.Substring(start, Math.Min(160, text.Length - start)).ReplaceLineEndings(" ");
    }

    public static int LineAt(string text, int at) => 1 + text.AsSpan(0, Math.Clamp(at, 0, text.Length)).Count('\n');

    private static void Combine(Behaviour open, Behaviour all, string code, Dictionary<Behaviour, int> firstAt, string where, Observations observations)
    {
        var network = all.Overlaps(Behaviour.Network | Behaviour.DropHost);
        var secrets = all.Overlaps(Behaviour.Secrets | Behaviour.Environment);
        if (network && secrets)
            Say("auto-exfiltrates", Behaviour.Secrets | Behaviour.Environment, all & (Behaviour.Network | Behaviour.Secrets | Behaviour.Environment | Behaviour.DropHost));
        else if (secrets)
            Say("auto-reads-secrets", Behaviour.Secrets | Behaviour.Environment, all & (Behaviour.Secrets | Behaviour.Environment));

        // A pipe alone is shell grammar; with a download on the same page it is the attack.
        if (network && (all.HasFlag(Behaviour.PipeToShell) || (all.HasFlag(Behaviour.Network) && all.HasFlag(Behaviour.Interpret) && !IsJavaScriptProbe(code))))
            Say("auto-downloads-and-runs", Behaviour.PipeToShell | Behaviour.Interpret | Behaviour.Network, all & (Behaviour.Network | Behaviour.PipeToShell | Behaviour.Interpret));
        else if (all.HasFlag(Behaviour.Network) && all.Overlaps(Behaviour.Process | Behaviour.WriteProgram))
            Say("auto-network-and-process", Behaviour.Network, all & (Behaviour.Network | Behaviour.Process));
        else if (all.HasFlag(Behaviour.Network))
            Say("auto-network", Behaviour.Network, Behaviour.Network);

        if (all.HasFlag(Behaviour.Decode) && all.HasFlag(Behaviour.Interpret))
            Say("auto-decodes-and-runs", Behaviour.Interpret, Behaviour.Interpret);
        if (all.HasFlag(Behaviour.Persist))
            Say("auto-persists", Behaviour.Persist, Behaviour.Persist);
        if (all.HasFlag(Behaviour.HookRuntime))
            Say("auto-hooks-runtime", Behaviour.HookRuntime, Behaviour.HookRuntime);
        if (open.HasFlag(Behaviour.DropHost))
            Say("auto-suspicious-host", Behaviour.DropHost, Behaviour.DropHost);

        void Say(string rule, Behaviour evidenceOf, Behaviour words)
        {
            var places = firstAt.Where(place => place.Key.Overlaps(evidenceOf)).Select(place => place.Value).ToList();
            var at = places.Count == 0 ? 0 : places.Min();
            observations.Add(rule, where, Sentence(Words(words)), places.Count == 0 ? null : LineAt(code, at), Quote(code, at));
        }
    }

    /// <summary>`node -e "try{require('./x')}catch(e){}"` runs a file that may be absent; the file itself is followed and judged.</summary>
    private static bool IsJavaScriptProbe(string code) => code.Length < 120 && code.Contains("try{require(", StringComparison.Ordinal);

    private static int FirstOf(string text, Behaviour behaviours)
    {
        var firstAt = new Dictionary<Behaviour, int>();
        Behaviours.Find(text, Language.Any, firstAt);
        return firstAt.Where(place => place.Key.Overlaps(behaviours)).Select(place => place.Value).DefaultIfEmpty(0).Min();
    }

    /// <summary>Whole lines that are comments, blanked so that line numbers hold. Comments after code stay: telling them from
    /// strings needs a parser of each language, and a confused one would hide code.</summary>
    private static string WithoutCommentLines(string text, Language language)
    {
        var marks = language switch
        {
            Language.JavaScript or Language.CSharp => "//",
            Language.Python or Language.Shell or Language.PowerShell => "#",
            _ => null,
        };
        if (marks is null || !text.Contains(marks, StringComparison.Ordinal))
            return text;
        var result = new StringBuilder(text.Length);
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            if (!line.TrimStart().StartsWith(marks, StringComparison.Ordinal))
                result.Append(line);
            result.Append('\n');
        }
        return result.ToString();
    }

    /// <summary>The naming of the common JavaScript obfuscators: dozens of `_0x…` names.</summary>
    private static bool LooksScrambled(string code)
    {
        var count = 0;
        for (var at = code.IndexOf("_0x", StringComparison.Ordinal); at >= 0 && count < 12; at = code.IndexOf("_0x", at + 3, StringComparison.Ordinal))
        {
            if (at + 7 <= code.Length && code.AsSpan(at + 3, 4) is var digits && char.IsAsciiHexDigit(digits[0]) && char.IsAsciiHexDigit(digits[1]) && char.IsAsciiHexDigit(digits[2]) && char.IsAsciiHexDigit(digits[3]))
                count++;
        }
        return count >= 12;
    }

    private static string Sentence(string words) => char.ToUpperInvariant(words[0]) + words[1..] + ".";
}
