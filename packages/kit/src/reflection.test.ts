import assert from "node:assert/strict";
import { test } from "node:test";
import { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";
import { Client, credentials } from "@grpc/grpc-js";
import { serveForTest } from "../testing/rpc.ts";
import { serviceMount } from "./service-mount.ts";

const sameBytes = (bytes: Buffer) => bytes;
const mounts = [serviceMount(BillingService, {})];

/** A length-delimited field of a protobuf message, short enough for one byte of length. */
function field(number: number, text: string): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, text.length]), Buffer.from(text)]);
}

/** Asks reflection one question without a token, and returns the answer as text. */
async function reflect(address: string, question: Buffer, version = "v1"): Promise<string> {
  const client = new Client(address, credentials.createInsecure());
  const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
  const call = client.makeBidiStreamRequest(path, sameBytes, sameBytes);
  call.write(question);
  call.end();
  let answer = "";
  for await (const bytes of call) answer += bytes.toString("latin1");
  client.close();
  return answer;
}

test("reflection lists the services and health, in both versions, without a token", async () => {
  await using server = await serveForTest(mounts);
  for (const version of ["v1", "v1alpha"]) {
    const answer = await reflect(server.address, field(7, "*"), version);
    assert(answer.includes("farebox.billing.v1.BillingService"));
    assert(answer.includes("grpc.health.v1.Health"));
  }
});

test("reflection describes a service with every file it needs", async () => {
  await using server = await serveForTest(mounts);
  const answer = await reflect(server.address, field(4, "farebox.billing.v1.BillingService"));
  for (const file of [
    "farebox/billing/v1/billing_service.proto",
    "google/protobuf/duration.proto",
  ]) {
    assert(answer.includes(file), file);
  }
  const imported = await reflect(server.address, field(3, "buf/validate/validate.proto"));
  assert(imported.includes("FieldRules"));
});

test("health answers SERVING without a token", async () => {
  await using server = await serveForTest(mounts);
  const client = new Client(server.address, credentials.createInsecure());
  for (const service of ["", "farebox.billing.v1.BillingService"]) {
    const answer = await new Promise<Buffer | undefined>((resolve, reject) => {
      client.makeUnaryRequest(
        "/grpc.health.v1.Health/Check",
        sameBytes,
        sameBytes,
        service === "" ? Buffer.alloc(0) : field(1, service),
        (error, value) => (error ? reject(error) : resolve(value)),
      );
    });
    assert.deepEqual(answer, Buffer.from([0x08, 0x01]));
  }
  client.close();
});
