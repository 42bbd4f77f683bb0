import { create, type Message, setExtension, toBinary } from "@bufbuild/protobuf";
import {
  fileDesc,
  type GenMessage,
  type GenService,
  messageDesc,
  serviceDesc,
} from "@bufbuild/protobuf/codegenv2";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldOptionsSchema,
  FileDescriptorProtoSchema,
  type MethodOptions,
  MethodOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import {
  FieldRulesSchema,
  field,
  file_buf_validate_validate,
} from "@farebox/proto/buf/validate/validate";
import {
  access,
  file_farebox_common_v1_access,
  MethodAccessSchema,
  Scope,
} from "@farebox/proto/farebox/common/v1/access";

function fieldOf(name: string, number: number, type: FieldDescriptorProto_Type) {
  return { name, jsonName: camel(name), number, type, label: FieldDescriptorProto_Label.OPTIONAL };
}

function camel(name: string): string {
  return name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

function options(scope: Scope | undefined): { options?: MethodOptions } {
  if (scope === undefined) return {};
  const made = create(MethodOptionsSchema);
  setExtension(made, access, create(MethodAccessSchema, { scope }));
  return { options: made };
}

function method(
  name: string,
  scope: Scope | undefined,
  streams: { clientStreaming?: boolean; serverStreaming?: boolean } = {},
) {
  const type = ".farebox.test.v1.Echo";
  return { name, inputType: type, outputType: type, ...streams, ...options(scope) };
}

function atMostTenCharacters() {
  const made = create(FieldOptionsSchema);
  const rules = create(FieldRulesSchema, { type: { case: "string", value: { maxLen: 10n } } });
  setExtension(made, field, rules);
  return made;
}

const { STRING, INT64, INT32, MESSAGE } = FieldDescriptorProto_Type;

const file = fileDesc(
  Buffer.from(
    toBinary(
      FileDescriptorProtoSchema,
      create(FileDescriptorProtoSchema, {
        name: "farebox/test/v1/echo.proto",
        package: "farebox.test.v1",
        syntax: "proto3",
        dependency: ["buf/validate/validate.proto", "farebox/common/v1/access.proto"],
        messageType: [
          {
            name: "Echo",
            field: [
              { ...fieldOf("text", 1, STRING), options: atMostTenCharacters() },
              fieldOf("amount_nanos", 2, INT64),
              fieldOf("account_id", 3, STRING),
              fieldOf("tenant_id", 4, STRING),
              fieldOf("count", 5, INT32),
              {
                ...fieldOf("children", 6, MESSAGE),
                label: FieldDescriptorProto_Label.REPEATED,
                typeName: ".farebox.test.v1.Echo",
              },
            ],
          },
        ],
        service: [
          {
            name: "EchoService",
            method: [
              method("Echo", Scope.BILLING_READ),
              method("Administer", Scope.ADMIN),
              method("Settle", Scope.SERVICE),
              method("Forgotten", undefined),
              method("Count", Scope.BILLING_READ, { serverStreaming: true }),
              method("Sum", Scope.BILLING_READ, { clientStreaming: true }),
              method("Chat", Scope.BILLING_READ, { clientStreaming: true, serverStreaming: true }),
            ],
          },
        ],
      }),
    ),
  ).toString("base64"),
  [file_buf_validate_validate, file_farebox_common_v1_access],
);

export type Echo = Message<"farebox.test.v1.Echo"> & {
  text: string;
  amountNanos: bigint;
  accountId: string;
  tenantId: string;
  count: number;
  children: Echo[];
};

export const EchoSchema: GenMessage<Echo> = messageDesc(file, 0);

type EchoMethod<Kind extends "unary" | "server_streaming" | "client_streaming" | "bidi_streaming"> =
  { methodKind: Kind; input: typeof EchoSchema; output: typeof EchoSchema };

/** A service with every kind of method and every access rule, for tests of the chassis; no part of the contract. */
export const EchoService: GenService<{
  echo: EchoMethod<"unary">;
  administer: EchoMethod<"unary">;
  settle: EchoMethod<"unary">;
  forgotten: EchoMethod<"unary">;
  count: EchoMethod<"server_streaming">;
  sum: EchoMethod<"client_streaming">;
  chat: EchoMethod<"bidi_streaming">;
}> = serviceDesc(file, 0);
