import { writePrivately } from "./stack-secrets.ts";

/** What scripts and clients need to know of a running stack: the content of `dev.json`. Names stay; new ones may join. */
export type DevFile = {
  readonly gatewayUrl: string;
  /** host:port, gRPC. */
  readonly billingAddress: string;
  /** host:port, gRPC; undefined without Payment. */
  readonly paymentAddress?: string | undefined;
  /** Where Payment takes a provider's webhooks and shows its return page; undefined without Payment. */
  readonly paymentWebhookUrl?: string | undefined;
  /** The Stripe emulator; undefined when money is collected by Stripe itself, or not at all. */
  readonly stripeEmulatorUrl?: string | undefined;
  /** host:port, gRPC; undefined without Device. */
  readonly deviceAddress?: string | undefined;
  readonly demoUpstreamUrl: string;
  /** Name of the process → its metrics page. */
  readonly metricsUrls: Readonly<Record<string, string>>;
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly demoAccountId: string;
  readonly demoApiKey: string;
  readonly adminApiKey: string;
  readonly serviceToken: string;
  /** Name of the process → its pid, of those that are up. */
  readonly pids: Readonly<Record<string, number>>;
};

/** Keeps `dev.json` true: written when the stack is ready, and again whenever a process gets another pid. */
export function keepDevFile(file: string, readPids: () => Readonly<Record<string, number>>) {
  let content: Omit<DevFile, "pids"> | undefined;
  const write = () => {
    if (content !== undefined) writePrivately(file, { ...content, pids: readPids() });
  };
  return {
    /** States what does not change, and writes the file for the first time. */
    publish(ready: Omit<DevFile, "pids">): void {
      content = ready;
      write();
    },
    /** Writes the pids as they are now; does nothing before `publish`. */
    refresh: write,
  };
}
