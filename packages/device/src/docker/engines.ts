import { openDockerEngine } from "./docker-engine.ts";
import type { Engine } from "./engine.ts";

/** The engines of one process, each opened once. */
export type Engines = Disposable & {
  of(url: string): Engine;
  /** Opens one for the caller alone, who closes it. */
  open(url: string): Engine;
};

const enginesMax = 1_000;

/** Opens engines as they are asked for. An engine that is no longer a node's stays open until the process ends. */
export function openEngines(certFolder: string | undefined): Engines {
  const engines = new Map<string, Engine>();
  return {
    open: (url) => openDockerEngine(url, certFolder),
    of: (url) => {
      const known = engines.get(url);
      if (known !== undefined) return known;
      if (engines.size >= enginesMax) throw new Error(`more than ${enginesMax} engines`);
      const engine = openDockerEngine(url, certFolder);
      engines.set(url, engine);
      return engine;
    },
    [Symbol.dispose]: () => {
      for (const engine of engines.values()) engine[Symbol.dispose]();
    },
  };
}
