using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Astra.Llm.Wire;

/// <summary>
/// The client's bytes with only what must change changed. What providers keep in their prompt caches goes by the bytes, so
/// everything else stays where and as it was.
/// </summary>
internal static class RequestPatch
{
    /// <param name="outputTokensMax">A bound to set where the client has set none; null leaves it open.</param>
    /// <param name="boundName">What the bound is called by this provider.</param>
    public static void Write(ReadOnlySpan<byte> body, RequestScan scan, string model, bool includeUsage, long? outputTokensMax, string boundName, PooledBuffer output)
    {
        Span<Edit> edits = stackalloc Edit[3];
        var count = 0;
        if (scan.Model != model)
            edits[count++] = new Edit(scan.ModelPlace, EditKind.Model);
        if (includeUsage && scan.IncludeUsage.IsThere)
            edits[count++] = new Edit(scan.IncludeUsage, EditKind.True);
        else if (includeUsage && scan.StreamOptions.IsThere)
            edits[count++] = body[scan.StreamOptions.Start] == '{'
                ? new Edit(new Place(scan.StreamOptions.Start + 1, 0), IsEmptyObject(body, scan.StreamOptions) ? EditKind.UsageAlone : EditKind.UsageFirst)
                : new Edit(scan.StreamOptions, EditKind.UsageObject);
        edits[..count].Sort(static (left, right) => left.Place.Start.CompareTo(right.Place.Start));

        var from = 0;
        foreach (var edit in edits[..count])
        {
            output.Write(body[from..edit.Place.Start]);
            WriteEdit(edit.Kind, model, output);
            from = edit.Place.End;
        }
        output.Write(body[from..scan.End]);
        if (includeUsage && !scan.StreamOptions.IsThere)
            output.Write(",\"stream_options\":{\"include_usage\":true}"u8);
        if (outputTokensMax is { } bound && scan.OutputTokensMax is null)
            output.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $",\"{boundName}\":{bound}")));
        output.Write(body[scan.End..]);
    }

    private static void WriteEdit(EditKind kind, string model, PooledBuffer output)
    {
        switch (kind)
        {
            case EditKind.Model:
                output.Write("\""u8);
                output.Write(JsonEncodedText.Encode(model).EncodedUtf8Bytes);
                output.Write("\""u8);
                break;
            case EditKind.True:
                output.Write("true"u8);
                break;
            case EditKind.UsageFirst:
                output.Write("\"include_usage\":true,"u8);
                break;
            case EditKind.UsageAlone:
                output.Write("\"include_usage\":true"u8);
                break;
            default:
                output.Write("{\"include_usage\":true}"u8);
                break;
        }
    }

    private static bool IsEmptyObject(ReadOnlySpan<byte> body, Place place) =>
        body.Slice(place.Start + 1, place.Length - 2).Trim(" \t\r\n"u8).IsEmpty;

    private enum EditKind : byte { Model, True, UsageFirst, UsageAlone, UsageObject }

    private readonly record struct Edit(Place Place, EditKind Kind);
}
