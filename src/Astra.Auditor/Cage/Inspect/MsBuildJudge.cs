using System.Text;
using System.Xml;
using System.Xml.Linq;
using Astra.Auditor.Cage.Content;

namespace Astra.Auditor.Cage.Inspect;

/// <summary>Files that MSBuild imports from a package. Setting properties and items is what they are for; commands, inline
/// code and downloads are judged like any script that runs unasked.</summary>
internal static class MsBuildJudge
{
    private static readonly string[] BuildFolders = ["build/", "buildTransitive/", "buildMultiTargeting/", "buildCrossTargeting/"];
    private static readonly string[] Extensions = [".targets", ".props", ".tasks", ".proj"];

    public static void JudgeAll(PackageReading reading)
    {
        var open = new Queue<string>(reading.Texts.Keys.Where(IsImported));
        var seen = new HashSet<string>(open, StringComparer.OrdinalIgnoreCase);
        while (open.TryDequeue(out var path))
        {
            foreach (var next in Judge(path, reading.Texts[path], reading))
            {
                if (seen.Add(next))
                    open.Enqueue(next);
            }
        }
    }

    private static bool IsImported(string path) =>
        Extensions.Contains(Path.GetExtension(path).ToLowerInvariant())
        && (BuildFolders.Any(folder => path.StartsWith(folder, StringComparison.OrdinalIgnoreCase)) || path.Contains("/Sdk/", StringComparison.OrdinalIgnoreCase)
            || path.StartsWith("Sdk/", StringComparison.OrdinalIgnoreCase) || path.EndsWith(".targets", StringComparison.OrdinalIgnoreCase) || path.EndsWith(".props", StringComparison.OrdinalIgnoreCase));

