import type { Clock } from "@farebox/kit/clock";
import type { Pool } from "@farebox/kit/mysql";
import type { BillingPort } from "../billing-port.ts";
import type { DeviceEvents } from "../device-events.ts";
import type { Engines } from "../docker/engines.ts";
import type { PriceMode } from "../domain/owed-usage.ts";
import type { RateCards } from "./rate-cards.ts";

/** What the operations of Device work with. */
export type DeviceDeps = {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly engines: Engines;
  readonly billing: BillingPort["billing"];
  readonly catalog: BillingPort["catalog"];
  readonly reports: BillingPort["reports"];
  readonly events: DeviceEvents;
  readonly terms: DeviceTerms;
  readonly rateCards: RateCards;
  /** This installation's name on containers: 32 hex digits. */
  readonly installation: string;
  /** Draws a whole number below its argument. */
  readonly pick: (below: number) => number;
};

/** The settings that decide what devices are given for; see `.env.example` for what each means. */
export type DeviceTerms = {
  readonly images: readonly string[];
  readonly network: string;
  readonly cpuMode: PriceMode;
  readonly memoryMode: PriceMode;
  readonly networkMb: number;
  readonly devicesMax: number;
  readonly queueMax: number;
  readonly isAllowedOnError: boolean;
  readonly tickMs: number;
  readonly reportPeriodMs: number;
  readonly lostAfterMs: number;
  readonly restartPatienceMs: number;
  readonly startPatienceMs: number;
  readonly graceMs: number;
  readonly warnMs: number;
  readonly stopTimeoutMs: number;
};
