import type { Measurable } from "../domain/choose-node.ts";
import type { Sample } from "../domain/epoch.ts";
import type { Resources } from "../domain/resources.ts";

/** One container engine. Every call has a deadline and rejects with an `EngineError`. */
export type Engine = Disposable & {
  /** What it is and has. */
  describe(): Promise<{ readonly version: string; readonly capacity: Resources }>;
  /** Makes and starts a container, or goes on with the one of that name. Any number of times. */
  run(spec: ContainerSpec): Promise<{ readonly containerId: string }>;
  /** Undefined when there is no such container. */
  inspect(containerId: string): Promise<ContainerSight | undefined>;
  /** Every container of an installation, running or not; without one, of any. */
  list(installation?: string): Promise<readonly ListedContainer[]>;
  /** One sample now; undefined when the answer says nothing. May take a second. */
  sample(containerId: string): Promise<Sample | undefined>;
  /** Follows a container's samples until it is disposed of, or ends by itself. */
  follow(containerId: string): SampleStream;
  /** Stops a container; killed when it takes longer than `timeoutMs`. Stopping one that is stopped or gone is no error. */
  stop(containerId: string, timeoutMs: number): Promise<void>;
  /** Removes a container, killing it if need be. Removing one that is gone is no error. */
  remove(containerId: string): Promise<void>;
  rename(containerId: string, name: string): Promise<void>;
  /** Runs a known load in a container of that image, and tells which dimensions moved. */
  probe(
    image: string,
    of: { readonly installation: string; readonly network: string },
  ): Promise<Measurable>;
};

/** A container to be made. */
export type ContainerSpec = {
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly isReadOnly: boolean;
  readonly resources: Resources;
  readonly network: string;
  readonly labels: Readonly<Record<string, string>>;
};

export type ContainerSight = {
  readonly isRunning: boolean;
  /** When it was last started, as the engine spells it: names the run. */
  readonly startedAt: string;
  readonly exitCode: number;
  readonly isOutOfMemory: boolean;
};

export type ListedContainer = {
  readonly containerId: string;
  readonly name: string;
  readonly isRunning: boolean;
  readonly labels: Readonly<Record<string, string>>;
};

export type SampleStream = Disposable & {
  /** The samples since it was last asked, oldest first, two at most. An answer that says nothing counts in `zeros`. */
  take(): { readonly samples: readonly Sample[]; readonly zeros: number };
  /** True once no more will come: open another one. */
  readonly hasEnded: boolean;
};

/** SILENT: not answered, so that it is not known what was done. REFUSED: answered, nothing was done. */
export class EngineError extends Error {
  readonly kind: "SILENT" | "REFUSED";
  /** HTTP's, of a refusal. */
  readonly status: number | undefined;

  /** `why` is what the engine said: for logs, as it may name what is the operator's alone. */
  constructor(why: string, of: { readonly status?: number | undefined; readonly cause?: unknown }) {
    const kind = of.status === undefined ? "SILENT" : "REFUSED";
    super(`${kind}: ${why}`, { cause: of.cause });
    this.name = "EngineError";
    this.kind = kind;
    this.status = of.status;
  }
}
