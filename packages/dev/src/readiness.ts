import { connect } from "node:net";

/** Whether something accepts TCP connections on 127.0.0.1 and, when asked with `say`, begins its answer with `hear`. */
export function isListening(
  port: number,
  talk?: { readonly say: string; readonly hear: string },
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    const finish = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.setTimeout(1_000, () => finish(false));
    socket.once("error", () => finish(false));
    socket.once("close", () => finish(false));
    socket.once("connect", () => {
      if (talk === undefined) finish(true);
      else socket.write(talk.say);
    });
    socket.once("data", (chunk) => finish(chunk.toString("latin1").startsWith(talk?.hear ?? "")));
  });
}

/** Whether a GET of this URL is answered with a 2xx within a second. */
export async function isAnswering(url: string): Promise<boolean> {
  try {
    const res = await fetch(url, { signal: AbortSignal.timeout(1_000) });
    await res.body?.cancel();
    return res.ok;
  } catch {
    return false;
  }
}
