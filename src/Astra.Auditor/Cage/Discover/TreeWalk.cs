namespace Astra.Auditor.Cage.Discover;

/// <summary>One pass over the audited tree that sorts its files by what they mean to the auditor. Links are not followed.</summary>
internal sealed class TreeWalk
{
    private const int FileCountMax = 400_000;

    // Version control's own files name no packages, and `obj` and `bin` hold what the build made of packages seen elsewhere.
    private static readonly HashSet<string> Skipped = new(StringComparer.Ordinal) { ".git", ".hg", ".svn", "__pycache__" };

    private readonly string _root;

    private TreeWalk(string root) => _root = root;

    /// <summary>Interesting files outside packages, relative to the root, in path order.</summary>
    public List<string> Files { get; } = [];

    /// <summary>Directories named `node_modules`, outermost first.</summary>
    public List<string> NodeModules { get; } = [];
    public List<string> SitePackages { get; } = [];

    /// <summary>Directories that hold a NuGet archive and what was extracted from it.</summary>
    public List<string> NuGetFolders { get; } = [];
    public bool IsCutShort { get; private set; }

    /// <param name="caches">Inside paths of caches that may lie in the tree; they are read as caches.</param>
    public static TreeWalk Of(string root, IReadOnlyCollection<string> caches)
    {
        var walk = new TreeWalk(root);
        walk.Visit(new DirectoryInfo(root), "", caches);
        walk.Files.Sort(StringComparer.Ordinal);
        return walk;
    }

    public string Full(string relative) => Path.Combine(_root, relative);

    private void Visit(DirectoryInfo start, string prefix, IReadOnlyCollection<string> caches)
    {
        var open = new Stack<(DirectoryInfo Directory, string Prefix)>();
        open.Push((start, prefix));
        var count = 0;
        while (open.TryPop(out var next))
        {
            FileSystemInfo[] children;
            try
            {
                children = next.Directory.GetFileSystemInfos();
            }
            catch (Exception failure) when (failure is UnauthorizedAccessException or IOException)
            {
                continue;
            }
            Array.Sort(children, (left, right) => string.CompareOrdinal(left.Name, right.Name));
            if (next.Prefix.Length > 0 && IsNuGetFolder(children))
            {
                NuGetFolders.Add(next.Prefix.TrimEnd('/'));
                continue;
            }
            foreach (var child in children)
            {
                if (child.LinkTarget is not null)
                    continue;
                if (++count > FileCountMax)
                {
                    IsCutShort = true;
                    return;
                }
                var relative = next.Prefix + child.Name;
                if (child is FileInfo)
                    Files.Add(relative);
                else if (child.Name == "node_modules")
                    NodeModules.Add(relative);
                else if (child.Name is "site-packages" or "dist-packages")
                    SitePackages.Add(relative);
                else if (!Skipped.Contains(child.Name) && !caches.Contains(child.FullName))
                    open.Push(((DirectoryInfo)child, relative + "/"));
            }
        }
    }

    private static bool IsNuGetFolder(FileSystemInfo[] children) =>
        children.Any(child => child.Name.EndsWith(".nupkg", StringComparison.OrdinalIgnoreCase))
        && children.Any(child => child.Name.EndsWith(".nuspec", StringComparison.OrdinalIgnoreCase) || child.Name is ".nupkg.metadata" or "lib");
}
