import { request } from "node:http";

/** One call of an engine's API over its socket. Rejects when it is not answered, or answered with an error. */
export function engineRequest(
  socketPath: string,
  call: {
    readonly method: string;
    readonly path: string;
    readonly body?: Buffer;
    readonly type?: string;
  },
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const req = request(
      {
        ...{ socketPath, method: call.method, path: call.path, timeout: 60_000 },
        headers: call.body === undefined ? {} : { "content-type": call.type ?? "application/json" },
      },
      (res) => {
        const chunks: Buffer[] = [];
        res.on("data", (chunk: Buffer) => chunks.push(chunk));
        res.on("error", reject);
        res.on("end", () => {
          const body = Buffer.concat(chunks);
          const { statusCode = 0 } = res;
          if (statusCode < 400) resolve(body);
          else reject(new Error(`${call.method} ${call.path}: ${statusCode} ${body}`));
        });
      },
    );
    req.on("timeout", () => req.destroy(new Error(`${call.path}: not answered`)));
    req.on("error", reject);
    req.end(call.body);
  });
}
