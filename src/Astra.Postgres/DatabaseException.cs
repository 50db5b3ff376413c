namespace Astra.Postgres;

/// <summary>The database is not one Astra can run on. The message is for a person: what is the matter and what to do.</summary>
public sealed class DatabaseException(string message, Exception? inner = null) : Exception(message, inner);
