import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import type { Sample } from "../domain/epoch.ts";
import type { SampleStream } from "./engine.ts";
import { readFrame } from "./read-frame.ts";

/** A frame has about 3 KB, with many CPUs some more. */
const frameCharsMax = 1 << 20;
const framesKept = 2;

/**
 * Keeps the latest frames of a stream of stats. They are kept as text and read only when somebody asks: an engine sends one a
 * second, a tick needs one. Ends with the stream, which must have a timeout of its own.
 */
export function followSamples(open: Promise<Readable>): SampleStream {
  const decoder = new StringDecoder("utf8");
  const frames: string[] = [];
  let rest = "";
  let hasEnded = false;
  let stream: Readable | undefined;
  const end = () => {
    hasEnded = true;
    stream?.destroy();
  };
  const hear = (chunk: Buffer) => {
    rest += decoder.write(chunk);
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    frames.push(...lines.filter((line) => line.length > 2));
    frames.splice(0, frames.length - framesKept);
    if (rest.length > frameCharsMax) end();
  };
  open.then((opened) => {
    stream = opened;
    if (hasEnded) return opened.destroy();
    opened.on("data", hear);
    for (const event of ["end", "close", "error", "aborted"]) opened.on(event, end);
    return undefined;
  }, end);
  return {
    take: () => {
      const read = frames.splice(0).map(parse);
      const samples = read.filter((it): it is Sample => it !== undefined);
      return { samples, zeros: read.length - samples.length };
    },
    get hasEnded() {
      return hasEnded;
    },
    [Symbol.dispose]: end,
  };
}

function parse(line: string): Sample | undefined {
  try {
    return readFrame(JSON.parse(line));
  } catch {
    return undefined;
  }
}
