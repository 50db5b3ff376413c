using Astra.Auditor.Cage.Content;

namespace Astra.Auditor.Cage.Inspect;

/// <summary>dpkg: installed files against the package's md5sums, and its maintainer scripts.</summary>
internal static class DpkgInspection
{
    /// <summary>Maintainer scripts run as root to configure a machine: accounts, services and processes are their work.</summary>
    private const Behaviour NormalWork = Behaviour.Secrets | Behaviour.Environment | Behaviour.Persist | Behaviour.Process
        | Behaviour.HookRuntime | Behaviour.Interpret | Behaviour.WriteProgram | Behaviour.PipeToShell | Behaviour.Decode;

    public static void Inspect(InspectRequest request, PackageReading reading)
    {
        var roots = request.Parts.Where(part => part.Kind == PartKind.DpkgRoot).ToDictionary(part => Path.GetFileName(part.Path), part => part.Path, StringComparer.Ordinal);
        foreach (var part in request.Parts.Where(part => part.Kind == PartKind.DpkgInfo))
        {
            var text = File.ReadAllText(part.Path);
            if (part.Path.EndsWith(".md5sums", StringComparison.Ordinal))
                CheckSums(text, roots, reading);
            else
                JudgeScript(Path.GetFileName(part.Path), text, reading);
        }
    }

    private static void CheckSums(string text, Dictionary<string, string> roots, PackageReading reading)
    {
        var missing = 0;
        foreach (var line in text.Split('\n'))
        {
            var space = line.IndexOf(' ');
            if (space != 32 || Hashes.Parse("md5-" + line[..32]) is not { } recorded)
                continue;
            var path = line[32..].Trim();
            if (NameChecks.Escapes(path))
            {
                reading.Observations.Add("path-escape", path, "md5sums names a file outside the root.");
                continue;
            }
            if (Find(path, roots) is not { } file)
            {
                missing++;
                continue;
            }
            if (FolderReading.Read(file) is not { } content)
                reading.Count(path, file.Length);
            else if (!Hashes.Of(content.Span, "md5").AsSpan().SequenceEqual(recorded.Value))
                reading.Observations.Add("installed-edited", path, "Its MD5 is not the one in md5sums.");
        }
        // Container images leave out documentation, so absence alone says nothing.
        if (missing > 0)
            reading.Observations.Add("installed-missing", "md5sums", $"{missing} listed files are not here.");
    }

    private static FileInfo? Find(string path, Dictionary<string, string> roots)
    {
        var parts = path.Split('/', 2);
        // /bin, /lib and /sbin have been links into /usr since the merge; old packages still list the old places.
        if (parts[0] is "bin" or "sbin" || parts[0].StartsWith("lib", StringComparison.Ordinal))
            parts = ["usr", path];
        if (parts.Length < 2 || !roots.TryGetValue(parts[0], out var root))
            return null;
        var file = new FileInfo(Path.Combine(root, parts[1]));
        return file.Exists && file.LinkTarget is null ? file : null;
    }

    private static void JudgeScript(string name, string text, PackageReading reading)
    {
        reading.Abilities.RunsByItself.Add(name);
        reading.Observations.Add("maintainer-script", name, "Runs as root.");
        var isPython = text.StartsWith("#!", StringComparison.Ordinal) && text[..Math.Min(80, text.Length)].Contains("python", StringComparison.Ordinal);
        ScriptJudge.Judge(text, isPython ? Language.Python : Language.Shell, name, reading.Observations, NormalWork);
        // A download alone may be a font installer's work; piped into a shell it is never that.
        var found = Behaviours.Find(text, Language.Shell);
        if (found.HasFlag(Behaviour.Network) && found.HasFlag(Behaviour.PipeToShell) && DownloadedAndRun(text))
            reading.Observations.Add("auto-downloads-and-runs", name, "Pipes a download into an interpreter, as root.");
    }

    private static bool DownloadedAndRun(string text) =>
        text.Split('\n').Any(line => Behaviours.Find(line, Language.Shell) is var found && found.HasFlag(Behaviour.Network) && found.HasFlag(Behaviour.PipeToShell));
}
