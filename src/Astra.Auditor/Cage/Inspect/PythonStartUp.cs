using System.Text.RegularExpressions;
using Astra.Auditor.Cage.Content;

namespace Astra.Auditor.Cage.Inspect;

/// <summary>What Python runs although nobody imported the package: `.pth` lines, sitecustomize, and `setup.py` of a source
/// archive.</summary>
internal static partial class PythonStartUp
{
    public static void Judge(PackageReading reading)
    {
        foreach (var (path, text) in reading.Texts)
        {
            if (path.EndsWith(".pth", StringComparison.OrdinalIgnoreCase) && InstallsAtTop(path))
                JudgePathFile(path, text, reading);
            else if (Path.GetFileName(path) is "sitecustomize.py" or "usercustomize.py" && InstallsAtTop(path))
                JudgeModule(path, text, "start-up-module", reading);
            else if (path is "setup.py")
                JudgeModule(path, text, "install-script", reading);
        }
    }

    /// <summary>At the top of site-packages, or where a wheel's data directory puts it there.</summary>
    private static bool InstallsAtTop(string path)
    {
        var folder = Path.GetDirectoryName(path)?.Replace('\\', '/') ?? "";
        return folder.Length == 0 || folder.EndsWith(".data/purelib", StringComparison.Ordinal) || folder.EndsWith(".data/platlib", StringComparison.Ordinal)
            || folder.EndsWith(".data/data", StringComparison.Ordinal) || folder is "src";
    }

    private static void JudgePathFile(string path, string text, PackageReading reading)
    {
        var executed = text.TrimStart('\uFEFF').Split('\n').Where(line => line.StartsWith("import ", StringComparison.Ordinal) || line.StartsWith("import\t", StringComparison.Ordinal)).ToList();
        if (executed.Count == 0)
        {
            reading.Observations.Add("path-file", path, "Directories only.");
            return;
        }
        reading.Abilities.RunsByItself.Add(path);
        var code = string.Join('\n', executed);
        reading.Observations.Add("start-up-line", path, $"{executed.Count} line(s) run at every start of Python.", evidence: executed[0]);
        var found = ScriptJudge.Judge(code, Language.Python, path, reading.Observations);
        if (found.Overlaps(Behaviour.Process | Behaviour.Interpret | Behaviour.Decode | Behaviour.Network))
            reading.Observations.Add("start-up-code", path, "The line " + ScriptJudge.Words(found) + ".", evidence: executed[0]);
        Follow(code, reading);
    }

    private static void JudgeModule(string path, string text, string rule, PackageReading reading)
    {
        reading.Abilities.RunsByItself.Add(path);
        reading.Observations.Add(rule, path, "Runs without being imported by the program.");
        ScriptJudge.Judge(text, Language.Python, path, reading.Observations);
        Follow(text, reading);
    }

    /// <summary>Modules of the package that the code imports run just as early.</summary>
    private static void Follow(string code, PackageReading reading)
    {
        foreach (Match match in Imported().Matches(code))
        {
            var module = match.Groups["name"].Value.Replace('.', '/');
            foreach (var file in new[] { module + ".py", module + "/__init__.py", "src/" + module + "/__init__.py" })
            {
                if (!reading.Texts.TryGetValue(file, out var text) || !reading.Abilities.RunsByItself.Add(file))
                    continue;
                ScriptJudge.Judge(text, Language.Python, file, reading.Observations);
            }
        }
    }

    [GeneratedRegex(@"(?:\bimport\s+|\bfrom\s+|__import__\(\s*[""']|import_module\(\s*[""']|,\s*)(?<name>[A-Za-z_][\w.]*)", RegexOptions.CultureInvariant)]
    private static partial Regex Imported();
}
