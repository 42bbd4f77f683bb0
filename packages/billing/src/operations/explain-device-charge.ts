import { formatNanos } from "@farebox/kit/money";
import { explainDeviceCharge } from "@farebox/pricing/device-explain";
import {
  type DeviceRateCard,
  deviceUnits,
  parseDeviceRateCard,
} from "@farebox/pricing/device-rates";
import { usageOf } from "../domain/device-report.ts";
import type { DeviceChargeRow } from "../store/device-charge-store.ts";

/** A charge of a device with the card it was made by, and how it came about. */
export type ExplainedDeviceCharge = {
  readonly charge: DeviceChargeRow;
  readonly card: DeviceRateCard;
  readonly cardJson: string;
  /** The charge without what was carried, before rounding: a decimal string of the account's currency. */
  readonly exact: string;
  /** In lines, for people. */
  readonly text: string;
};

/** Explains a charge from what is stored of it alone. `cards` holds its card. */
export function explainStoredCharge(
  charge: DeviceChargeRow,
  cards: ReadonlyMap<string, string>,
): ExplainedDeviceCharge {
  const cardJson = cards.get(charge.rateCardId);
  if (cardJson === undefined) throw new Error(`rate card ${charge.rateCardId} is gone`);
  const card = parseDeviceRateCard(cardJson);
  const { exact, text } = explainDeviceCharge(card, usageOf(charge.quantities));
  const unknown = charge.quantities.filter((it) => it.quality === "UNKNOWN");
  const lines = [
    text,
    ...unknown.map((it) => `${deviceUnits[it.dimension].name} could not be measured: not charged`),
    `carried in ${charge.carriedIn} nanos, carried out ${charge.carriedOut} nanos`,
    `charged ${formatNanos(charge.charged)} ${card.accountCurrency}`,
  ];
  return { charge, card, cardJson, exact, text: lines.join("\n") };
}
