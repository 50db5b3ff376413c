using Astra.Agents;
using Astra.Governance;
using Astra.Kernel;
using Astra.Sdk;
using Astra.Tools.Catalog;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>Where remote workers connect.</summary>
internal sealed class WorkerEndpoint(GatewayParts parts, GatewayOptions options, CancellationToken stopping)
{
    private const string Path = "/workers/connect";

    public void Map(IEndpointRouteBuilder api)
    {
        api.MapGet(Path, (Delegate)Connect).For(Access.Content).WithTags("Workers")
            .Produces(StatusCodes.Status101SwitchingProtocols).WithSummary("The worker protocol, over a WebSocket.");
        // How HTTP/2 opens a WebSocket. OpenAPI has no such operation.
        api.MapMethods(Path, [HttpMethods.Connect], (Delegate)Connect).For(Access.Content).ExcludeFromDescription();
    }

    private async Task<IResult> Connect(HttpContext http)
    {
        if (!http.WebSockets.IsWebSocketRequest)
            return Problems.Of(StatusCodes.Status400BadRequest, "Workers connect with a WebSocket; docs/worker-protocol.md describes what they say.");
        using var webSocket = await http.WebSockets.AcceptWebSocketAsync();
        await using var connection = new WorkerConnection(new FrameSocket<WorkerFrame, ServerFrame>(webSocket), parts, http.Principal(), options.KeyCheckPeriod);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, stopping);
        await connection.RunAsync(ending.Token);
        return Results.Empty;
    }
}
