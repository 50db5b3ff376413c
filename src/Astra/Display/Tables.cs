using Spectre.Console;

namespace Astra.Display;

/// <summary>Tables for people: as wide as the terminal, without lines, and nothing in them is taken for markup.</summary>
public static class Tables
{
    public static void Write(Terminal terminal, IReadOnlyList<string> headings, IEnumerable<IReadOnlyList<string>> rows, string whenEmpty)
    {
        var table = new Table { Border = TableBorder.Simple, UseSafeBorder = true };
        foreach (var heading in headings)
        {
            // An id that is cut or wrapped can no longer be pasted.
            var column = new TableColumn(new Text(heading));
            table.AddColumn(heading == "ID" ? column.NoWrap() : column);
        }

        var count = 0;
        foreach (var row in rows)
        {
            table.AddRow(row.Select(cell => new Text(Printable(cell))));
            count++;
        }

        if (count == 0)
            terminal.Out.WriteLine(whenEmpty);
        else
            ConsoleFor(terminal).Write(table);
    }

    /// <summary>Name and value, one per line; empty values are left out.</summary>
    public static void WriteFacts(TextWriter output, params (string Name, string? Value)[] facts)
    {
        var known = facts.Where(fact => !string.IsNullOrEmpty(fact.Value)).ToList();
        var width = known.Select(fact => fact.Name.Length).DefaultIfEmpty().Max();
        foreach (var (name, value) in known)
            output.WriteLine($"{name.PadRight(width)}  {Printable(value!)}");
    }

    /// <summary>Names come from packages and tools that nobody trusts: a control character in one must not reach the terminal.</summary>
    public static string Printable(string text) =>
        text.Any(char.IsControl) ? string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c)) : text;

    public static IAnsiConsole ConsoleFor(Terminal terminal, bool onError = false)
    {
        var writer = onError ? terminal.Error : terminal.Out;
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = terminal.IsLive ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = terminal.IsLive ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = terminal.IsLive ? InteractionSupport.Detect : InteractionSupport.No,
            Out = new FixedWidthOutput(writer, terminal.Width),
        });
        return console;
    }

    private sealed class FixedWidthOutput(TextWriter writer, int width) : IAnsiConsoleOutput
    {
        public TextWriter Writer => writer;
        public bool IsTerminal => writer == Console.Out && !Console.IsOutputRedirected;
        public int Width => width;
        public int Height => IsTerminal ? Math.Max(10, Console.WindowHeight) : 60;

        public void SetEncoding(System.Text.Encoding encoding)
        {
            // .NET writes UTF-8 on every system Astra runs on.
        }
    }
}
