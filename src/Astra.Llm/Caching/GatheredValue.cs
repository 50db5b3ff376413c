using System.Text;
using System.Text.Json;

namespace Astra.Llm.Caching;

/// <summary>A JSON value that arrives in pieces, as the deltas of a stream: text grows, objects are filled, items of lists find their place by their index.</summary>
internal sealed class GatheredValue
{
    private readonly Dictionary<string, GatheredValue> _members = [];
    private readonly List<GatheredValue> _items = [];
    private StringBuilder? _text;
    private JsonElement _scalar;
    private JsonValueKind _kind = JsonValueKind.Null;
    private long? _index;

    /// <summary>Where everything is said again rather than in pieces.</summary>
    private static bool IsRepeated(string name) => name is "id" or "type" or "role" or "name" or "object";

    public GatheredValue Member(string name)
    {
        _kind = JsonValueKind.Object;
        if (!_members.TryGetValue(name, out var member))
            _members[name] = member = new GatheredValue();
        return member;
    }

    /// <summary>The item that says that it has this index.</summary>
    public GatheredValue Item(long index)
    {
        _kind = JsonValueKind.Array;
        if (_items.FirstOrDefault(item => item._index == index) is { } known)
            return known;
        var made = new GatheredValue { _index = index };
        _items.Add(made);
        return made;
    }

    public bool IsNull => _kind is JsonValueKind.Null or JsonValueKind.Undefined;

    public string Text => _text?.ToString() ?? "";

    public void Set(JsonElement value)
    {
        _members.Clear();
        _items.Clear();
        (_text, _kind) = (null, JsonValueKind.Null);
        Add(value);
    }

    public void Append(string text)
    {
        _kind = JsonValueKind.String;
        (_text ??= new StringBuilder()).Append(text);
    }

    public void Add(JsonElement delta)
    {
        switch (delta.ValueKind)
        {
            case JsonValueKind.Null or JsonValueKind.Undefined:
                break; // Nothing more of it.
            case JsonValueKind.Object:
                _kind = JsonValueKind.Object;
                foreach (var member in delta.EnumerateObject())
                {
                    if (IsRepeated(member.Name) && member.Value.ValueKind == JsonValueKind.String)
                        Member(member.Name).Set(member.Value);
                    else
                        Member(member.Name).Add(member.Value);
                }
                break;
            case JsonValueKind.Array:
                _kind = JsonValueKind.Array;
                foreach (var item in delta.EnumerateArray())
                    AddItem(item);
                break;
            case JsonValueKind.String:
                Append(delta.GetString()!);
                break;
            default:
                (_kind, _scalar) = (delta.ValueKind, delta);
                break;
        }
    }

    public void Write(Utf8JsonWriter json)
    {
        switch (_kind)
        {
            case JsonValueKind.Object:
                json.WriteStartObject();
                foreach (var (name, member) in _members)
                {
                    json.WritePropertyName(name);
                    member.Write(json);
                }
                json.WriteEndObject();
                break;
            case JsonValueKind.Array:
                json.WriteStartArray();
                foreach (var item in _items.OrderBy(item => item._index ?? 0))
                    item.Write(json);
                json.WriteEndArray();
                break;
            case JsonValueKind.String:
                json.WriteStringValue(Text);
                break;
            case JsonValueKind.Null or JsonValueKind.Undefined:
                json.WriteNullValue();
                break;
            default:
                _scalar.WriteTo(json);
                break;
        }
    }

    private void AddItem(JsonElement item)
    {
        if (item.ValueKind == JsonValueKind.Object && item.TryGetProperty("index", out var number) && number.ValueKind == JsonValueKind.Number && number.TryGetInt64(out var index))
        {
            var place = Item(index);
            place.Add(item);
            // The index is a matter of the stream, not of the answer.
            place._members.Remove("index");
            return;
        }
        var made = new GatheredValue();
        made.Add(item);
        _items.Add(made);
    }
}
