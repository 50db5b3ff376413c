namespace Astra.Tools.Catalog;

/// <summary>One run of a tool that has ended, as it is told to whoever watches. Holds nothing of its input or output.</summary>
/// <param name="Tool">The tool's label.</param>
/// <param name="Outcome">"done", or the kind of what went wrong.</param>
public sealed record ToolRun(ToolSubject Subject, string Tool, DateTimeOffset StartedAt, TimeSpan Duration, string Outcome)
{
    public const string Done = "done";
}
