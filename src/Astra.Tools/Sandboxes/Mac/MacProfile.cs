using System.Text;

namespace Astra.Tools.Sandboxes.Mac;

/// <summary>The rules of one run in the profile language of <c>sandbox-exec</c>: everything is denied that is
/// not allowed here.</summary>
internal static class MacProfile
{
    private static readonly string[] SystemLibraries =
    [
        "/usr/lib", "/usr/bin", "/usr/share", "/bin", "/sbin", "/System/Library", "/Library/Apple",
        "/private/var/db/dyld",
    ];

    public static string For(SandboxSpec spec, string scratch)
    {
        var profile = new StringBuilder();
        profile.AppendLine("(version 1)");
        profile.AppendLine("(deny default)");
        profile.AppendLine("(allow process-fork)");
        profile.AppendLine("(allow sysctl-read)");
        profile.AppendLine("(allow signal (target same-sandbox))");
        profile.AppendLine("(allow file-read-metadata)");
        foreach (var device in (string[])["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"])
            profile.AppendLine($"(allow file-read* (literal {Quoted(device)}))");
        profile.AppendLine("(allow file-write-data (literal \"/dev/null\"))");
        IEnumerable<string> readable = spec.Mounts.Select(m => m.HostPath);
        if (spec.HostLibraries) readable = readable.Concat(SystemLibraries);
        foreach (var path in readable)
            profile.AppendLine($"(allow file-read* process-exec (subpath {Quoted(path)}))");
        profile.AppendLine($"(allow file-read* file-write* (subpath {Quoted(scratch)}))");
        return profile.ToString();
    }

    // The path is data from a request; a quote in it must not end the string and start a rule.
    private static string Quoted(string path)
    {
        var escaped = path
            .Replace("\\", "\\\\", StringComparison.Ordinal)
            .Replace("\"", "\\\"", StringComparison.Ordinal);
        return $"\"{escaped}\"";
    }
}
