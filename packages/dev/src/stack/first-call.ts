import { createGrpcClient } from "@farebox/kit/grpc-client";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import { ReportService } from "@farebox/proto/farebox/billing/v1/report_service";
import type { DevFile } from "./dev-file.ts";

/** The call that shows a newcomer that everything works: what was asked, what it cost, and what that came from. */
export type FirstCall = {
  readonly model: string;
  readonly answer: string;
  /** Decimal string of the account's currency, from the answer's own header. */
  readonly cost: string;
  /** How the cost came about, line by line. */
  readonly explanation: string;
  readonly availableNanos: bigint;
};

type Completion = {
  readonly choices?: readonly { readonly message?: { readonly content?: string } }[];
};

const model = "gpt-4o-mini";
const settleTriesMax = 100;
const settleTryMs = 50;

/** Makes one chat completion through the gateway and waits (at most 5 s) until Billing has booked it. */
export async function makeFirstCall(
  dev: Pick<DevFile, "gatewayUrl" | "billingAddress" | "demoAccountId" | "demoApiKey">,
  stop: AbortSignal,
): Promise<FirstCall> {
  const res = await fetch(`${dev.gatewayUrl}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${dev.demoApiKey}`, "content-type": "application/json" },
    body: JSON.stringify({
      model,
      messages: [{ role: "user", content: "What does a farebox do?" }],
      max_tokens: 200,
    }),
    signal: AbortSignal.any([stop, AbortSignal.timeout(30_000)]),
  });
  const body: Completion = JSON.parse(await res.text());
  if (!res.ok)
    throw new Error(`the first call was answered ${res.status}: ${JSON.stringify(body)}`);
  const requestId = res.headers.get("x-farebox-request-id") ?? "";
  const booked = await awaitBooked(dev, requestId);
  return {
    model,
    answer: body.choices?.[0]?.message?.content ?? "",
    cost: res.headers.get("x-farebox-cost") ?? "",
    ...booked,
  };
}

async function awaitBooked(
  dev: Pick<DevFile, "billingAddress" | "demoAccountId" | "demoApiKey">,
  requestId: string,
): Promise<Pick<FirstCall, "explanation" | "availableNanos">> {
  const options = {
    address: dev.billingAddress,
    deadlineMs: 5_000,
    metadata: { authorization: `Bearer ${dev.demoApiKey}` },
  };
  const accounts = createGrpcClient(AccountService, options);
  const reports = createGrpcClient(ReportService, options);
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        const { charges } = await reports.explainCharge({ requestId });
        const { balance } = await accounts.getAccount({ accountId: dev.demoAccountId });
        const { amountNanos: available = 0n } = balance?.available ?? {};
        const { amountNanos: held = 0n } = balance?.held ?? {};
        return { explanation: charges[0]?.text ?? "", availableNanos: available + held };
      } catch (error) {
        if (attempt === settleTriesMax) throw error;
        await new Promise((resolve) => setTimeout(resolve, settleTryMs));
      }
    }
  } finally {
    accounts.close();
    reports.close();
  }
}
