import { type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Health as HealthService } from "@farebox/proto/grpc/health/v1/health";
import type { Server } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation } from "grpc-health-check";

/** Tells health clients whether the server takes calls. */
export type Health = { setServing(isServing: boolean): void };

/**
 * Adds gRPC reflection and health for the services, so that `grpcurl` and `buf curl` need no protos. Neither asks for a
 * token. The descriptors are those of the generated code, with everything they import.
 */
export function addReflectionAndHealth(server: Server, services: readonly DescService[]): Health {
  const names = services.map((service) => service.typeName);
  const listed = [...services, HealthService];
  const fileDescriptorProtos = filesOf(listed).map((file) =>
    Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)),
  );
  const everything: ConstructorParameters<typeof ReflectionService>[0] = {
    farebox: {
      format: "Protocol Buffer 3 DescriptorProto",
      type: {},
      fileDescriptorProtos,
    },
  };
  new ReflectionService(everything, {
    services: listed.map((service) => service.typeName),
  }).addToServer(server);

  const health = new HealthImplementation();
  health.addToServer(server);
  const setServing = (isServing: boolean) => {
    for (const name of ["", ...names])
      health.setStatus(name, isServing ? "SERVING" : "NOT_SERVING");
  };
  setServing(true);
  return { setServing };
}

/** The files of the services and all that they import, imports first, each once. */
function filesOf(services: readonly DescService[]): readonly DescFile[] {
  const files = new Map<string, DescFile>();
  const visit = (file: DescFile): void => {
    if (files.has(file.proto.name)) return;
    file.dependencies.forEach(visit);
    files.set(file.proto.name, file);
  };
  for (const service of services) visit(service.file);
  return [...files.values()];
}
