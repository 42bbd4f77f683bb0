import type { ContainerCreateOptions } from "dockerode";
import type { ContainerSpec } from "./engine.ts";

const bytesPerMb = 1 << 20;
const nanosPerMilli = 1_000_000;
/** Enough for a shell, a browser or a build; a fork bomb ends here. */
const pidsMax = 512;

/**
 * The engine's words for a container. What runs in it has no capabilities, cannot gain any, sees no socket of the engine, and
 * cannot use more than is reserved; its log is bounded, and it is not started again by itself.
 */
export function containerOptions(spec: ContainerSpec): ContainerCreateOptions {
  const { cpuMillis, memoryMb } = spec.resources;
  const memory = memoryMb * bytesPerMb;
  return {
    name: spec.name,
    Image: spec.image,
    ...(spec.command.length > 0 ? { Cmd: [...spec.command] } : {}),
    Env: Object.entries(spec.environment).map(([key, value]) => `${key}=${value}`),
    Labels: { ...spec.labels },
    HostConfig: {
      NanoCpus: cpuMillis * nanosPerMilli,
      Memory: memory,
      // Memory and swap together: no swap.
      MemorySwap: memory,
      PidsLimit: pidsMax,
      Privileged: false,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      ReadonlyRootfs: spec.isReadOnly,
      ...(spec.isReadOnly ? { Tmpfs: { "/tmp": "rw,noexec,nosuid,nodev,size=64m" } } : {}),
      // A first process that passes signals on and reaps: stopping takes a tenth of a second, not ten.
      Init: true,
      NetworkMode: spec.network,
      RestartPolicy: { Name: "no" },
      LogConfig: { Type: "json-file", Config: { "max-size": "10m", "max-file": "1" } },
    },
  };
}
