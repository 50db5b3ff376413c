using Astra.Sdk;

namespace Astra.Display;

/// <summary>API keys as a person reads them. Their secrets are not here: nobody has them but whoever was given them.</summary>
public static class TokenViews
{
    public static void WriteList(Terminal terminal, IReadOnlyList<ApiKeyView> keys) => Tables.Write(
        terminal,
        ["ID", "Name", "Role", "Created", "Revoked"],
        keys.Select(key => (IReadOnlyList<string>)[key.Id.ToString(), key.Name, Words.Of(key.Role), Words.At(key.CreatedAt), Words.At(key.RevokedAt)]),
        "No keys.");
}
