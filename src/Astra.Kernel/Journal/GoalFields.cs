using Astra.Kernel.Tasks;

namespace Astra.Kernel.Journal;

/// <summary>The fields of what goals have to do with each other.</summary>
internal static class GoalFields
{
    /// <summary>A tag and the number behind it, or nothing.</summary>
    public static void OptionalByte(this FieldWriter writer, byte tag, byte? value)
    {
        if (value is not { } number)
            return;
        writer.Byte(tag);
        writer.Byte(number);
    }

    public static void GoalDependencies(this FieldWriter writer, IReadOnlyList<GoalDependency> after)
    {
        writer.Length(after.Count);
        foreach (var dependency in after)
        {
            writer.Id(dependency.On.Value);
            writer.Byte((byte)dependency.Condition);
            writer.Byte(dependency.Ended is { } ended ? (byte)ended : (byte)0);
        }
    }

    public static GoalDependency[] GoalDependencies(this ref FieldReader reader)
    {
        var after = new GoalDependency[reader.Count(bytesEachMin: 18)];
        for (var i = 0; i < after.Length; i++)
            after[i] = new GoalDependency(new GoalId(reader.Id()), (GoalCondition)reader.Byte(), reader.Byte() is var ended and not 0 ? (GoalState)ended : null);
        return after;
    }

    public static void Standings(this FieldWriter writer, IReadOnlyList<GoalStanding> standings)
    {
        writer.Length(standings.Count);
        foreach (var standing in standings)
        {
            writer.Id(standing.Tenant.Value);
            writer.Id(standing.Goal.Value);
            writer.Byte((byte)standing.State);
            writer.OptionalText(standing.Reason);
            writer.Int32(standing.Depth);
        }
    }

    public static GoalStanding[] Standings(this ref FieldReader reader)
    {
        var standings = new GoalStanding[reader.Count(bytesEachMin: 38)];
        for (var i = 0; i < standings.Length; i++)
            standings[i] = new GoalStanding(new TenantId(reader.Id()), new GoalId(reader.Id()), (GoalState)reader.Byte(), reader.OptionalText(), reader.Int32());
        return standings;
    }

    public static void Goals(this FieldWriter writer, IReadOnlyList<(TenantId Tenant, GoalId Goal)> goals)
    {
        writer.Length(goals.Count);
        foreach (var (tenant, goal) in goals)
        {
            writer.Id(tenant.Value);
            writer.Id(goal.Value);
        }
    }

    public static (TenantId Tenant, GoalId Goal)[] Goals(this ref FieldReader reader)
    {
        var goals = new (TenantId Tenant, GoalId Goal)[reader.Count(bytesEachMin: 32)];
        for (var i = 0; i < goals.Length; i++)
            goals[i] = (new TenantId(reader.Id()), new GoalId(reader.Id()));
        return goals;
    }

    /// <summary>What is asked for, but for its plan.</summary>
    public static void Request(this FieldWriter writer, GoalRequest request)
    {
        writer.OptionalText(request.Agent);
        writer.Text(request.Title);
        writer.Bytes(request.Input.Span);
        writer.Int32(request.Priority);
        writer.Byte((byte)request.DeadTaskPolicy);
        writer.Bytes(ExtrasCodec.Encode(request.Extras));
    }

    public static GoalRequest Request(this ref FieldReader reader) => new()
    {
        Agent = reader.OptionalText(), Title = reader.Text(), Input = reader.Bytes(), Priority = reader.Int32(), DeadTaskPolicy = (DeadTaskPolicy)reader.Byte(),
        Extras = ExtrasCodec.DecodeGoal(reader.Span()), Plan = [],
    };

    public static void Delegations(this FieldWriter writer, IReadOnlyList<Delegation> delegations)
    {
        writer.Length(delegations.Count);
        foreach (var delegation in delegations)
        {
            writer.Text(delegation.Name);
            writer.Int64((long)delegation.Digest);
        }
    }

    public static Delegation[] Delegations(this ref FieldReader reader)
    {
        var delegations = new Delegation[reader.Count(bytesEachMin: 9)];
        for (var i = 0; i < delegations.Length; i++)
            delegations[i] = new Delegation(reader.Text(), (ulong)reader.Int64());
        return delegations;
    }
}
