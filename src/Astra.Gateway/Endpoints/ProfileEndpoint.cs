using Astra.Agents;
using Astra.Kernel;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>Agents without code. Removing the agent removes its profile.</summary>
internal sealed class ProfileEndpoint(GatewayParts parts, IProfileStore profiles, AgentEndpoints agents)
{
    public void Map(IEndpointRouteBuilder api) => api.MapPut("/agents/{name}/profile", Set).WithTags("Agents").Produces<AgentView>()
        .WithSummary("Make an agent of a profile (prompt, documents, tools, model, limits), or give one that is there another.");

    private async Task<IResult> Set(string name, AgentProfile profile, HttpContext http)
    {
        if (profile.Name != name)
            return Invalid($"The profile is named {Words.Clean(profile.Name)}, and the address names {Words.Clean(name)}.");
        if (ProfileRules.Problem(profile, parts.Catalog) is { } problem)
            return Invalid(problem);
        var caller = http.Principal().Caller;
        var row = await parts.Agents.RegisterAsync(caller.Tenant, new AgentDefinition(name, AgentProfile.Class, profile.Description), http.RequestAborted);
        if (row is null || !await profiles.SaveAsync(caller.Tenant, StoredProfile.Of(profile, caller.Principal), http.RequestAborted))
            return Problems.Of(StatusCodes.Status409Conflict, $"There is an agent {name} of another class already; remove it first, or choose another name.");
        return Replies.Json(await agents.ViewOfAsync(row, http.RequestAborted));
    }

    private static IResult Invalid(string sentence) => Problems.Of(StatusCodes.Status422UnprocessableEntity, sentence);
}
