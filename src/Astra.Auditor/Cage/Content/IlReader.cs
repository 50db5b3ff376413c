using System.Buffers.Binary;

namespace Astra.Auditor.Cage.Content;

/// <summary>Walks method bodies for the tokens they name; knows instruction lengths and nothing else about them.</summary>
internal static class IlReader
{
    public const byte LoadString = 0x72;

    /// <summary>Each token operand with its instruction: calls, loads of functions and fields, strings.</summary>
    public static List<(byte Instruction, int Token)> Tokens(ReadOnlySpan<byte> body)
    {
        var tokens = new List<(byte, int)>();
        for (var at = 0; at < body.Length;)
        {
            var instruction = body[at++];
            if (instruction == 0xFE && at < body.Length)
            {
                var second = body[at++];
                var size = SizeAfterPrefix(second);
                if (size == 4 && at + 4 <= body.Length)
                    tokens.Add((instruction, BinaryPrimitives.ReadInt32LittleEndian(body[at..])));
                at += size;
                continue;
            }
            if (instruction == 0x45)
            {
                if (at + 4 > body.Length)
                    break;
                var count = BinaryPrimitives.ReadUInt32LittleEndian(body[at..]);
                // A count that leaves the body is a trap for walkers.
                if (count > body.Length / 4)
                    break;
                at += 4 + (4 * (int)count);
                continue;
            }
            var operandSize = Size(instruction);
            if (IsToken(instruction) && at + 4 <= body.Length)
                tokens.Add((instruction, BinaryPrimitives.ReadInt32LittleEndian(body[at..])));
            at += operandSize;
        }
        return tokens;
    }

    private static bool IsToken(byte instruction) => Size(instruction) == 4
        && instruction is not (0x20 or 0x22 or 0xDD) and not (>= 0x38 and <= 0x44);

    private static int Size(byte instruction) => instruction switch
    {
        >= 0x0E and <= 0x13 => 1,
        0x1F => 1,
        0x20 or 0x22 => 4,
        0x21 or 0x23 => 8,
        >= 0x27 and <= 0x29 => 4,
        >= 0x2B and <= 0x37 => 1,
        >= 0x38 and <= 0x44 => 4,
        >= 0x6F and <= 0x75 => 4,
        0x79 => 4,
        >= 0x7B and <= 0x81 => 4,
        0x8C or 0x8D or 0x8F => 4,
        0xA3 or 0xA4 or 0xA5 => 4,
        0xC2 or 0xC6 or 0xD0 or 0xDD => 4,
        0xDE => 1,
        _ => 0,
    };

    private static int SizeAfterPrefix(byte second) => second switch
    {
        0x06 or 0x07 or 0x15 or 0x16 or 0x1C => 4,
        >= 0x09 and <= 0x0E => 2,
        0x12 or 0x19 => 1,
        _ => 0,
    };
}
