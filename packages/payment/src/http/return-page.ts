import { formatNanos } from "@farebox/kit/money";
import type { Payment } from "../domain/payment.ts";
import type { MethodSetup, SetupState } from "../domain/saved-method.ts";

/** What a payer sees who comes back: how the payment stands. It names no account, and proves nothing to anybody. */
export function renderPaymentPage(payment: Payment): string {
  const isOpen = payment.state === "PENDING" || payment.state === "PAID";
  const isWaiting = isOpen && !payment.isTold;
  return renderPage({ ...wordsFor(payment), isTest: payment.isTest, isWaiting });
}

/** Likewise for a method that was to be saved. */
export function renderSetupPage({ state, isTest }: MethodSetup): string {
  const words: Readonly<Record<SetupState, Words>> = {
    CREATED: waiting,
    PENDING: waiting,
    SAVED: { title: "Saved", text: "The card is saved and can be charged from now on." },
    EXPIRED: { title: "Too late", text: "The time to enter a card has passed. Nothing is saved." },
    FAILED: { title: "Not saved", text: "The card could not be saved. Nothing was charged." },
  };
  return renderPage({ ...words[state], isTest, isWaiting: words[state] === waiting });
}

type Words = { readonly title: string; readonly text: string };

const waiting: Words = {
  title: "Waiting for the card",
  text: "No card is saved yet. This page looks again by itself.",
};

function renderPage(
  page: Words & { readonly isTest: boolean; readonly isWaiting: boolean },
): string {
  const { title, text } = page;
  const again = page.isWaiting ? '<meta http-equiv="refresh" content="3">' : "";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${again}
<title>${escapeHtml(title)}</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; margin: 15vh auto; max-width: 32rem; padding: 0 1rem; color: #1a1a2e; background: #fff }
  .test { background: #ffe8a3; padding: .25rem .75rem; border-radius: .25rem; display: inline-block }
  @media (prefers-color-scheme: dark) { body { color: #eee; background: #16161d } .test { color: #1a1a2e } }
</style>
</head>
<body>
<main>
${page.isTest ? '<p class="test">Test mode: no real money moves.</p>' : ""}
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(text)}</p>
</main>
</body>
</html>
`;
}

function wordsFor(payment: Payment): Words {
  const sum = `${formatNanos(payment.amount)} ${payment.currencyCode}`;
  switch (payment.state) {
    case "PAID":
      return payment.isTold
        ? { title: "Paid", text: `${sum} have arrived and are credited to the account.` }
        : { title: "Paid", text: `${sum} have arrived. They are being credited.` };
    case "PARKED":
      return {
        title: "We are looking at it",
        text: "The payment arrived otherwise than expected. Nothing is lost: a person looks at it.",
      };
    case "EXPIRED":
      return { title: "Too late", text: "The time to pay has passed. Nothing was charged." };
    case "FAILED":
      return { title: "Not paid", text: "The payment did not succeed. Nothing was charged." };
    default:
      return {
        title: "Waiting for the payment",
        text: `${sum} have not arrived yet. This page looks again by itself.`,
      };
  }
}

function escapeHtml(text: string): string {
  const names: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (sign) => names[sign] ?? sign);
}
