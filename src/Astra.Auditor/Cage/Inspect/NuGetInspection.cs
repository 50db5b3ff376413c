using System.Security.Cryptography;
using Astra.Auditor.Cage.Archives;
using Astra.Auditor.Cage.Content;

namespace Astra.Auditor.Cage.Inspect;

/// <summary>NuGet: the archive against its recorded hash, the extracted files against the archive, and what MSBuild or
/// Visual Studio would run.</summary>
internal static class NuGetInspection
{
    public static void Inspect(InspectRequest request, PackageReading reading)
    {
        foreach (var part in request.Parts)
        {
            if (part.Kind == PartKind.NuGetArchive)
                InspectArchive(part.Path, folder: null, request, reading);
            else if (part.Kind == PartKind.NuGetFolder)
                InspectFolder(part.Path, request, reading);
        }
        MsBuildJudge.JudgeAll(reading);
        foreach (var (path, text) in reading.Texts)
        {
            if (!path.EndsWith(".ps1", StringComparison.OrdinalIgnoreCase))
                continue;
            reading.Observations.Add("visual-studio-script", path, "PowerShell.");
            if (!path.StartsWith("tools/", StringComparison.OrdinalIgnoreCase))
                continue;
            reading.Abilities.RunsByItself.Add(path);
            ScriptJudge.Judge(text, Language.PowerShell, path, reading.Observations);
        }
    }

    private static void InspectFolder(string folder, InspectRequest request, PackageReading reading)
    {
        var archives = Directory.GetFiles(folder, "*.nupkg");
        if (archives.Length == 0)
        {
            reading.Observations.Add("hash-not-checkable", "", "The folder holds no archive.");
            FolderReading.LookAtAll(folder, reading);
            return;
        }
        InspectArchive(archives.Order(StringComparer.Ordinal).First(), folder, request, reading);
    }

    private static void InspectArchive(string path, string? folder, InspectRequest request, PackageReading reading)
    {
        var name = Path.GetFileName(path);
        using var file = File.OpenRead(path);
        ZipDirectory directory;
        try
        {
            directory = ZipDirectory.Read(file);
        }
        catch (Exception failure) when (failure is InvalidDataException or EndOfStreamException or ArgumentException or IOException)
        {
            reading.Observations.Add("archive-broken", name, failure.Message);
            CompareBroken(file, name, request, reading);
            if (folder is not null)
                FolderReading.LookAtAll(folder, reading);
            return;
        }
        CompareHashes(file, directory, path, name, request, reading);
        var copy = folder is null ? null : new InstalledCopy(folder, "installed-differs", reading, relative => IsInstallersOwn(relative, name));
        ZipReading.Read(directory, name, reading, (entry, content, size) =>
        {
            var relative = Uri.UnescapeDataString(entry.Replace('\\', '/'));
            copy?.Compare(relative, content, size);
            if (content is { } bytes && !IsPackaging(relative))
                reading.Look(relative, bytes);
            else
                reading.Count(relative, size);
        });
        copy?.LookAtTheRest();
    }

    private static void CompareHashes(FileStream file, ZipDirectory directory, string path, string name, InspectRequest request, PackageReading reading)
    {
        var content = Convert.ToBase64String(NuGetContentHash.Compute(file, directory, HashAlgorithmName.SHA512));
        reading.ContentHash = "contentHash:" + content;
        if (directory.Entries.Any(entry => entry.Name == NuGetContentHash.SignatureName))
            PackageSignature.Check(file, directory, reading.Observations);
        var expected = request.Expected.Where(hash => hash.StartsWith("contentHash:", StringComparison.Ordinal)).ToList();
        foreach (var hash in expected)
        {
            if (hash["contentHash:".Length..] != content)
                reading.Observations.Add("hash-mismatch", name, $"Its content hash is {content}; the lock file records {hash["contentHash:".Length..]}.");
        }
        CompareBeside(Path.ChangeExtension(path, ".nupkg.sha512"), name, () => WholeHash(file), reading);
        if (Recorded(Path.Combine(Path.GetDirectoryName(path)!, ".nupkg.metadata")) is { } metadata && metadata != content)
            reading.Observations.Add("hash-mismatch", name, "Its content hash is not the one that was recorded when it was extracted.");
    }

    /// <summary>A broken archive still has a hash, and a lock file that promises another one.</summary>
    private static void CompareBroken(FileStream file, string name, InspectRequest request, PackageReading reading)
    {
        var whole = WholeHash(file);
        reading.ContentHash = "contentHash:" + whole;
        if (request.Expected.Any(hash => hash.StartsWith("contentHash:", StringComparison.Ordinal) && hash["contentHash:".Length..] != whole))
            reading.Observations.Add("hash-mismatch", name, "The damaged archive is not what the lock file records.");
    }

    private static void CompareBeside(string recordPath, string name, Func<string> actual, PackageReading reading)
    {
        if (File.Exists(recordPath) && new FileInfo(recordPath).Length < 1024 && File.ReadAllText(recordPath).Trim() is { Length: > 0 } recorded && recorded != actual())
            reading.Observations.Add("hash-mismatch", name, "The archive is not the one whose hash was recorded beside it.");
    }

    private static string WholeHash(FileStream file)
    {
        file.Position = 0;
        return Convert.ToBase64String(SHA512.HashData(file));
    }

    private static string? Recorded(string metadataPath)
    {
        if (!File.Exists(metadataPath) || new FileInfo(metadataPath).Length > 64 << 10)
            return null;
        try
        {
            using var document = System.Text.Json.JsonDocument.Parse(File.ReadAllBytes(metadataPath));
            return document.RootElement.TryGetProperty("contentHash", out var hash) ? hash.GetString() : null;
        }
        catch (System.Text.Json.JsonException)
        {
            return null;
        }
    }

    /// <summary>Files that NuGet adds to the folder, or leaves out of it.</summary>
    private static bool IsInstallersOwn(string relative, string archive) =>
        relative is ".nupkg.metadata" or "[Content_Types].xml" or ".signature.p7s" || relative == archive || relative == archive + ".sha512"
        || relative.StartsWith("_rels/", StringComparison.Ordinal) || relative.StartsWith("package/", StringComparison.Ordinal);

    /// <summary>The container's own bookkeeping; its bytes are covered by the archive's hash.</summary>
    private static bool IsPackaging(string relative) => relative is ".signature.p7s" or "[Content_Types].xml";
}
