using System.Text.Json;
using System.Text.RegularExpressions;
using Astra.Auditor.Cage.Content;

namespace Astra.Auditor.Cage.Inspect;

/// <summary>Lifecycle scripts of `package.json` and the files they lead to, as far as names in them can be followed.</summary>
internal static partial class NpmScripts
{
    private const int FollowedFilesMax = 40;

    // Beyond a few files an install script has begun to load the library, whose parts have little to do with each other.
    private const int CombinedFilesMax = 6;

    private static readonly string[] AtInstall = ["preinstall", "install", "postinstall"];
    private static readonly string[] AtDevelopment = ["preprepare", "prepare", "postprepare", "prepublish"];

    public static void Judge(PackageReading reading)
    {
        if (!reading.Texts.TryGetValue("package.json", out var text))
            return;
        var observations = reading.Observations;
        Dictionary<string, string> scripts;
        try
        {
            using var manifest = JsonDocument.Parse(text.TrimStart('\uFEFF'), new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            scripts = ScriptsOf(manifest.RootElement);
            JudgeSources(manifest.RootElement, observations);
        }
        catch (JsonException failure)
        {
            observations.Add("build-file-malformed", "package.json", failure.Message, (int?)failure.LineNumber + 1);
            return;
        }
        if (reading.Texts.TryGetValue("binding.gyp", out var gyp))
        {
            if (!scripts.ContainsKey("install") && !scripts.ContainsKey("preinstall"))
                observations.Add("install-script", "binding.gyp", "npm runs node-gyp for it.");
            reading.Abilities.RunsByItself.Add("binding.gyp");
            JudgeScript("binding.gyp", gyp, scripts, reading, follow: true);
        }
        foreach (var name in AtInstall.Concat(AtDevelopment))
        {
            if (!scripts.TryGetValue(name, out var command) || command.Length == 0)
                continue;
            var atInstall = AtInstall.Contains(name);
            observations.Add(atInstall ? "install-script" : "developer-script", $"package.json ({name})", $"Script {name}.", evidence: command);
            if (atInstall)
                reading.Abilities.RunsByItself.Add($"package.json ({name})");
            JudgeScript($"package.json ({name})", command, scripts, reading, follow: atInstall);
        }
    }

    /// <summary>Judges a command line, what it runs, and what that loads; each text on its own, and a few together.</summary>
    /// <param name="follow">Whether to go on from the files it names: builders of developers load whole libraries.</param>
    private static void JudgeScript(string where, string command, Dictionary<string, string> scripts, PackageReading reading, bool follow)
    {
        var all = ScriptJudge.Judge(command, Language.Shell | Language.PowerShell, where, reading.Observations);
        // `node -e "…"` is JavaScript inside a shell line.
        all |= ScriptJudge.Judge(command, Language.JavaScript | Language.Python, where, reading.Observations);
        var open = new Queue<string>(FilesNamed(command, "", scripts, reading.Texts, depth: 0));
        var seen = new HashSet<string>(open, StringComparer.Ordinal);
        var judged = 0;
        while (open.TryDequeue(out var file) && judged++ < FollowedFilesMax)
        {
            var text = reading.Texts[file];
            var language = PackageReading.LanguageOf(file, System.Text.Encoding.UTF8.GetBytes(text[..Math.Min(100, text.Length)]));
            // `node install.txt` runs whatever its name says.
            var found = ScriptJudge.Judge(text, language == Language.None ? Language.JavaScript : language, file, reading.Observations);
            reading.Abilities.RunsByItself.Add(file);
            if (judged <= CombinedFilesMax)
                all |= found;
            foreach (var next in follow ? Loaded(text, file, reading.Texts) : [])
            {
                if (seen.Add(next))
                    open.Enqueue(next);
            }
        }
        if (all.HasFlag(Behaviour.Network) && all.Overlaps(Behaviour.Secrets | Behaviour.Environment) && !reading.Observations.Has("auto-exfiltrates"))
            reading.Observations.Add("auto-exfiltrates", where, "Its files together: " + ScriptJudge.Words(all) + ".");
    }

    private static IEnumerable<string> FilesNamed(string command, string directory, Dictionary<string, string> scripts, SortedDictionary<string, string> texts, int depth)
    {
        var words = CommandWord().Matches(command).Select(match => match.Value).ToList();
        for (var index = 0; index < words.Count; index++)
        {
            var word = words[index];
            if (Resolve(word, directory, texts) is { } file)
                yield return file;
            var isRun = word is "run" or "run-script" || (index > 0 && words[index - 1] is "npm" or "yarn" or "pnpm");
            var script = word is "run" or "run-script" ? words.ElementAtOrDefault(index + 1) : word;
            if (!isRun || depth > 3 || script is null || !scripts.TryGetValue(script, out var inner))
                continue;
            foreach (var next in FilesNamed(inner, directory, scripts, texts, depth + 1))
                yield return next;
        }
    }

    /// <summary>Files that a program names: required, imported, or handed to a child process.</summary>
    private static IEnumerable<string> Loaded(string text, string file, SortedDictionary<string, string> texts)
    {
        var directory = Path.GetDirectoryName(file)?.Replace('\\', '/') ?? "";
        foreach (Match match in FileLiteral().Matches(text))
        {
            if (Resolve(match.Groups["name"].Value, directory, texts) is { } found && found != file && !found.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
                yield return found;
        }
    }

    private static string? Resolve(string name, string directory, SortedDictionary<string, string> texts)
    {
        var path = Normalise(directory.Length == 0 ? name : directory + "/" + name);
        if (path.Length == 0)
            return null;
        foreach (var candidate in new[] { path, path + ".js", path + ".cjs", path + ".mjs", path + ".sh", path + "/index.js" })
        {
            if (candidate != "package.json" && texts.ContainsKey(candidate))
                return candidate;
        }
        return null;
    }

    private static string Normalise(string path)
    {
        var parts = new List<string>();
        foreach (var part in path.Replace('\\', '/').Split('/'))
        {
            if (part == ".." && parts.Count > 0)
                parts.RemoveAt(parts.Count - 1);
            else if (part is not ("" or "." or ".."))
                parts.Add(part);
        }
        return string.Join('/', parts);
    }

    private static Dictionary<string, string> ScriptsOf(JsonElement manifest)
    {
        var scripts = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var script in Discover.JsonFiles.Properties(manifest, "scripts"))
        {
            if (script.Value.ValueKind == JsonValueKind.String)
                scripts[script.Name] = script.Value.GetString()!;
        }
        return scripts;
    }

    private static void JudgeSources(JsonElement manifest, Observations observations)
    {
        foreach (var kind in new[] { "dependencies", "optionalDependencies" })
        {
            foreach (var dependency in Discover.JsonFiles.Properties(manifest, kind))
            {
                var source = dependency.Value.ValueKind == JsonValueKind.String ? dependency.Value.GetString()! : "";
                if (source.StartsWith("http://", StringComparison.OrdinalIgnoreCase))
                    observations.Add("source-not-encrypted", "package.json", $"Depends on {dependency.Name} from {source}.");
                else if (source.Contains("://", StringComparison.Ordinal) || source.StartsWith("git", StringComparison.OrdinalIgnoreCase))
                    observations.Add("source-not-registry", "package.json", $"Depends on {dependency.Name} from {source}.");
            }
        }
    }

    [GeneratedRegex(@"[^\s""'`;&|()<>=]+", RegexOptions.CultureInvariant)]
    private static partial Regex CommandWord();

    [GeneratedRegex(@"[""'`](?<name>\.{0,2}/?[\w@][\w./@-]{0,120}|\.{1,2}/[\w./@-]{1,120})[""'`]", RegexOptions.CultureInvariant)]
    private static partial Regex FileLiteral();
}
