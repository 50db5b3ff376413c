using Npgsql;

namespace Astra.Postgres;

/// <summary>What an exception of the database says about the statement that met it.</summary>
internal static class Failures
{
    /// <summary>
    /// The data was refused: a constraint (class 23) or a value that its type cannot hold (class 22). The transaction is
    /// rolled back for certain, and trying again would end the same way.
    /// </summary>
    public static bool IsRefusal(PostgresException exception) =>
        exception.SqlState.StartsWith("23", StringComparison.Ordinal) || exception.SqlState.StartsWith("22", StringComparison.Ordinal)
        || exception.SqlState is PostgresErrorCodes.CardinalityViolation or PostgresErrorCodes.ProgramLimitExceeded;

    /// <summary>Text that UTF-8 has no form for is refused by the driver before anything is sent.</summary>
    public static bool IsUnencodable(Exception exception) =>
        exception is ArgumentException || exception.InnerException is System.Text.EncoderFallbackException;

    /// <summary>For people: the name of the constraint says what is the matter, because constraints are named as sentences.</summary>
    public static string Describe(PostgresException exception) =>
        exception.ConstraintName is { } constraint ? $"{constraint}: {exception.MessageText}" : exception.MessageText;
}
