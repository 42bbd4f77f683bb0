/** A port to listen on. `explicit` ports were asked for by name: taken is an error, not a reason to choose another. */
export type PortWish = { readonly port: number; readonly explicit: boolean };

/** How many ports above a default one are tried before giving up. */
const portsTriedMax = 200;

/**
 * Listens on the wished port. A default port that is taken gives way to the next free one; an explicit one that is taken
 * rejects. Port 0 lets the system choose. `bind` resolves with the port in use, or rejects mentioning EADDRINUSE.
 */
export async function listenPort(
  bind: (port: number) => Promise<number>,
  wish: PortWish,
): Promise<number> {
  const tries = wish.explicit || wish.port === 0 ? 1 : portsTriedMax;
  for (let offset = 0; ; offset += 1) {
    try {
      return await bind(wish.port + offset);
    } catch (error) {
      if (!isTaken(error)) throw error;
      if (offset + 1 >= tries || wish.port + offset >= 65_535) {
        throw new Error(`port ${wish.port} is taken`, { cause: error });
      }
    }
  }
}

function isTaken(error: unknown): boolean {
  return (
    error instanceof Error &&
    `${error.message} ${"code" in error ? error.code : ""}`.includes("EADDRINUSE")
  );
}
