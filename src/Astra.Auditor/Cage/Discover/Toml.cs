using System.Text;

namespace Astra.Auditor.Cage.Discover;

/// <summary>
/// As much TOML as lock files need: tables, arrays of tables, and values that are strings, arrays or inline tables;
/// numbers, dates and booleans are kept as their text. A table is a dictionary, an array a list.
/// </summary>
internal sealed class Toml
{
    private const int DepthMax = 32;

    private readonly string _text;
    private int _at;
    private int _line = 1;

    private Toml(string text) => _text = text;

    /// <exception cref="TomlException">With the line.</exception>
    public static Dictionary<string, object> Parse(string text)
    {
        var reader = new Toml(text.TrimStart('\uFEFF'));
        var root = new Dictionary<string, object>(StringComparer.Ordinal);
        var table = root;
        while (reader.SkipBlank())
        {
            if (reader.Peek() == '[')
                table = reader.Header(root);
            else
                reader.Assign(table, depth: 0);
        }
        return root;
    }

    private Dictionary<string, object> Header(Dictionary<string, object> root)
    {
        Take('[');
        var isArray = TryTake('[');
        var keys = Keys();
        Take(']');
        if (isArray)
            Take(']');
        var table = root;
        foreach (var key in keys[..^1])
            table = Child(table, key);
        if (!isArray)
            return Child(table, keys[^1]);
        if (!table.TryGetValue(keys[^1], out var list))
            table[keys[^1]] = list = new List<object>();
        if (list is not List<object> items)
            throw Error($"'{keys[^1]}' is not an array of tables.");
        var item = new Dictionary<string, object>(StringComparer.Ordinal);
        items.Add(item);
        return item;
    }

    private void Assign(Dictionary<string, object> table, int depth)
    {
        var keys = Keys();
        SkipSpaces();
        Take('=');
        foreach (var key in keys[..^1])
            table = Child(table, key);
        table[keys[^1]] = Value(depth);
    }

    private Dictionary<string, object> Child(Dictionary<string, object> table, string key)
    {
        if (!table.TryGetValue(key, out var value))
            table[key] = value = new Dictionary<string, object>(StringComparer.Ordinal);
        return value switch
        {
            Dictionary<string, object> child => child,
            List<object> { Count: > 0 } items when items[^1] is Dictionary<string, object> last => last,
            _ => throw Error($"'{key}' is not a table."),
        };
    }

    private List<string> Keys()
    {
        var keys = new List<string>();
        do
        {
            SkipSpaces();
            keys.Add(Peek() is '"' or '\'' ? String() : Bare());
            SkipSpaces();
        }
        while (TryTake('.'));
        return keys;
    }

    private object Value(int depth)
    {
        if (depth > DepthMax)
            throw Error("Nested too deeply.");
        SkipSpaces();
        return Peek() switch
        {
            '"' or '\'' => String(),
            '[' => Array(depth),
            '{' => Inline(depth),
            _ => Bare(),
        };
    }

    private List<object> Array(int depth)
    {
        var items = new List<object>();
        Take('[');
        while (true)
        {
            if (!SkipBlank())
                throw Error("An array does not end.");
            if (TryTake(']'))
                return items;
            items.Add(Value(depth + 1));
            SkipBlank();
            if (!TryTake(',') && Peek() != ']')
                throw Error("Expected a comma or the end of the array.");
        }
    }

    private Dictionary<string, object> Inline(int depth)
    {
        var table = new Dictionary<string, object>(StringComparer.Ordinal);
        Take('{');
        while (true)
        {
            if (!SkipBlank())
                throw Error("An inline table does not end.");
            if (TryTake('}'))
                return table;
            Assign(table, depth + 1);
            SkipBlank();
            if (!TryTake(',') && Peek() != '}')
                throw Error("Expected a comma or the end of the table.");
        }
    }

    private string String()
    {
        var quote = Peek();
        var triple = new string(quote, 3);
        var isLong = string.CompareOrdinal(_text, _at, triple, 0, 3) == 0;
        _at += isLong ? 3 : 1;
        var result = new StringBuilder();
        while (_at < _text.Length)
        {
            if (isLong ? string.CompareOrdinal(_text, _at, triple, 0, 3) == 0 : _text[_at] == quote)
            {
                _at += isLong ? 3 : 1;
                return result.ToString();
            }
            if (_text[_at] == '\n')
            {
                if (!isLong)
                    break;
                _line++;
            }
            if (_text[_at] == '\\' && quote == '"' && _at + 1 < _text.Length)
                _at++;
            result.Append(_text[_at++]);
        }
        throw Error("A string does not end.");
    }

    private string Bare()
    {
        var start = _at;
        while (_at < _text.Length && (char.IsAsciiLetterOrDigit(_text[_at]) || _text[_at] is '_' or '-' or '+' or ':' || (_text[_at] == '.' && char.IsAsciiDigit(_text[start]))))
            _at++;
        return _at > start ? _text[start.._at] : throw Error("Expected a key or a value.");
    }

    /// <returns>False at the end of the text.</returns>
    private bool SkipBlank()
    {
        while (_at < _text.Length)
        {
            if (_text[_at] == '#')
            {
                while (_at < _text.Length && _text[_at] != '\n')
                    _at++;
                continue;
            }
            if (!char.IsWhiteSpace(_text[_at]))
                return true;
            _line += _text[_at++] == '\n' ? 1 : 0;
        }
        return false;
    }

    private void SkipSpaces()
    {
        while (_at < _text.Length && (_text[_at] is ' ' or '\t'))
            _at++;
    }

    private char Peek() => _at < _text.Length ? _text[_at] : '\0';

    private bool TryTake(char wanted)
    {
        if (Peek() != wanted)
            return false;
        _at++;
        return true;
    }

    private void Take(char wanted)
    {
        if (!TryTake(wanted))
            throw Error($"Expected '{wanted}'.");
    }

    private TomlException Error(string message) => new(message, _line);
}

internal sealed class TomlException(string message, int line) : Exception(message)
{
    public int Line { get; } = line;
}
