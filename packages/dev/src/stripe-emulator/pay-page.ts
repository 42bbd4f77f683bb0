import { formatNanos } from "@farebox/kit/money";
import { fromMinor } from "@farebox/payment/domain/minor-units";
import type Stripe from "stripe";
import { testCards } from "./test-cards.ts";

const names: Readonly<Record<string, string>> = {
  card: "Card",
  alipay: "Alipay",
  wechat_pay: "WeChat Pay",
};

/** The page that a payer pays or saves a card at, in place of Stripe's own. It works without scripts. */
export function renderPayPage(session: Stripe.Checkout.Session, failure = ""): string {
  const isSetup = session.mode === "setup";
  const currency = (session.currency ?? "").toUpperCase();
  const sum = isSetup
    ? ""
    : `${formatNanos(fromMinor(BigInt(session.amount_total ?? 0), currency))} ${currency}`;
  const isOpen = session.status === "open";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${isSetup ? "Save a card" : "Pay"} (test mode)</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; margin: 8vh auto; max-width: 32rem; padding: 0 1rem; color: #1a1a2e; background: #fff }
  .test { background: #ffe8a3; padding: .25rem .75rem; border-radius: .25rem; display: inline-block }
  .failure { color: #a40000 } label { display: block; margin: .5rem 0 } input[type=text] { font: inherit; width: 100%; box-sizing: border-box }
  button { font: inherit; padding: .5rem 1.5rem; margin-top: 1rem } table { font-size: .85rem; margin-top: 2rem } td { padding-right: 1rem }
</style>
</head>
<body>
<main>
<p class="test">TEST MODE: the Stripe emulator. No real money moves.</p>
<h1>${isSetup ? "Save a card" : `Pay ${escapeHtml(sum)}`}</h1>
${failure === "" ? "" : `<p class="failure" role="alert">${escapeHtml(failure)}</p>`}
${isOpen ? renderForm(session) : `<p>This page is ${escapeHtml(session.status ?? "closed")}.</p>`}
</main>
</body>
</html>
`;
}

function renderForm(session: Stripe.Checkout.Session): string {
  const isSetup = session.mode === "setup";
  const kinds = session.payment_method_types.map(
    (kind, at) =>
      `<label><input type="radio" name="kind" value="${escapeHtml(kind)}"${at === 0 ? " checked" : ""}> ${escapeHtml(names[kind] ?? kind)}</label>`,
  );
  const rows = testCards.map(
    ([number, outcome]) => `<tr><td><code>${number}</code></td><td>${outcome.kind}</td></tr>`,
  );
  return `<form method="post">
${kinds.join("\n")}
<label>Card number <input type="text" name="card" value="4242 4242 4242 4242" inputmode="numeric" autocomplete="off"></label>
${isSetup ? "" : `<label><input type="checkbox" name="late" value="1"> The money arrives later (wallets)</label>`}
<button type="submit">${isSetup ? "Save" : "Pay"}</button>
${session.cancel_url === null ? "" : `<a href="${escapeHtml(session.cancel_url)}">Cancel</a>`}
</form>
<table><caption>Test cards</caption>${rows.join("")}</table>`;
}

function escapeHtml(text: string): string {
  const signs: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (sign) => signs[sign] ?? sign);
}
