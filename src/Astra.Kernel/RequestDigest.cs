using System.Buffers;
using System.Text;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;

namespace Astra.Kernel;

/// <summary>Tells a repeated submission from another one under the same idempotency key. Not a seal: a guard against
/// mistakes, not against an enemy.</summary>
internal static class RequestDigest
{
    public static ulong Of(GoalRequest request)
    {
        var bytes = new ArrayBufferWriter<byte>(256 + request.Plan.Count * 128);
        Add(bytes, request.Agent ?? "");
        Add(bytes, request.Title);
        Add(bytes, request.Input.Span);
        Add(bytes, $"{request.Priority} {request.DeadTaskPolicy}");
        Add(bytes, ExtrasCodec.Encode(request.Extras));
        foreach (var edit in request.Plan)
        {
            switch (edit)
            {
                case GraphEdit.Add add:
                    Add(bytes, $"add {add.Spec.Name} {add.Spec.Executor} {add.Spec.Kind} {add.Spec.Priority} {add.Spec.AttemptCountMax} {add.Spec.LeaseDuration.Ticks}");
                    Add(bytes, add.Spec.Input.Span);
                    Add(bytes, ExtrasCodec.Encode(add.Spec.Extras));
                    foreach (var after in add.After)
                        Add(bytes, after.Outcome is null ? $"{after.Name} {after.Kind}" : $"{after.Name} {after.Kind} {after.Outcome}");
                    break;
                case GraphEdit.Rewire rewire:
                    Add(bytes, $"rewire {rewire.Name}");
                    foreach (var after in rewire.After)
                        Add(bytes, $"{after.Name} {after.Kind}");
                    break;
                default:
                    Add(bytes, edit.ToString());
                    break;
            }
        }
        return StableHash.Of(bytes.WrittenSpan);
    }

    // The length goes in front, so that no two lists of parts run together into the same bytes.
    private static void Add(ArrayBufferWriter<byte> bytes, string text)
    {
        var to = bytes.GetSpan(sizeof(int) + Encoding.UTF8.GetByteCount(text));
        var length = Encoding.UTF8.GetBytes(text, to[sizeof(int)..]);
        BitConverter.TryWriteBytes(to, length);
        bytes.Advance(sizeof(int) + length);
    }

    private static void Add(ArrayBufferWriter<byte> bytes, ReadOnlySpan<byte> part)
    {
        BitConverter.TryWriteBytes(bytes.GetSpan(sizeof(int)), part.Length);
        bytes.Advance(sizeof(int));
        bytes.Write(part);
    }
}
