using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Astra.Auditor.Cage.Discover;

/// <param name="Path">Keys from the root, list items as `-`, joined by slashes.</param>
internal sealed record YamlScalar(string Path, string Key, string Value, int Line, int Item);

/// <summary>The scalars of a YAML file in order, read as a stream of events: no objects are made from it, and aliases are not
/// followed, so a document cannot grow beyond its size.</summary>
internal static class YamlScalars
{
    private const int SizeMax = 4 << 20;

    /// <exception cref="YamlException">Not YAML, with the line.</exception>
    public static List<YamlScalar> Read(string path)
    {
        if (new FileInfo(path).Length > SizeMax)
            throw new YamlException("Too large for a file of this kind.");
        var scalars = new List<YamlScalar>();
        using var text = new StreamReader(path);
        var parser = new Parser(text);
        var open = new Stack<Level>();
        var items = 0;
        while (parser.MoveNext())
        {
            switch (parser.Current)
            {
                case MappingStart:
                    if (open.TryPeek(out var sequence) && !sequence.IsMapping)
                        items++;
                    open.Push(new Level(true, Next(open)));
                    break;
                case SequenceStart:
                    open.Push(new Level(false, Next(open)));
                    break;
                case MappingEnd or SequenceEnd:
                    open.Pop();
                    Done(open);
                    break;
                case AnchorAlias:
                    Done(open);
                    break;
                case Scalar scalar:
                    Take(scalar);
                    break;
            }
        }
        return scalars;

        void Take(Scalar scalar)
        {
            if (open.TryPeek(out var level) && level is { IsMapping: true, Key: null })
            {
                level.Key = scalar.Value;
                return;
            }
            scalars.Add(new YamlScalar(Next(open), level?.Key ?? "", scalar.Value, (int)scalar.Start.Line, items));
            Done(open);
        }
    }

    private static string Next(Stack<Level> open) =>
        open.TryPeek(out var level) ? level.Path + "/" + (level.IsMapping ? level.Key : "-") : "";

    private static void Done(Stack<Level> open)
    {
        if (open.TryPeek(out var level))
            level.Key = null;
    }

    private sealed class Level(bool isMapping, string path)
    {
        public bool IsMapping { get; } = isMapping;
        public string Path { get; } = path;
        public string? Key { get; set; }
    }
}
