// The clients that people use, against an address and with a key of Astra's. Prints one JSON object: what each check came to.
import OpenAI from "openai";
import Anthropic from "@anthropic-ai/sdk";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText, embed, tool, jsonSchema } from "ai";

const [address, key] = process.argv.slice(2);
const results = {};
const check = async (name, run) => {
  try {
    results[name] = await run();
  } catch (error) {
    results[name] = `${error?.constructor?.name}: ${error?.message}`;
  }
};
const refusal = async (run) => {
  try {
    await run();
    return "no error";
  } catch (error) {
    return { kind: error.constructor.name, status: error.status ?? null, code: error.code ?? null, type: error.type ?? error.error?.error?.type ?? null };
  }
};

const openai = new OpenAI({ apiKey: key, baseURL: `${address}/v1` });
const messages = [{ role: "user", content: "hi" }];
const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } } }];

await check("openai.chat", async () => (await openai.chat.completions.create({ model: "a/m1", messages })).choices[0].message.content);
await check("openai.stream", async () => {
  let text = "", usage = null;
  for await (const chunk of await openai.chat.completions.create({ model: "a/m1", messages, stream: true, stream_options: { include_usage: true } })) {
    text += chunk.choices[0]?.delta?.content ?? "";
    usage = chunk.usage ?? usage;
  }
  return `${text} ${usage.total_tokens}`;
});
await check("openai.tools", async () => {
  const stream = openai.chat.completions.stream({ model: "a/tools", messages, tools });
  return (await stream.finalChatCompletion()).choices[0].message.tool_calls[0].function.arguments;
});
await check("openai.over.anthropic", async () => (await openai.chat.completions.create({ model: "b/m1", messages })).choices[0].message.content);
await check("openai.embeddings", async () => (await openai.embeddings.create({ model: "a/embed", input: "hi" })).data[0].embedding);
await check("openai.models", async () => (await openai.models.list()).data.some((model) => model.id === "a/m1"));
await check("openai.responses", async () => (await openai.responses.create({ model: "a/m1", input: "hi" })).output_text);
await check("openai.responses.stream", async () => (await openai.responses.stream({ model: "a/m1", input: "hi" }).finalResponse()).output_text);
await check("openai.cut", () => refusal(async () => {
  for await (const _ of await openai.chat.completions.create({ model: "a/cut", messages, stream: true }));
}));
await check("openai.unknown", () => refusal(() => openai.chat.completions.create({ model: "nope", messages })));
await check("openai.key", () => refusal(() => new OpenAI({ apiKey: "wrong", baseURL: `${address}/v1` }).models.list()));

const anthropic = new Anthropic({ apiKey: key, baseURL: address });
const request = { model: "b/m1", max_tokens: 20, messages };
await check("anthropic.message", async () => (await anthropic.messages.create(request)).content[0].text);
await check("anthropic.stream", async () => (await anthropic.messages.stream(request).finalMessage()).content[0].text);
await check("anthropic.count", async () => (await anthropic.messages.countTokens({ model: "b/count", messages })).input_tokens);
await check("anthropic.over.openai", async () => (await anthropic.messages.stream({ ...request, model: "a/m1" }).finalMessage()).content[0].text);
await check("anthropic.tools", async () => (await anthropic.messages.stream({ ...request, model: "a/tools" }).finalMessage()).content[0].input);
await check("anthropic.cut", () => refusal(() => anthropic.messages.stream({ ...request, model: "b/cut" }).finalMessage()));
await check("anthropic.unknown", () => refusal(() => anthropic.messages.create({ ...request, model: "nope" })));

const compatible = createOpenAICompatible({ name: "astra", apiKey: key, baseURL: `${address}/v1`, includeUsage: true });
await check("ai.generate", async () => (await generateText({ model: compatible("a/m1"), prompt: "hi" })).text);
await check("ai.stream", async () => {
  const result = streamText({ model: compatible("a/m1"), prompt: "hi" });
  return `${await result.text} ${(await result.usage).outputTokens}`;
});
await check("ai.tools", async () => {
  const weather = tool({ inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" } } }) });
  return (await generateText({ model: compatible("a/tools"), prompt: "hi", tools: { weather } })).toolCalls[0].input;
});
await check("ai.embed", async () => (await embed({ model: compatible.textEmbeddingModel("a/embed"), value: "hi" })).embedding);
await check("ai.cut", async () => {
  for await (const part of streamText({ model: compatible("a/cut"), prompt: "hi", onError: () => {} }).fullStream)
    if (part.type === "error") return "error part";
  return "no error";
});
console.log(JSON.stringify(results));
