namespace Astra.Kernel.Scheduling;

/// <summary>The longest of what was seen lately: at least a period back, at most two.</summary>
internal sealed class Longest
{
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(10);

    private TimeSpan _now, _before, _since;

    public void Add(TimeSpan value, TimeSpan at)
    {
        Turn(at);
        if (value > _now)
            _now = value;
    }

    public TimeSpan At(TimeSpan at)
    {
        Turn(at);
        return _now > _before ? _now : _before;
    }

    private void Turn(TimeSpan at)
    {
        if (at - _since < Period)
            return;
        _before = at - _since < 2 * Period ? _now : TimeSpan.Zero;
        (_now, _since) = (TimeSpan.Zero, at);
    }
}
