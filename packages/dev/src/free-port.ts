import { randomInt } from "node:crypto";
import { createServer } from "node:net";

// Below every common ephemeral range (Linux starts at 32768), so that no outgoing connection can occupy the port
// of a server that has just died and is about to be started again on it.
const portMin = 20_000;
const portMax = 32_000;
const attemptsMax = 200;

/**
 * A TCP port on 127.0.0.1 that nobody listens on now.
 *
 * With `from`, the first free one at or above it; else a random one outside the ephemeral range, so that two stacks
 * started together do not meet. The port is not reserved: a caller that loses the race sees EADDRINUSE.
 * Throws when 200 ports in a row are taken.
 */
export async function freePort(from?: number): Promise<number> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const port = from === undefined ? randomInt(portMin, portMax) : from + attempt;
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port on 127.0.0.1 after ${attemptsMax} attempts`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => {
      server.close(() => resolve(true));
    });
  });
}
