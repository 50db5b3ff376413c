using System.Security.Cryptography;
using Astra.Auditor.Cage.Archives;
using Astra.Auditor.Cage.Content;

namespace Astra.Auditor.Cage.Inspect;

/// <summary>
/// One package while it is read: every file passes <see cref="Look"/> once, whatever container it came in, and the
/// texts that may turn out to run by themselves are kept until the ecosystem's own rules have been applied.
/// </summary>
internal sealed class PackageReading
{
    /// <summary>A file larger than this is hashed and compared, but not analysed: it would not fit the cage's memory twice.</summary>
    public const int LookSizeMax = 64 << 20;

    private const int TextSizeMax = 1 << 20;
    private const long TextsSizeMax = 48L << 20;
    private const int DataTextSizeMax = 8 << 20;

    private readonly SortedDictionary<string, byte[]> _hashes = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _native = new(StringComparer.Ordinal);
    private long _textsSize;

    public Observations Observations { get; } = new();
    public PackageAbilities Abilities { get; } = new();

    /// <summary>Texts by path, for following what scripts refer to.</summary>
    public SortedDictionary<string, string> Texts { get; } = new(StringComparer.Ordinal);
    public int FileCount { get; private set; }
    public long ByteCount { get; private set; }

    /// <summary>A verified hash of the whole content; when none is set the files' own hashes are combined.</summary>
    public string? ContentHash { get; set; }

    /// <summary>A file whose content is not wanted or could not be held.</summary>
    public void Count(string path, long size)
    {
        FileCount++;
        ByteCount += size;
        if (size > LookSizeMax)
            Observations.Add("not-looked-into", path, $"{size} bytes.");
    }

    public void Look(string path, ReadOnlyMemory<byte> content)
    {
        FileCount++;
        ByteCount += content.Length;
        _hashes[path] = SHA256.HashData(content.Span);
        var kind = FileKinds.Of(content.Span);
        if (FileKinds.IsProgram(kind))
        {
            LookAtProgram(path, kind, content);
            return;
        }
        if (kind == FileKind.Zip)
            NestedArchives.Look(path, content, Observations);
        var language = LanguageOf(path, content.Span);
        if (kind == FileKind.Script && FileKinds.IsNamedLikeDocument(path) && !path.EndsWith(".md", StringComparison.OrdinalIgnoreCase))
            Observations.Add("script-disguised", path, "Begins with an interpreter line.");
        if (language != Language.None)
        {
            var text = CodeJudge.TextOf(content.Span);
            CodeJudge.Judge(text, language, path, Observations, Abilities.Hosts);
            Keep(path, text);
        }
        else if (MayHoldText(content.Span))
        {
            var text = CodeJudge.TextOf(content.Span);
            CodeJudge.JudgeData(text, path, Observations);
            Keep(path, text);
        }
    }

    public InspectAnswer Answer()
    {
        Abilities.Report(Observations);
        if (_native.Count > 0)
            Observations.Add("native-code", _native.Min!, _native.Count == 1 ? "One file." : $"{_native.Count} files.");
        var words = Abilities.Words.ToList();
        if (_native.Count > 0)
            words.Add("native");
        return new InspectAnswer
        {
            Findings = Observations.InOrder(),
            OmittedFindingCount = Observations.OmittedCount,
            FileCount = FileCount,
            ByteCount = ByteCount,
            Fingerprint = new Fingerprint
            {
                Content = ContentHash ?? Combined(),
                RunsByItself = [.. Abilities.RunsByItself.Take(64)],
                Abilities = [.. words.Order(StringComparer.Ordinal)],
            },
        };
    }

    public static Language LanguageOf(string path, ReadOnlySpan<byte> content) => Path.GetExtension(path).ToUpperInvariant() switch
    {
        ".JS" or ".CJS" or ".MJS" or ".JSX" or ".TS" or ".MTS" or ".CTS" => Language.JavaScript,
        ".PY" or ".PYW" or ".PTH" or ".GYP" or ".GYPI" => Language.Python,
        ".PS1" or ".PSM1" or ".PSD1" => Language.PowerShell,
        ".SH" or ".BASH" or ".ZSH" => Language.Shell,
        ".BAT" or ".CMD" or ".VBS" => Language.Shell | Language.PowerShell,
        ".CS" or ".CSX" or ".VB" or ".FS" or ".FSX" => Language.CSharp,
        _ => InterpreterLanguage(content),
    };

    private static Language InterpreterLanguage(ReadOnlySpan<byte> content)
    {
        if (FileKinds.Of(content) != FileKind.Script)
            return Language.None;
        var end = content.IndexOf((byte)'\n');
        var line = end < 0 ? content : content[..end];
        if (line.IndexOf("node"u8) >= 0 || line.IndexOf("deno"u8) >= 0 || line.IndexOf("bun"u8) >= 0)
            return Language.JavaScript;
        if (line.IndexOf("python"u8) >= 0)
            return Language.Python;
        return line.IndexOf("pwsh"u8) >= 0 ? Language.PowerShell : Language.Shell;
    }

    private void LookAtProgram(string path, FileKind kind, ReadOnlyMemory<byte> content)
    {
        if (FileKinds.IsNamedLikeDocument(path))
            Observations.Add("executable-disguised", path, $"A program ({kind}) with a document's extension.");
        else if (FileKinds.LiesAmongDocuments(path))
            Observations.Add("executable-in-docs", path, $"A program ({kind}).");
        else if (FileKinds.IsHidden(path))
            Observations.Add("executable-hidden", path, $"A program ({kind}).");
        if (kind != FileKind.Pe || !ManagedAssembly.Judge(content, path, Observations, Abilities))
            _native.Add(path);
    }

    private void Keep(string path, string text)
    {
        if (text.Length > TextSizeMax || _textsSize + text.Length > TextsSizeMax)
            return;
        _textsSize += text.Length;
        Texts[path] = text;
    }

    private static bool MayHoldText(ReadOnlySpan<byte> content) =>
        content.Length is > 0 and <= DataTextSizeMax && !content[..Math.Min(content.Length, 4096)].Contains((byte)0);

    private string Combined()
    {
        using var all = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (path, hash) in _hashes)
        {
            all.AppendData(System.Text.Encoding.UTF8.GetBytes(path + "\n"));
            all.AppendData(hash);
        }
        return "files-sha256:" + Convert.ToBase64String(all.GetHashAndReset());
    }
}
