import assert from "node:assert/strict";
import { test } from "node:test";
import { createReplyQueue, orAborted } from "./reply-queue.ts";

const never = new AbortController().signal;
const collect = async <T>(replies: AsyncIterable<T>) => {
  const all: T[] = [];
  for await (const reply of replies) all.push(reply);
  return all;
};

test("answers in order although later work ends first", async () => {
  const queue = createReplyQueue<number>(3);
  const first = Promise.withResolvers<number>();
  queue.add(() => first.promise);
  queue.add(async () => 2);
  queue.close();
  const replies = collect(queue.replies());
  first.resolve(1);
  assert.deepEqual(await replies, [1, 2]);
});

test("has no room before a reply is taken", async () => {
  const queue = createReplyQueue<number>(1);
  queue.add(async () => 1);
  let hasRoom = false;
  const room = queue.room(never).then(() => {
    hasRoom = true;
  });
  const replies = queue.replies();
  assert.deepEqual(await replies.next(), { done: false, value: 1 });
  assert.equal(hasRoom, false, "the reply is given out but not yet known to be sent");
  const rest = replies.next();
  await room;
  queue.close();
  assert.deepEqual(await rest, { done: true, value: undefined });
});

test("throws an error in its turn, after the replies ahead of it", async () => {
  const queue = createReplyQueue<number>(3);
  const first = Promise.withResolvers<number>();
  queue.add(() => first.promise);
  queue.add(() => Promise.reject(new Error("second")));
  const replies = queue.replies();
  first.resolve(1);
  assert.deepEqual(await replies.next(), { done: false, value: 1 });
  await assert.rejects(replies.next(), /second/);
});

test("ends with its error behind what it holds", async () => {
  const queue = createReplyQueue<number>(3);
  queue.add(async () => 1);
  queue.close(new Error("stale"));
  const replies = queue.replies();
  assert.deepEqual(await replies.next(), { done: false, value: 1 });
  await assert.rejects(replies.next(), /stale/);
});

test("tells work when all ahead of it is done, failed or not", async () => {
  const queue = createReplyQueue<string>(3);
  const order: string[] = [];
  const first = Promise.withResolvers<string>();
  queue.add(() => first.promise);
  queue.add(async (ahead) => {
    await ahead;
    order.push("second");
    return "second";
  });
  order.push("first");
  first.reject(new Error("failed"));
  await queue.settled();
  assert.deepEqual(order, ["first", "second"]);
});

test("stops waiting for room when the stream ends", async () => {
  const queue = createReplyQueue<number>(1);
  queue.add(async () => 1);
  const ended = new AbortController();
  const room = queue.room(ended.signal);
  ended.abort(new Error("gone"));
  await assert.rejects(room, /gone/);
  await assert.rejects(orAborted(Promise.resolve(1), ended.signal), /gone/);
});
