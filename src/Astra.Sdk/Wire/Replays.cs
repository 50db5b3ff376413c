namespace Astra.Sdk;

/// <param name="At">The name of a step, or the id of its task: from there on it is run again.</param>
public sealed record ForkRequest(string At);

/// <summary>A replay beside what it reproduces. The hashes are over what each step was given and what it came to, and over neither ids nor times.</summary>
public sealed record ReplayView(Guid GoalId, string OriginalHash, string ReplayHash, bool IsSame, IReadOnlyList<ReplayedStepView> Steps, IReadOnlyList<string> Problems);

/// <param name="Key">Of everything that the step was given.</param>
/// <param name="Original">Of what it came to then.</param>
/// <param name="Replayed">Of what it came to now; absent when it could not be reproduced.</param>
/// <param name="IsRunAgain">Its code ran, and what it asked was answered from the recordings; otherwise its recorded result was taken.</param>
public sealed record ReplayedStepView(string Name, string Key, string Original, string? Replayed, bool IsRunAgain, string? Problem);
