using System.Text.RegularExpressions;
using YamlDotNet.Core;

namespace Astra.Auditor.Cage.Discover;

/// <summary>Workflow actions pinned by commit, container images pinned by digest.</summary>
internal static partial class PinChecks
{
    private const int DockerfileSizeMax = 1 << 20;

    public static void Check(TreeWalk tree, Finds finds)
    {
        foreach (var file in tree.Files)
        {
            var name = Path.GetFileName(file);
            var isYaml = name.EndsWith(".yml", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".yaml", StringComparison.OrdinalIgnoreCase);
            if (isYaml && (file.Contains(".github/workflows/", StringComparison.Ordinal) || name is "action.yml" or "action.yaml"))
                CheckYaml(tree, file, finds, CheckWorkflowScalar);
            else if (isYaml && (IsCompose(name) || name is ".gitlab-ci.yml"))
                CheckYaml(tree, file, finds, CheckImageScalar);
            else if (name is "Dockerfile" or "Containerfile" || name.StartsWith("Dockerfile.", StringComparison.Ordinal) || name.EndsWith(".Dockerfile", StringComparison.OrdinalIgnoreCase))
                CheckDockerfile(tree, file, finds);
        }
    }

    private static bool IsCompose(string name) =>
        name.StartsWith("docker-compose", StringComparison.OrdinalIgnoreCase) || name.StartsWith("compose.", StringComparison.OrdinalIgnoreCase);

    private static void CheckYaml(TreeWalk tree, string file, Finds finds, Action<YamlScalar, string, Finds> check)
    {
        try
        {
            foreach (var scalar in YamlScalars.Read(tree.Full(file)))
                check(scalar, file, finds);
        }
        catch (YamlException failure)
        {
            finds.Project.Add("project-file-malformed", file, failure.Message, (int)failure.Start.Line);
        }
    }

    private static void CheckWorkflowScalar(YamlScalar scalar, string file, Finds finds)
    {
        if (scalar.Key == "uses")
            CheckAction(scalar, file, finds);
        else if (scalar.Path.EndsWith("/container", StringComparison.Ordinal) || scalar.Path.EndsWith("/container/image", StringComparison.Ordinal)
            || (scalar.Key == "image" && (scalar.Path.Contains("/services/", StringComparison.Ordinal) || scalar.Path.StartsWith("/runs", StringComparison.Ordinal))))
            CheckImage(scalar.Value, file, scalar.Line, finds);
    }

    private static void CheckImageScalar(YamlScalar scalar, string file, Finds finds)
    {
        if (scalar.Key == "image" || scalar.Path.EndsWith("/image/name", StringComparison.Ordinal))
            CheckImage(scalar.Value, file, scalar.Line, finds);
    }

    private static void CheckAction(YamlScalar scalar, string file, Finds finds)
    {
        var uses = scalar.Value.Trim();
        // Actions and workflows of the same repository have this repository's commit.
        if (uses.StartsWith("./", StringComparison.Ordinal) || uses.Length == 0)
            return;
        if (uses.StartsWith("docker://", StringComparison.Ordinal))
        {
            CheckImage(uses["docker://".Length..], file, scalar.Line, finds);
            return;
        }
        var at = uses.LastIndexOf('@');
        if (at < 0 || !Commit().IsMatch(uses[(at + 1)..]))
            finds.Project.Add("action-not-pinned", file, $"{uses} is not a commit.", scalar.Line, uses);
    }

    private static void CheckDockerfile(TreeWalk tree, string file, Finds finds)
    {
        if (new FileInfo(tree.Full(file)).Length > DockerfileSizeMax)
            return;
        var stages = new HashSet<string>(StringComparer.OrdinalIgnoreCase) { "scratch" };
        var arguments = new Dictionary<string, string>(StringComparer.Ordinal);
        var number = 0;
        foreach (var line in File.ReadLines(tree.Full(file)))
        {
            number++;
            if (Argument().Match(line) is { Success: true } argument)
                arguments[argument.Groups["name"].Value] = argument.Groups["value"].Value.Trim('"', '\'');
            if (From().Match(line) is not { Success: true } from)
                continue;
            var image = Variable().Replace(from.Groups["image"].Value, match => arguments.GetValueOrDefault(match.Groups["name"].Value, match.Value));
            if (!stages.Contains(image))
                CheckImage(image, file, number, finds);
            if (from.Groups["stage"].Success)
                stages.Add(from.Groups["stage"].Value);
        }
    }

    private static void CheckImage(string image, string file, int line, Finds finds)
    {
        var name = image.Trim();
        if (name.Length > 0 && !name.Contains("@sha256:", StringComparison.Ordinal) && !name.Contains("${{", StringComparison.Ordinal))
            finds.Project.Add("image-not-pinned", file, $"{name} has no digest.", line, name);
    }

    [GeneratedRegex("^[0-9a-f]{40}$|^[0-9a-f]{64}$", RegexOptions.CultureInvariant)]
    private static partial Regex Commit();

    [GeneratedRegex(@"^\s*FROM\s+(?:--\S+\s+)*(?<image>\S+)(?:\s+AS\s+(?<stage>\S+))?", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex From();

    [GeneratedRegex(@"^\s*ARG\s+(?<name>\w+)=(?<value>\S+)", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex Argument();

    [GeneratedRegex(@"\$\{?(?<name>\w+)\}?", RegexOptions.CultureInvariant)]
    private static partial Regex Variable();
}
