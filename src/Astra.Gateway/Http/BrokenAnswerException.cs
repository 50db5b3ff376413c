namespace Astra.Gateway;

/// <summary>
/// Half an answer is out, its client has been told why there is no more, and the connection is to say so too: it closes without
/// the chunk that ends an answer. Some clients read nothing else, and would take the half for the whole.
/// </summary>
/// <remarks>Kestrel closes so when an application fails. Aborting instead resets the connection, and a reset overtakes what was
/// sent before it.</remarks>
internal sealed class BrokenAnswerException() : IOException("The answer broke off.");
