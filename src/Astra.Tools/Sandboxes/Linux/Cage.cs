using Microsoft.Win32.SafeHandles;

namespace Astra.Tools.Sandboxes.Linux;

/// <summary>
/// The walls of one run: which program builds them, what it is told, and how everything inside dies. Used
/// once. All calls come from the reactor's thread, in the order of the members.
/// </summary>
internal abstract class Cage : IDisposable
{
    /// <summary>The program that builds the cage and turns into, or starts, the caged one.</summary>
    public abstract string Builder { get; }

    public abstract IReadOnlyList<string> Arguments { get; }

    /// <summary>Always the builder's, never the server's: what is in it can be read from inside.</summary>
    public virtual IEnumerable<KeyValuePair<string, string>> Environment => [];

    /// <summary>What the builder gets as descriptors 3, 4 and so on.</summary>
    public abstract IReadOnlyList<SafeFileHandle> HandedOver { get; }

    /// <summary>The builder runs, in its cgroup, and waits for its instructions. Gives them.</summary>
    public abstract void Instruct(SpawnedProcess builder);

    /// <summary>Fails for writing once the cage stands and waits for <see cref="Release"/>. Null when the
    /// program starts without waiting.</summary>
    public abstract SafeFileHandle? Stands { get; }

    /// <summary>Lets the program start. Returns the process whose death is the death of everything inside;
    /// null when that is the builder itself.</summary>
    public abstract SafeFileHandle? Release(SpawnedProcess builder);

    /// <summary>Kills everything inside, at once or as soon as there is something to kill. May be called at any
    /// time, more than once.</summary>
    public abstract void Kill(SpawnedProcess builder);

    /// <summary>The builder has ended and is not collected yet. Kills what it may have left.</summary>
    public virtual void BuilderEnded(SpawnedProcess builder)
    {
    }

    public abstract void Dispose();
}
