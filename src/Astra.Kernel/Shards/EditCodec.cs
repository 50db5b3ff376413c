using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Shards;

/// <summary>The binary form of graph edits, as a worker's report carries them from node to node. On no disk.</summary>
internal static class EditCodec
{
    private enum EditKind : byte
    {
        Add = 1,
        Remove = 2,
        Rewire = 3,
        Prioritise = 4,
        Cancel = 5,
        Replace = 6,
        Extend = 7,
        ExtendKind = 8,
        Suspend = 9,
        CancelSubtree = 10,
        CancelGroup = 11,
    }

    public static void Edits(this FieldWriter writer, IReadOnlyList<GraphEdit> edits)
    {
        writer.Length(edits.Count);
        foreach (var edit in edits)
            writer.Edit(edit);
    }

    public static void Named(this FieldWriter writer, IReadOnlyList<NamedDependency> after)
    {
        writer.Length(after.Count);
        foreach (var dependency in after)
        {
            writer.Text(dependency.Name);
            writer.Byte((byte)dependency.Kind);
            writer.OptionalText(dependency.Outcome);
        }
    }

    private static void Edit(this FieldWriter writer, GraphEdit edit)
    {
        switch (edit)
        {
            case GraphEdit.Add add:
                writer.Byte((byte)EditKind.Add);
                writer.WholeSpec(add.Spec);
                writer.Named(add.After);
                break;
            case GraphEdit.Replace replace:
                writer.Byte((byte)EditKind.Replace);
                writer.WholeSpec(replace.Spec);
                break;
            case GraphEdit.Remove remove:
                writer.Of(EditKind.Remove, remove.Name);
                break;
            case GraphEdit.Prioritise prioritise:
                writer.Of(EditKind.Prioritise, prioritise.Name);
                writer.Int32(prioritise.Priority);
                break;
            case GraphEdit.Rewire rewire:
                writer.Of(EditKind.Rewire, rewire.Name);
                writer.Named(rewire.After);
                break;
            case GraphEdit.Extend extend:
                writer.Of(EditKind.Extend, extend.Name);
                writer.Named(extend.After);
                break;
            case GraphEdit.ExtendKind extend:
                writer.Of(EditKind.ExtendKind, extend.Kind);
                writer.Named(extend.After);
                break;
            case GraphEdit.Suspend suspend:
                writer.Of(EditKind.Suspend, suspend.Name);
                writer.Named(suspend.After);
                break;
            case GraphEdit.Cancel cancel:
                writer.Cancel(EditKind.Cancel, cancel.Name, cancel.Reason);
                break;
            case GraphEdit.CancelSubtree cancel:
                writer.Cancel(EditKind.CancelSubtree, cancel.Name, cancel.Reason);
                break;
            case GraphEdit.CancelGroup cancel:
                writer.Cancel(EditKind.CancelGroup, cancel.Group, cancel.Reason);
                break;
            default:
                throw new InvalidOperationException($"No binary form for {edit.GetType().Name}.");
        }
    }

    private static void Cancel(this FieldWriter writer, EditKind kind, string what, string reason)
    {
        writer.Of(kind, what);
        writer.Text(reason);
    }

    /// <param name="what">The name of a task, of a kind or of a group.</param>
    private static void Of(this FieldWriter writer, EditKind kind, string what)
    {
        writer.Byte((byte)kind);
        writer.Text(what);
    }

    private static void WholeSpec(this FieldWriter writer, TaskSpec spec)
    {
        writer.Spec(spec);
        writer.Bytes(ExtrasCodec.Encode(spec.Extras));
    }

    public static GraphEdit[] Edits(this ref FieldReader reader)
    {
        var edits = new GraphEdit[reader.Count(bytesEachMin: 2)];
        for (var i = 0; i < edits.Length; i++)
        {
            var kind = (EditKind)reader.Byte();
            edits[i] = kind switch
            {
                EditKind.Add => new GraphEdit.Add(reader.WholeSpec(), reader.Named()),
                EditKind.Replace => new GraphEdit.Replace(reader.WholeSpec()),
                EditKind.Extend => new GraphEdit.Extend(reader.Text(), reader.Named()),
                EditKind.ExtendKind => new GraphEdit.ExtendKind(reader.Text(), reader.Named()),
                EditKind.Suspend => new GraphEdit.Suspend(reader.Text(), reader.Named()),
                EditKind.CancelSubtree => new GraphEdit.CancelSubtree(reader.Text(), reader.Text()),
                EditKind.CancelGroup => new GraphEdit.CancelGroup(reader.Text(), reader.Text()),
                EditKind.Remove => new GraphEdit.Remove(reader.Text()),
                EditKind.Rewire => new GraphEdit.Rewire(reader.Text(), reader.Named()),
                EditKind.Prioritise => new GraphEdit.Prioritise(reader.Text(), reader.Int32()),
                EditKind.Cancel => new GraphEdit.Cancel(reader.Text(), reader.Text()),
                _ => throw new InvalidDataException($"An edit is of the unknown kind {(byte)kind}."),
            };
        }
        return edits;
    }

    public static NamedDependency[] Named(this ref FieldReader reader)
    {
        var after = new NamedDependency[reader.Count(bytesEachMin: 3)];
        for (var i = 0; i < after.Length; i++)
            after[i] = new NamedDependency(reader.Text(), (DependencyKind)reader.Byte(), reader.OptionalText());
        return after;
    }

    private static TaskSpec WholeSpec(this ref FieldReader reader)
    {
        var spec = reader.Spec();
        return spec with { Extras = ExtrasCodec.DecodeTask(reader.Span()) };
    }
}
