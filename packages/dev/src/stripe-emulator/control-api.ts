import { type EmulatedFault, emulatedFaults } from "./fault-queue.ts";
import type { EmulatorRoom } from "./open-stripe-emulator.ts";
import { type Params, textAt } from "./read-params.ts";
import { badParam, StripeFault } from "./stripe-fault.ts";

/** Answers the emulator's own calls below `/_emulator/`: what payers, their banks and the network do. Bodies are JSON. */
export function answerControl(
  room: EmulatorRoom,
  method: string,
  path: string,
  body: string,
): object {
  const asked: Params = body === "" ? {} : JSON.parse(body);
  const { till, webhooks } = room;
  const [kind = "", id = "", verb = ""] = path.split("/");
  switch (`${method} ${kind} ${verb}`.trim()) {
    case "GET health":
      return { ok: true };
    case "GET webhooks":
      return { ...webhooks.knobs, pending: webhooks.pending() };
    case "POST webhooks":
      Object.assign(webhooks.knobs, knobsOf(asked, webhooks.knobs));
      return webhooks.knobs;
    case "POST faults":
      room.faults.add(faultOf(asked.kind), {
        times: Number(asked.times ?? 1),
        path: textAt(asked, "path") ?? "",
        method: textAt(asked, "method") ?? "",
      });
      return { ok: true };
    case "DELETE faults":
      room.faults.clear();
      return { ok: true };
    case "POST clock":
      room.state.advance(Number(asked.advance_seconds ?? 0));
      till.expireDue();
      return { now: room.state.now() };
    case "POST sessions pay":
      return till.pay(id, { kind: "card", card: "4242424242424242", ...asked });
    case "POST sessions settle":
      return till.settle(id, asked.outcome === "failed" ? "failed" : "succeeded");
    case "POST sessions expire":
      return till.expire(id);
    case "POST disputes":
      return till.dispute(
        textAt(asked, "payment_intent") ?? "",
        asked.amount === undefined ? undefined : Number(asked.amount),
      );
    case "POST disputes close":
      return till.closeDispute(id, asked.outcome === "won" ? "won" : "lost");
    case "POST refunds end":
      return till.endRefund(id, asked.status === "failed" ? "failed" : "succeeded");
    default:
      throw new StripeFault(404, { message: `The emulator has no ${method} ${path}.` });
  }
}

function faultOf(name: unknown): EmulatedFault {
  const fault = emulatedFaults.find((it) => it === name);
  if (fault === undefined) throw badParam("kind", `It is one of ${emulatedFaults.join(", ")}.`);
  return fault;
}

function knobsOf<T extends object>(asked: Readonly<Record<string, unknown>>, knobs: T): Partial<T> {
  for (const name of Object.keys(asked)) {
    if (!Object.hasOwn(knobs, name)) throw badParam(name, "There is no such knob.");
  }
  return asked as Partial<T>;
}
