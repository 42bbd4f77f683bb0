import assert from "node:assert/strict";
import { before, test } from "node:test";
import fc from "fast-check";
import { inputBoundByBytes, inputBoundByTokenizer } from "../domain/token-bound.ts";
import type { Tokenizers } from "../domain/tokenizers.ts";
import { loadTokenizers } from "./load-tokenizers.ts";
import { readCall } from "./read-call.ts";

let tokenizers: Tokenizers;
before(async () => {
  tokenizers = await loadTokenizers(["o200k_base", "cl100k_base"]);
});

test("counts as the published vocabularies do", () => {
  const text = "The quick brown fox jumps over the lazy dog.";
  assert.equal(tokenizers.count("o200k_base", text), 10);
  assert.equal(tokenizers.count("cl100k_base", text), 10);
  assert.equal(tokenizers.count("o200k_base", ""), 0);
});

test("counts prose in slices as it counts it whole", () => {
  const sentence = "The quick brown fox jumps over the lazy dog. ";
  const once =
    tokenizers.count("o200k_base", sentence.repeat(2)) - tokenizers.count("o200k_base", sentence);
  const many = tokenizers.count("o200k_base", sentence.repeat(300));
  assert.ok(Math.abs(many - 300 * once) <= 2, `${many} is not 300 × ${once}`);
});

test("a text that looks like a special token is text", () => {
  assert.ok(tokenizers.count("o200k_base", "<|endoftext|><|im_start|>") > 2);
});

test("a text beyond the bound is extrapolated", () => {
  const part = tokenizers.count("o200k_base", "hello world ".repeat(1000));
  const whole = tokenizers.count("o200k_base", "hello world ".repeat(100_000));
  assert.ok(Math.abs(whole - part * 100) / whole < 0.02, `${whole} is far from 100 × ${part}`);
});

test("no text has more tokens than bytes", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 600 }), (text) => {
      assert.ok(tokenizers.count("o200k_base", text) <= Buffer.byteLength(text));
    }),
  );
});

test("the counted bound is above the count and never above the byte bound", () => {
  const limits = { contextTokens: 128_000, maxOutputTokens: 16_384 };
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: "grapheme", maxLength: 300 }), { maxLength: 5 }),
      (texts) => {
        const messages = texts.map((content) => ({ role: "user", content }));
        const read = readCall("openai", Buffer.from(JSON.stringify({ model: "gpt-4o", messages })));
        if (read.kind !== "call") assert.fail(read.message);
        const counted = inputBoundByTokenizer(tokenizers, read.call, limits) ?? assert.fail();
        const tokens = texts.reduce((sum, it) => sum + tokenizers.count("o200k_base", it), 0);
        assert.ok(counted <= inputBoundByBytes(read.call, limits));
        assert.ok(counted >= tokens);
      },
    ),
  );
});
