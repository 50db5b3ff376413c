using Astra.Sdk;
using Counter;

// Then, in another terminal:
//   ./astra agent create visits --class counter
//   ./astra send visits '{"add": 2}'
using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, pressed) => { pressed.Cancel = true; stop.Cancel(); };
await new AstraWorker(new Uri(args[0]), File.ReadAllText(args[1]).Trim()) { Log = Console.WriteLine }.Add(new CounterAgent()).RunAsync(stop.Token);
