import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";

/** What `busyboxImage` makes. */
export const busyboxTag = "farebox/busybox:1";

const places = ["/bin/busybox", "/usr/bin/busybox"];
const blockBytes = 512;

/** Where this machine's busybox is, if it is one that needs no libraries; undefined otherwise. */
export function findStaticBusybox(): string | undefined {
  const path = places.find((it) => existsSync(it));
  if (path === undefined) return undefined;
  // A dynamic program names its loader; a static one has none.
  return readFileSync(path).includes("/lib64/ld-linux") ? undefined : path;
}

/**
 * A container image of this machine's own busybox, as `docker load` takes it: no registry is needed. The same busybox gives the
 * same bytes. Throws when there is no static busybox.
 */
export function busyboxImage(): Buffer {
  const path = findStaticBusybox();
  if (path === undefined) throw new Error("no static busybox: apt-get install busybox-static");
  const applets = execFileSync(path, ["--list"], { encoding: "utf8" }).trim().split("\n");
  const layer = tar([
    { name: "bin/", type: "5", mode: 0o755 },
    { name: "tmp/", type: "5", mode: 0o777 },
    { name: "bin/busybox", type: "0", mode: 0o755, content: readFileSync(path) },
    ...applets
      .filter((it) => it !== "busybox")
      .map((it) => ({ name: `bin/${it}`, type: "2" as const, mode: 0o777, link: "busybox" })),
  ]);
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === "arm64" ? "arm64" : "amd64",
      os: "linux",
      config: { Cmd: ["sh"], Env: ["PATH=/bin"] },
      rootfs: { type: "layers", diff_ids: [`sha256:${sha256(layer)}`] },
    }),
  );
  const manifest = [{ Config: "config.json", RepoTags: [busyboxTag], Layers: ["layer.tar"] }];
  return tar([
    { name: "config.json", type: "0", mode: 0o644, content: config },
    { name: "layer.tar", type: "0", mode: 0o644, content: layer },
    {
      name: "manifest.json",
      type: "0",
      mode: 0o644,
      content: Buffer.from(JSON.stringify(manifest)),
    },
  ]);
}

type Entry = {
  readonly name: string;
  /** File, link or folder. */
  readonly type: "0" | "2" | "5";
  readonly mode: number;
  readonly content?: Buffer;
  readonly link?: string;
};

/** An archive in the format "ustar", with nothing in it that changes from run to run. */
function tar(entries: readonly Entry[]): Buffer {
  const blocks = entries.flatMap(({ content = Buffer.alloc(0), ...entry }) => [
    header(entry, content.length),
    content,
    Buffer.alloc((blockBytes - (content.length % blockBytes)) % blockBytes),
  ]);
  return Buffer.concat([...blocks, Buffer.alloc(2 * blockBytes)]);
}

function header({ name, type, mode, link = "" }: Omit<Entry, "content">, size: number): Buffer {
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, length: number) =>
    block.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
  block.write(name, 0, 100, "latin1");
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  block.write("        ", 148, "latin1");
  block.write(type, 156, "latin1");
  block.write(link, 157, 100, "latin1");
  block.write("ustar\0" + "00", 257, "latin1");
  const sum = block.reduce((all, byte) => all + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
