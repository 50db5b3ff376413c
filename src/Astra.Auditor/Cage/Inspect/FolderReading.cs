using Astra.Auditor.Cage.Content;

namespace Astra.Auditor.Cage.Inspect;

/// <summary>Files of a directory in a fixed order. Links are not followed: what they lead to is another package's, or nobody's.</summary>
internal static class FolderReading
{
    private const int FileCountMax = 100_000;

    /// <param name="skip">Directories to leave out, by name: packages inside packages are inspected on their own.</param>
    public static IEnumerable<(string Path, FileInfo File)> Files(string folder, Observations observations, Func<string, bool>? skip = null)
    {
        var count = 0;
        var open = new Stack<(DirectoryInfo Directory, string Prefix)>();
        open.Push((new DirectoryInfo(folder), ""));
        while (open.TryPop(out var next))
        {
            var children = next.Directory.GetFileSystemInfos();
            Array.Sort(children, (left, right) => string.CompareOrdinal(left.Name, right.Name));
            foreach (var child in children)
            {
                var path = next.Prefix + child.Name;
                if (child.LinkTarget is { } target)
                {
                    if (NameChecks.LinkEscapes(path, target))
                        observations.Add("name-odd", path, $"A link that leads out of the package, to '{target}'.");
                    continue;
                }
                if (child is DirectoryInfo directory)
                {
                    if (skip?.Invoke(path) != true)
                        open.Push((directory, path + "/"));
                    continue;
                }
                if (++count > FileCountMax)
                {
                    observations.Add("not-looked-into", path, $"More than {FileCountMax} files; the rest was not read.");
                    yield break;
                }
                yield return (path, (FileInfo)child);
            }
        }
    }

    public static ReadOnlyMemory<byte>? Read(FileInfo file) =>
        file.Length <= PackageReading.LookSizeMax ? File.ReadAllBytes(file.FullName) : null;

    /// <summary>Looks at every file of a folder that has no archive to compare with.</summary>
    public static void LookAtAll(string folder, PackageReading reading, Func<string, bool>? skip = null, Action<string, ReadOnlyMemory<byte>>? each = null)
    {
        foreach (var (path, file) in Files(folder, reading.Observations, skip))
        {
            NameChecks.Check(path, reading.Observations);
            if (Read(file) is not { } content)
            {
                reading.Count(path, file.Length);
                continue;
            }
            reading.Look(path, content);
            each?.Invoke(path, content);
        }
    }
}
