using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Astra.Gateway;

/// <summary>What /openapi.json says about the API as a whole.</summary>
internal static class ApiDescription
{
    private const string Scheme = "apiKey";

    public static void Configure(OpenApiOptions options) => options.AddDocumentTransformer((document, _, _) =>
    {
        document.Info = new OpenApiInfo
        {
            Title = "Astra",
            Version = "v1",
            Description = "Goals, plans, tasks and workers of an Astra server. Errors are RFC 9457 problems with one sentence in `detail`.",
        };
        // Whichever way the server was reached is the way to it.
        document.Servers = [new OpenApiServer { Url = "/" }];
        document.Components ??= new OpenApiComponents();
        document.Components.SecuritySchemes ??= new Dictionary<string, IOpenApiSecurityScheme>(StringComparer.Ordinal);
        document.Components.SecuritySchemes[Scheme] = new OpenApiSecurityScheme
        {
            Type = SecuritySchemeType.Http,
            Scheme = "bearer",
            Description = "An API key, `astra_…`.",
        };
        document.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Scheme, document)] = [] }];
        return Task.CompletedTask;
    });
}
