namespace Astra.Display;

/// <summary>The terminal's second screen: drawn over and over, and gone without a trace when it is disposed.</summary>
public sealed class LiveScreen : IDisposable
{
    public const string Enter = "\u001b[?1049h\u001b[?25l";
    public const string Leave = "\u001b[?25h\u001b[?1049l";

    private const string Home = "\u001b[H";
    private const string ClearRestOfLine = "\u001b[K";
    private const string ClearRestOfScreen = "\u001b[J";

    private readonly Terminal _terminal;

    public LiveScreen(Terminal terminal)
    {
        _terminal = terminal;
        _terminal.Out.Write(Enter);
        _terminal.Out.Flush();
    }

    /// <summary>What does not fit is left out: a picture that scrolls cannot be read.</summary>
    public void Draw(string text)
    {
        var lines = text.TrimEnd('\n').Split('\n').Take(Math.Max(1, _terminal.Height() - 1));
        _terminal.Out.Write(Home + string.Join(ClearRestOfLine + "\r\n", lines) + ClearRestOfLine + ClearRestOfScreen);
        _terminal.Out.Flush();
    }

    public void Dispose()
    {
        _terminal.Out.Write(Leave);
        _terminal.Out.Flush();
    }
}
