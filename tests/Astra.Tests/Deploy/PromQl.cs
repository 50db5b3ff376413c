using System.Text.RegularExpressions;

namespace Astra.Tests.Deploy;

/// <summary>What is known of one series: its labels and the values that were seen. Null values: any.</summary>
internal sealed record Series(IReadOnlyDictionary<string, IReadOnlySet<string>?> Labels);

/// <summary>
/// Reads the part of PromQL that the rules and panels here are written in, and refuses whatever it does not know: functions,
/// series, labels, values that no series has, an instant where a range belongs, anything that is not closed.
/// </summary>
internal sealed partial class PromQl
{
    private enum Form { Scalar, Instant, Range }

    private sealed record Part(Form Form, IReadOnlySet<string> Labels);

    private static readonly string[] OverRanges = ["rate", "increase"];
    private static readonly string[] Aggregations = ["sum", "max", "min", "topk"];
    private static readonly string[] Operators = ["==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/"];
    private static readonly IReadOnlySet<string> NoLabels = new HashSet<string>();

    private readonly Func<string, Series?> _find;
    private readonly List<string> _tokens = [];
    private int _at;

    private PromQl(string query, Func<string, Series?> find)
    {
        _find = find;
        for (var at = 0; at < query.Length;)
        {
            var token = Token().Match(query, at);
            if (!token.Success || token.Index != at)
                throw new FormatException($"'{query[at..]}' is no PromQL.");
            if (token.Groups["token"].Success)
                _tokens.Add(token.Groups["token"].Value);
            at += token.Length;
        }
    }

    /// <returns>The labels of what the query gives.</returns>
    /// <exception cref="FormatException">It is no query, or asks for something that is not there.</exception>
    public static IReadOnlySet<string> LabelsOf(string query, Func<string, Series?> find)
    {
        var reader = new PromQl(query, find);
        var result = reader.Expression();
        if (reader.Next is not null)
            throw new FormatException($"'{reader.Next}' follows the end.");
        return result.Form == Form.Range ? throw new FormatException("It gives a range.") : result.Labels;
    }

    private string? Next => _at < _tokens.Count ? _tokens[_at] : null;

    // Which operator binds first decides the value and not whether it is a query.
    private Part Expression()
    {
        var left = Operand();
        while (Next is { } sign && Operators.Contains(sign))
        {
            _at++;
            var right = Operand();
            if (left.Form == Form.Range || right.Form == Form.Range)
                throw new FormatException($"A range stands beside '{sign}'.");
            left = left.Form == Form.Scalar ? right : left;
        }
        return left;
    }

    private Part Operand()
    {
        if (Next == "(")
        {
            var inside = InBrackets(Expression);
            return inside;
        }
        var word = Take("an operand");
        if (char.IsDigit(word[0]))
            return new Part(Form.Scalar, NoLabels);
        if (!char.IsLetter(word[0]))
            throw new FormatException($"'{word}' stands where an operand belongs.");
        if (Aggregations.Contains(word))
            return Aggregate(word);
        if (Next == "(")
            return Call(word);
        return Select(word);
    }

    private Part Aggregate(string word)
    {
        var by = Next == "by" ? By() : null;
        var inside = InBrackets(() =>
        {
            if (word == "topk")
            {
                Need(Expression(), Form.Scalar, word);
                Expect(",");
            }
            return Need(Expression(), Form.Instant, word);
        });
        by ??= Next == "by" ? By() : null;
        if (by?.FirstOrDefault(label => !inside.Labels.Contains(label)) is { } missing)
            throw new FormatException($"There is no label '{missing}' to {word} by; there is {string.Join(", ", inside.Labels)}.");
        return word == "topk" ? inside : new Part(Form.Instant, by ?? NoLabels);
    }

    private IReadOnlySet<string> By()
    {
        Expect("by");
        return InBrackets(() =>
        {
            var labels = new HashSet<string> { Take("a label") };
            while (Next == ",")
            {
                _at++;
                labels.Add(Take("a label"));
            }
            return labels;
        });
    }

    private Part Call(string word) => InBrackets(() =>
    {
        if (OverRanges.Contains(word))
            return new Part(Form.Instant, Need(Expression(), Form.Range, word).Labels);
        if (word != "histogram_quantile")
            throw new FormatException($"'{word}' is not a function that is known here.");
        Need(Expression(), Form.Scalar, word);
        Expect(",");
        var buckets = Need(Expression(), Form.Instant, word);
        if (!buckets.Labels.Contains("le"))
            throw new FormatException("A quantile is of buckets, and 'le' is gone.");
        return new Part(Form.Instant, buckets.Labels.Where(label => label != "le").ToHashSet());
    });

    private Part Select(string name)
    {
        var series = _find(name) ?? throw new FormatException($"There is no series '{name}'.");
        if (Next == "{")
        {
            do
            {
                _at++;
                Match(name, series);
            }
            while (Next == ",");
            Expect("}");
        }
        var isRange = Next is ['[', ..];
        _at += isRange ? 1 : 0;
        return new Part(isRange ? Form.Range : Form.Instant, series.Labels.Keys.ToHashSet());
    }

    private void Match(string name, Series series)
    {
        var (label, sign, text) = (Take("a label"), Take("a sign"), Take("a value"));
        if (sign is not ("=" or "!=" or "=~" or "!~") || text is not ['"', .. var value, '"'])
            throw new FormatException($"'{label}{sign}{text}' selects nothing.");
        if (!series.Labels.TryGetValue(label, out var seen))
            throw new FormatException($"{name} has no label '{label}'; it has {string.Join(", ", series.Labels.Keys)}.");
        // A variable of the dashboard stands for whatever there is.
        if (seen is null || value.StartsWith('$'))
            return;
        foreach (var one in sign is "=~" or "!~" ? value.Split('|') : [value])
            if (!seen.Contains(one))
                throw new FormatException($"{name} has no {label} '{one}'; there is {string.Join(", ", seen)}.");
    }

    private T InBrackets<T>(Func<T> inside)
    {
        Expect("(");
        var result = inside();
        Expect(")");
        return result;
    }

    private static Part Need(Part part, Form form, string by) => part.Form == form ? part : throw new FormatException($"{by} takes a {form}, not a {part.Form}.");

    private void Expect(string token)
    {
        if (Take($"'{token}'") is var found && found != token)
            throw new FormatException($"'{found}' stands where '{token}' belongs.");
    }

    private string Take(string what) => _at < _tokens.Count ? _tokens[_at++] : throw new FormatException($"It ends where {what} belongs.");

    [GeneratedRegex(@"\s+|(?<token>[a-zA-Z_][a-zA-Z0-9_]*|\d+(?:\.\d+)?|""[^""\\]*""|\[(?:\d+[smhd]|\$__rate_interval)\]|==|!=|<=|>=|=~|!~|[-+*/<>=(){},])")]
    private static partial Regex Token();
}
