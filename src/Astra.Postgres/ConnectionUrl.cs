using Npgsql;

namespace Astra.Postgres;

/// <summary>The address of a database as people write it.</summary>
internal static class ConnectionUrl
{
    public static NpgsqlConnectionStringBuilder Parse(string text)
    {
        try
        {
            return text.StartsWith("postgres://", StringComparison.Ordinal) || text.StartsWith("postgresql://", StringComparison.Ordinal)
                ? FromUrl(new Uri(text))
                : new NpgsqlConnectionStringBuilder(text);
        }
        catch (Exception exception) when (exception is UriFormatException or ArgumentException)
        {
            // The text is not repeated: it may hold a password, and messages end up in logs.
            throw new DatabaseException("The database address is not understood: write it as postgres://user:password@host/database.", exception);
        }
    }

    private static NpgsqlConnectionStringBuilder FromUrl(Uri url)
    {
        var account = url.UserInfo.Split(':', 2);
        var connection = new NpgsqlConnectionStringBuilder { Host = url.Host, Port = url.IsDefaultPort || url.Port < 0 ? 5432 : url.Port };
        if (account[0].Length > 0)
            connection.Username = Uri.UnescapeDataString(account[0]);
        if (account.Length == 2)
            connection.Password = Uri.UnescapeDataString(account[1]);
        if (url.AbsolutePath.Length > 1)
            connection.Database = Uri.UnescapeDataString(url.AbsolutePath[1..]);
        foreach (var pair in url.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = pair.Split('=', 2);
            var value = Uri.UnescapeDataString(parts.Length == 2 ? parts[1] : "");
            switch (parts[0])
            {
                case "host":
                    connection.Host = value;
                    break;
                case "sslmode":
                    connection["SSL Mode"] = value.Replace("-", "", StringComparison.Ordinal);
                    break;
                case "sslrootcert":
                    connection.RootCertificate = value;
                    break;
                default:
                    connection[parts[0]] = value;
                    break;
            }
        }
        return connection;
    }
}
