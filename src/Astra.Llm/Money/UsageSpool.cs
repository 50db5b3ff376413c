using System.Text;
using System.Text.Json;

namespace Astra.Llm.Money;

/// <summary>
/// Usage that waits for its database: a line of JSON for each record, on the disk before the next batch is taken. It holds ids,
/// names of models and figures, and nothing that was said.
/// </summary>
public sealed class UsageSpool(string path) : IDisposable
{
    private FileStream? _file;

    public string Path => path;

    public bool HasRecords => File.Exists(path) && new FileInfo(path).Length > 0;

    public void Append(IReadOnlyList<UsageRecord> records)
    {
        var lines = new MemoryStream();
        foreach (var record in records)
        {
            JsonSerializer.Serialize(lines, record);
            lines.WriteByte((byte)'\n');
        }
        var file = _file ??= Open();
        var end = file.Length;
        try
        {
            file.Position = end;
            file.Write(lines.GetBuffer(), 0, (int)lines.Length);
            file.Flush(flushToDisk: true);
        }
        catch (IOException)
        {
            // Half a batch on a full disk would be read as records that are broken.
            file.SetLength(end);
            throw;
        }
    }

    public IEnumerable<IReadOnlyList<UsageRecord>> Read(int countMax)
    {
        Close();
        if (!HasRecords)
            yield break;
        var records = new List<UsageRecord>();
        foreach (var line in File.ReadLines(path, Encoding.UTF8))
        {
            // The last line of a process that was killed while it wrote may be half a one; its call had not been answered for.
            if (TryRead(line) is { } record)
                records.Add(record);
            if (records.Count < countMax)
                continue;
            yield return records;
            records = [];
        }
        if (records.Count > 0)
            yield return records;
    }

    public void Clear()
    {
        Close();
        if (File.Exists(path))
            File.Delete(path);
    }

    public void Dispose() => Close();

    private static UsageRecord? TryRead(string line)
    {
        try
        {
            return JsonSerializer.Deserialize<UsageRecord>(line);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private FileStream Open()
    {
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.Read };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        return new FileStream(path, options);
    }

    private void Close()
    {
        _file?.Dispose();
        _file = null;
    }
}
