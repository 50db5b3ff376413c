using System.Text.Json;
using Astra.Kernel;
using Astra.Kernel.Workers;

namespace Astra.Tools.Catalog;

/// <summary>For whom a tool is called: one task of one goal.</summary>
/// <param name="Attempt">Which attempt at which task, where that is known.</param>
public sealed record ToolSubject(TenantId Tenant, string? Agent, GoalId Goal, ReadOnlyMemory<byte> GoalInput, AttemptId? Attempt = null)
{
    /// <summary>The tools that the agent's profile names at this moment; null for an agent without one. It narrows what may be
    /// granted and grants nothing by itself.</summary>
    public IReadOnlyCollection<string>? ProfileTools { get; init; }

    /// <summary>The one call that people have agreed to for this task; null when nobody was asked.</summary>
    public ApprovedCall? Approved { get; init; }
}

/// <param name="Tool">`name` or `name@version`, as the step says.</param>
/// <param name="Input">What the call is given, as JSON.</param>
public sealed record ApprovedCall(string Tool, JsonElement Input);

/// <summary>What a subject may do with tools. Deny by default: what is not in here is refused.</summary>
public sealed record ToolGrants
{
    public static ToolGrants None { get; } = new();

    /// <summary>`name` grants every version, `name@version` that one, `*` every tool.</summary>
    public IReadOnlyCollection<string> Tools { get; init; } = [];

    /// <summary>Directories and files of the host under which a call may ask to read.</summary>
    public IReadOnlyCollection<string> ReadableRoots { get; init; } = [];

    public bool Allows(CatalogTool tool) =>
        Tools.Contains("*") || Tools.Contains(tool.Definition.Name) || Tools.Contains(tool.Label);
}

/// <summary>Answers what a subject may do, at the moment of the call: a grant that was taken back is gone at once.</summary>
public delegate ToolGrants ToolAuthority(ToolSubject subject);
