using Astra.Hosting;
using Astra.Sdk;

namespace Astra;

/// <summary>Where a command's words go. What it was asked for goes to Out, everything else to Error.</summary>
/// <param name="IsLive">Somebody is watching, on a terminal that can redraw.</param>
public sealed record Terminal(TextWriter Out, TextWriter Error, TextReader In, bool IsLive, int Width)
{
    /// <summary>A key that has been pressed and not looked at yet, or null. Never waits.</summary>
    public Func<char?> PressedKey { get; init; } = static () => null;

    /// <summary>Reads a line that is not shown; null where nobody types.</summary>
    public Func<string?>? ReadHidden { get; init; }

    /// <summary>Lines of the window at this moment.</summary>
    public Func<int> Height { get; init; } = static () => 50;
}

/// <summary>A plan file as read: a submission, or the sentence that says what is wrong with it and where.</summary>
public sealed record PlanReading(GoalSubmission? Submission, string? Problem);

/// <summary>A file with an agent's profile as read: the profile, or the sentence that says what is wrong with it and where.</summary>
public sealed record ProfileReading(AgentProfile? Profile, string? Problem);

/// <summary>Everything a command touches outside itself, handed in so that a test can hand in something else.</summary>
public sealed record Surroundings
{
    public required Terminal Terminal { get; init; }
    public required TimeProvider Clock { get; init; }
    public required Func<string, string?> Environment { get; init; }
    public required string Home { get; init; }
    public required bool IsRoot { get; init; }

    /// <summary>Ctrl-C, or whatever else asks the command to end.</summary>
    public required CancellationToken Interrupted { get; init; }

    public required Func<ServerOptions, IServerHost> NewServer { get; init; }
    public required Func<Uri, string, IServerLink> Connect { get; init; }
    public required Func<string, PlanReading> ReadPlan { get; init; }
    public required Func<string, ProfileReading> ReadProfile { get; init; }

    /// <summary>Runs an editor (a command line as EDITOR has it) on a file, at this terminal, and answers its exit code.</summary>
    public required Func<string, string, Task<int>> RunEditor { get; init; }

    /// <summary>How Astra was started, so that what a command tells people to type next can be pasted.</summary>
    public string InvokedAs => Environment("ASTRA_INVOKED_AS") is { Length: > 0 } typed ? typed : "astra";
}
