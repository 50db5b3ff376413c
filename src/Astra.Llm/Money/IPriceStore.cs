namespace Astra.Llm.Money;

/// <summary>The prices that people have set.</summary>
public interface IPriceStore
{
    /// <summary>False when the model has a price from that very moment on: what was paid by it must stay known.</summary>
    ValueTask<bool> AddAsync(ModelPrice price, string setBy, DateTimeOffset now, CancellationToken cancellationToken);

    ValueTask<IReadOnlyList<ModelPrice>> ListAsync(CancellationToken cancellationToken);

    /// <summary>Raised by every change.</summary>
    ValueTask<long> ReadVersionAsync(CancellationToken cancellationToken);
}