    /// <returns>Files of the package that this one imports or runs.</returns>
    private static IEnumerable<string> Judge(string path, string text, PackageReading reading)
    {
        var observations = reading.Observations;
        XDocument document;
        try
        {
            using var xml = XmlReader.Create(new StringReader(text.TrimStart('\uFEFF')), new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, MaxCharactersInDocument = 4 << 20 });
            document = XDocument.Load(xml, LoadOptions.SetLineInfo);
        }
        catch (XmlException failure)
        {
            // An imported file of another kind is not ours to judge; a targets file that is not XML is.
            if (Extensions.Contains(Path.GetExtension(path).ToLowerInvariant()))
                observations.Add("build-file-malformed", path, failure.Message, failure.LineNumber);
            return [];
        }
        reading.Abilities.RunsByItself.Add(path);
        observations.Add("build-file", path, "Imported by MSBuild.");
        var properties = PropertiesOf(document);
        var commands = new StringBuilder();
        var followed = new List<string>();
        foreach (var element in document.Descendants())
        {
            JudgeElement(element, path, properties, commands, followed, reading);
        }
        if (commands.Length > 0)
            ScriptJudge.Judge(commands.ToString(), Language.Shell | Language.PowerShell | Language.CSharp, path, observations);
        JudgeProperties(document, path, observations);
        return followed;
    }

    private static void JudgeElement(XElement element, string path, Dictionary<string, string> properties, StringBuilder commands, List<string> followed, PackageReading reading)
    {
        var observations = reading.Observations;
        int? line = element is IXmlLineInfo info && info.HasLineInfo() ? info.LineNumber : null;
        switch (element.Name.LocalName)
        {
            case "Exec":
                var command = Expand(string.Join("\n", element.Attributes().Select(attribute => attribute.Value)), properties);
                observations.Add("build-exec", path, "An Exec task.", line, Expand(Attribute(element, "Command"), properties));
                commands.Append(command).Append('\n');
                followed.AddRange(Follow(command, reading));
                break;
            case "DownloadFile":
                observations.Add("build-download", path, "A DownloadFile task.", line, Expand(Attribute(element, "SourceUrl"), properties));
                commands.Append(Expand(string.Join("\n", element.Attributes().Select(attribute => attribute.Value)), properties)).Append('\n');
                break;
            case "UsingTask" when Attribute(element, "TaskFactory").Contains("CodeTaskFactory", StringComparison.OrdinalIgnoreCase):
                observations.Add("build-inline-task", path, $"Task {Attribute(element, "TaskName")}.", line);
                var code = element.Descendants().FirstOrDefault(child => child.Name.LocalName == "Code");
                commands.Append(code?.Value).Append('\n');
                if (code is not null && Attribute(code, "Source") is { Length: > 0 } source)
                    commands.Append(string.Join('\n', Follow(Expand(source, properties), reading).Select(file => reading.Texts[file]))).Append('\n');
                break;
            case "UsingTask":
                observations.Add("build-task-assembly", path, $"Task {Attribute(element, "TaskName")} from {Expand(Attribute(element, "AssemblyFile"), properties)}.", line);
                break;
            case "Import":
                var project = Expand(Attribute(element, "Project"), properties);
                if (project.Contains("://", StringComparison.Ordinal) || project.StartsWith(@"\\", StringComparison.Ordinal))
                    observations.Add("build-download", path, "Imports a file from the network.", line, project);
                followed.AddRange(Follow(project, reading));
                break;
            case "SetEnv" or "RunEnvironmentVariables" or "EnvironmentVariable":
                commands.Append(Expand(element.ToString(SaveOptions.DisableFormatting), properties)).Append('\n');
                break;
        }
    }

    /// <summary>Values that hook a runtime can be set from a plain property too (run settings, profiler paths).</summary>
    private static void JudgeProperties(XDocument document, string path, Observations observations)
    {
        var text = string.Join('\n', document.Descendants().Where(element => !element.HasElements).Select(element => element.Name.LocalName + "=" + element.Value));
        foreach (var view in TextViews.Of(text))
        {
            if (Behaviours.Find(view.Text, Language.Shell).HasFlag(Behaviour.HookRuntime))
                observations.Add("auto-hooks-runtime", path, "A property names a runtime's start-up hook.");
        }
    }

    /// <summary>Files of the package whose name a command mentions.</summary>
    private static IEnumerable<string> Follow(string text, PackageReading reading)
    {
        var found = reading.Texts.Keys.Where(file => text.Contains(Path.GetFileName(file), StringComparison.OrdinalIgnoreCase)).ToList();
        foreach (var file in found)
        {
            var language = PackageReading.LanguageOf(file, Encoding.UTF8.GetBytes(reading.Texts[file][..Math.Min(100, reading.Texts[file].Length)]));
            if (language == Language.None)
                continue;
            reading.Abilities.RunsByItself.Add(file);
            ScriptJudge.Judge(reading.Texts[file], language, file, reading.Observations);
        }
        return found;
    }

    private static Dictionary<string, string> PropertiesOf(XDocument document)
    {
        var properties = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var property in document.Descendants().Where(element => element.Parent?.Name.LocalName == "PropertyGroup" && !element.HasElements))
            properties[property.Name.LocalName] = Expand(property.Value, properties);
        return properties;
    }

    /// <summary>Properties of the same file, put in place; the rest keeps its `$(…)`.</summary>
    private static string Expand(string text, Dictionary<string, string> properties)
    {
        if (!text.Contains("$(", StringComparison.Ordinal))
            return text;
        foreach (var (name, value) in properties)
        {
            // A property that doubles itself over and over is a bomb of its own.
            if (text.Length > 64 << 10)
                break;
            text = text.Replace("$(" + name + ")", value, StringComparison.OrdinalIgnoreCase);
        }
        return text;
    }

    private static string Attribute(XElement element, string name) =>
        element.Attributes().FirstOrDefault(attribute => attribute.Name.LocalName.Equals(name, StringComparison.OrdinalIgnoreCase))?.Value ?? "";
}
