namespace Astra.Tools.Sandboxes;

/// <summary>
/// Where inside paths are on the host, for tiers that cannot give a program a root of its own. A program,
/// argument or variable that is, or lies below, an inside path is rewritten; paths in the middle of a text
/// are not. <c>TMPDIR</c> and <c>OUTPUT_DIR</c> name the two writable directories.
/// </summary>
internal sealed class HostPlaces(SandboxSpec spec, ScratchDirectory scratch)
{
    private readonly IReadOnlyList<ReadOnlyMount> _places =
    [
        .. spec.Mounts,
        new ReadOnlyMount(scratch.Temporary, "/tmp"),
        new ReadOnlyMount(scratch.Output, "/output"),
    ];

    public string Program => OnHost(spec.Program);

    public IEnumerable<string> Arguments => spec.Arguments.Select(OnHost);

    public IEnumerable<KeyValuePair<string, string>> Environment =>
    [
        .. spec.Environment.Select(v => KeyValuePair.Create(v.Key, OnHost(v.Value))),
        KeyValuePair.Create("TMPDIR", scratch.Temporary),
        KeyValuePair.Create("OUTPUT_DIR", scratch.Output),
    ];

    private string OnHost(string text)
    {
        foreach (var place in _places)
            if (text == place.InsidePath || text.StartsWith(place.InsidePath + "/", StringComparison.Ordinal))
                return place.HostPath + text[place.InsidePath.Length..];
        return text;
    }
}
