namespace Astra.Sdk;

/// <summary>
/// An agent without code: what it is told, what it may read and use, which model answers for it, and how far it may go.
/// PUT /api/v1/agents/{name}/profile.
/// </summary>
public sealed record AgentProfile
{
    /// <summary>The class of every agent that is a profile; the server runs it itself.</summary>
    public const string Class = "profile";

    public required string Name { get; init; }

    /// <summary>One line for people.</summary>
    public string Description { get; init; } = "";

    /// <summary>A model, a tier or a route.</summary>
    public string Model { get; init; } = "auto";

    /// <summary>What it is told before anything else.</summary>
    public required string Prompt { get; init; }

    public IReadOnlyList<ProfileDocument> Documents { get; init; } = [];

    /// <summary>`name` or `name@version`. What is not here is refused.</summary>
    public IReadOnlyList<string> Tools { get; init; } = [];

    public ProfilePlanner Planner { get; init; }

    /// <summary>How often a plan that is refused goes back to the model with the reason.</summary>
    public int Repairs { get; init; } = 2;

    public ProfileLimits Limits { get; init; } = new();
}

/// <summary>None: a goal is one step, in which the model calls tools until it has an answer. Model: the model makes a plan first.</summary>
public enum ProfilePlanner { None, Model }

/// <summary>Something to read, as it stands.</summary>
public sealed record ProfileDocument(string Name, string Text);

/// <summary>How far one attempt at one step may go. What a goal may cost in all is a budget.</summary>
public sealed record ProfileLimits
{
    /// <summary>Questions to the model.</summary>
    public int Steps { get; init; } = 20;

    /// <summary>Read and written, all questions together.</summary>
    public long Tokens { get; init; } = 200_000;

    /// <summary>Null leaves it to the budgets.</summary>
    public decimal? Dollars { get; init; }
}
