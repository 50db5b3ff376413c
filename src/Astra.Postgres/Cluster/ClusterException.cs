namespace Astra.Postgres.Cluster;

/// <summary>The private cluster cannot be had. The message is one sentence for a person: what is the matter and what to do.</summary>
public sealed class ClusterException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>One sentence with what to do, from what PostgreSQL or the operating system said.</summary>
    public static ClusterException Explain(string said, string directory, Exception? inner = null) => new(Sentence(said, directory), inner);

    private static string Sentence(string said, string directory)
    {
        if (said.Contains("No space left on device", StringComparison.OrdinalIgnoreCase))
            return $"The disk that holds {directory} is full: free some space and start again.";
        if (said.Contains("Permission denied", StringComparison.OrdinalIgnoreCase) || said.Contains("is denied", StringComparison.OrdinalIgnoreCase)
            || said.Contains("wrong ownership", StringComparison.OrdinalIgnoreCase))
            return $"PostgreSQL has no right to use {directory}: give it back to the account that made it, or choose another data directory with --data.";
        if (said.Contains("postmaster.pid\" already exists", StringComparison.Ordinal))
            return $"Another process has the number that PostgreSQL noted in {Path.Combine(directory, "postmaster.pid")}: make sure that no PostgreSQL runs there, and delete that file.";
        var lines = said.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var telling = lines.FirstOrDefault(line => line.Contains("FATAL", StringComparison.Ordinal) || line.Contains("error:", StringComparison.Ordinal))
            ?? lines.LastOrDefault() ?? "it did not say why";
        return $"PostgreSQL did not start in {directory} ({telling}): its log is in {Path.Combine(directory, "log")}.";
    }
}
