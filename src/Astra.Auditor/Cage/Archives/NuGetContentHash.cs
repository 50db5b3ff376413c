using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Astra.Auditor.Cage.Archives;

/// <summary>
/// NuGet's `contentHash`: SHA-512 of the archive as it was before its signature entry was added. Signing appends one
/// stored entry, one directory record and new totals, so the unsigned bytes can be told exactly: every other entry, every
/// other directory record with its offset moved back, and an end record with the signature subtracted.
/// </summary>
internal static class NuGetContentHash
{
    public const string SignatureName = ".signature.p7s";

    /// <summary>The same for an unsigned archive: then it is the hash of the file.</summary>
    public static byte[] Compute(Stream file, ZipDirectory directory, HashAlgorithmName algorithm)
    {
        using var hash = IncrementalHash.CreateHash(algorithm);
        var signature = directory.Entries.FirstOrDefault(entry => entry.Name == SignatureName);
        if (signature is null)
        {
            Append(hash, file, 0, file.Length);
            return hash.GetHashAndReset();
        }

        var byOffset = directory.Entries.OrderBy(entry => entry.LocalOffset).ToList();
        Append(hash, file, 0, byOffset[0].LocalOffset);
        long signatureSize = 0;
        for (var index = 0; index < byOffset.Count; index++)
        {
            // An entry reaches to where the next begins: data descriptors have no size of their own to add up.
            var end = index + 1 < byOffset.Count ? byOffset[index + 1].LocalOffset : directory.Start;
            var size = end - byOffset[index].LocalOffset;
            if (ReferenceEquals(byOffset[index], signature))
                signatureSize = size;
            else
                Append(hash, file, byOffset[index].LocalOffset, size);
        }

        Span<byte> number = stackalloc byte[4];
        foreach (var entry in directory.Entries.Where(entry => !ReferenceEquals(entry, signature)).OrderBy(entry => entry.DirectoryOffset))
        {
            Append(hash, file, entry.DirectoryOffset, 42);
            var moved = entry.LocalOffset > signature.LocalOffset ? entry.LocalOffset - signatureSize : entry.LocalOffset;
            BinaryPrimitives.WriteUInt32LittleEndian(number, (uint)moved);
            hash.AppendData(number);
            Append(hash, file, entry.DirectoryOffset + 46, entry.DirectorySize - 46);
        }
        AppendEnd(hash, file, directory, signature, signatureSize);
        return hash.GetHashAndReset();
    }

    private static void AppendEnd(IncrementalHash hash, Stream file, ZipDirectory directory, ZipEntry signature, long signatureSize)
    {
        Span<byte> end = stackalloc byte[20];
        ZipDirectory.ReadAt(file, directory.EndOffset, end);
        Subtract16(end[8..], 1);
        Subtract16(end[10..], 1);
        Subtract32(end[12..], (uint)signature.DirectorySize);
        Subtract32(end[16..], (uint)signatureSize);
        hash.AppendData(end);
        Append(hash, file, directory.EndOffset + 20, file.Length - directory.EndOffset - 20);
    }

    private static void Subtract16(Span<byte> at, ushort value) =>
        BinaryPrimitives.WriteUInt16LittleEndian(at, (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(at) - value));

    private static void Subtract32(Span<byte> at, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(at, BinaryPrimitives.ReadUInt32LittleEndian(at) - value);

    private static void Append(IncrementalHash hash, Stream file, long offset, long length)
    {
        var buffer = new byte[(int)Math.Clamp(length, 0, 128 << 10)];
        file.Position = offset;
        while (length > 0)
        {
            var count = file.Read(buffer.AsSpan(0, (int)Math.Min(buffer.Length, length)));
            if (count == 0)
                throw new InvalidDataException("The archive is shorter than its directory says.");
            hash.AppendData(buffer, 0, count);
            length -= count;
        }
    }
}
