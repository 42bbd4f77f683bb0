import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { busyboxImage } from "../src/engines/busybox-image.ts";
import { whyNoEngine } from "../src/engines/private-engine.ts";
import { awaitCondition } from "../src/faults/await-condition.ts";

const why = whyNoEngine();
if (why !== undefined && process.env.CI) throw new Error(`no container engine here: ${why}`);
const skip = why === undefined ? false : `no container engine: ${why}`;

/** Processes of the machine whose command line names a folder. */
function processesOf(folder: string): readonly string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(folder);
    } catch {
      return false;
    }
  });
}

const program = (file: string) => `
  import { busyboxImage, busyboxTag } from "${file}/busybox-image.ts";
  import { openPrivateEngine } from "${file}/private-engine.ts";
  import { openDockerEngine } from "@farebox/device/docker/docker-engine";
  const engine = await openPrivateEngine({ images: [busyboxImage()] });
  using docker = openDockerEngine(engine.url);
  await docker.run({
    name: "left-over", image: busyboxTag, command: ["sleep", "100000"], environment: {}, isReadOnly: false,
    network: "bridge", labels: {}, resources: { cpuMillis: 50, memoryMb: 16, storageMb: 0 },
  });
  console.log(engine.socketPath);
  setInterval(() => undefined, 1000);
`;

it("an engine and its containers end with whoever started it, however that ends", {
  skip,
}, async () => {
  const file = fileURLToPath(new URL("../src/engines", import.meta.url));
  const args = ["--input-type=module-typescript", "--eval", program(file)];
  const owner = spawn(process.execPath, args, {
    ...{ cwd: fileURLToPath(new URL("..", import.meta.url)), stdio: ["ignore", "pipe", "inherit"] },
  });
  let said = "";
  owner.stdout?.on("data", (chunk) => {
    said += chunk;
  });
  const folder = await awaitCondition(
    "an engine",
    () => said.includes("d.sock") && dirname(said.trim()),
  );
  assert.ok(processesOf(folder).length > 1);
  owner.kill("SIGKILL");
  await awaitCondition("nothing left", () => processesOf(folder).length === 0);
  rmSync(folder, { recursive: true, force: true });
});

it("an image is the same bytes each time", { skip }, () => {
  assert.ok(busyboxImage().equals(busyboxImage()));
});
