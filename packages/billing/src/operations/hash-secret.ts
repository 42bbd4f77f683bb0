import { createHmac } from "node:crypto";
import type { Secret } from "@farebox/kit/env";

/**
 * The keyed hash that a key's secret is stored and looked up by. Looking up a hash takes the same time whatever part of a
 * guess is right, and without the pepper a copy of the table finds no secret. Gateways compute it with the same pepper.
 */
export function hashSecret(pepper: Secret, secret: string): Buffer {
  return createHmac("sha256", pepper.reveal()).update(secret).digest();
}
