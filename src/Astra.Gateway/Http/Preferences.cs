using Microsoft.AspNetCore.Http;

namespace Astra.Gateway;

/// <summary>What a client would rather have (RFC 7240). Whoever says nothing gets everything.</summary>
internal static class Preferences
{
    private const string ReturnMinimal = "return=minimal";

    /// <summary>The first value for a preference counts, and what is unknown is passed over.</summary>
    public static bool WantsMinimal(HttpRequest request)
    {
        foreach (var header in request.Headers["Prefer"])
        {
            foreach (var preference in header?.Split(',', StringSplitOptions.TrimEntries) ?? [])
            {
                // Parameters behind a semicolon belong to the preference; this one has none. Its value may stand in quotes.
                var (name, value) = preference.Split(';')[0].Split('=', 2, StringSplitOptions.TrimEntries) is [var key, var given] ? (key, given.Trim('"')) : ("", "");
                if (name.Equals("return", StringComparison.OrdinalIgnoreCase))
                    return value.Equals("minimal", StringComparison.OrdinalIgnoreCase);
            }
        }
        return false;
    }

    /// <summary>No content, and that this is because it was preferred.</summary>
    public static IResult Minimal(HttpContext http)
    {
        http.Response.Headers["Preference-Applied"] = ReturnMinimal;
        return Results.NoContent();
    }
}
